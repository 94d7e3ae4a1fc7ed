// SPDX-License-Identifier: Apache-2.0
// Decimals and JSON in constant expressions, and the rounding of decimals compared with the C library's.
#include "apriori/core/decimal.hpp"
#include "apriori/core/json_reader.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace apriori {
namespace {

constexpr bool same_bits(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

constexpr bool written(float x, std::string_view text) {
    short_text<32> out;
    add_decimal(out, x);
    return out.view() == text;
}
static_assert(written(0.0f, "0.0") && written(-0.0f, "-0.0") && written(1.0f, "1.0") && written(0.1f, "0.1") &&
              written(-123.5f, "-123.5"));
static_assert(written(0.0001f, "0.0001") && written(1e-5f, "1e-05") && written(1e15f, "1000000000000000.0"));
static_assert(written(1e16f, "1e+16") && written(1.5e-30f, "1.5e-30") && written(0.33333334f, "0.33333334"));
static_assert(written(std::numeric_limits<float>::infinity(), "Infinity"));

static_assert(parse_decimal("-12.50E+2") == -1250.0 && parse_decimal("0e5") == 0.0);
static_assert(parse_decimal("-Infinity") < -1e308 && parse_decimal("NaN") != parse_decimal("NaN"));
static_assert(same_bits(parse_decimal("0.1"), 0.1) && same_bits(parse_decimal("0.00085"), 0.00085));

TEST(Decimal, RoundsAsTheLibraryDoes) {
    std::mt19937_64 random(1);
    char text[64];
    for (int i = 0; i < 20'000; ++i) {
        const auto x = std::bit_cast<double>(random());
        if (x - x != 0.0) continue;
        std::snprintf(text, sizeof text, "%.*g", static_cast<int>(1 + random() % 18), x);
        EXPECT_TRUE(same_bits(parse_decimal(text), std::strtod(text, nullptr))) << text;
        const auto y = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        if (y - y != 0.0f) continue;
        short_text<32> out;
        add_decimal(out, y);
        EXPECT_EQ(static_cast<float>(std::strtod(out.text, nullptr)), y) << out.view();
    }
    for (const char* edge :
         {"4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
          "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623159e308", "0.0000",
          "123456789012345678901234567890", "9007199254740993", "1e400", "1e-400", "1e99999999999"})
        EXPECT_TRUE(same_bits(parse_decimal(edge), std::strtod(edge, nullptr))) << edge;
}

constexpr bool well_formed(std::string_view text, json_reader::dialect d = json_reader::dialect::json) {
    json_reader reader(text, d);
    reader.value();
    reader.end();
    return reader.error() == nullptr;
}
static_assert(well_formed(R"({"a": [1, 2.5, -0.1e-5, true, null, {"b": "x\u0041\n\\"}]}  )"));
static_assert(well_formed("[]") && well_formed("{ }") && well_formed("0") && well_formed("-0") && well_formed("\"\""));

TEST(JsonReader, RefusesWhatIsNoJson) {
    for (const char* text : {"",       "01",    "[1,]",     "{\"a\":1,}", "nul",  "\"a",         "\"\\x\"", "1.",
                             "1e",     "[1] 2", "NaN",      "\"\n\"",     "\"\\", "\"\\u12g4\"", "-",       "[",
                             "{\"a\"", "{1:2}", "{\"a\":}", "]",          "+1",   ".5",          "tru"})
        EXPECT_FALSE(well_formed(text)) << text;
    EXPECT_TRUE(well_formed("[NaN, -Infinity, Infinity]", json_reader::dialect::python));
    // inside a string these words are text, also after an escaped quotation mark
    EXPECT_TRUE(well_formed(R"({"a\"Infinity": "NaN", "b": [Infinity, -Infinity]})", json_reader::dialect::python));
    const std::string deepest = std::string(32, '[') + std::string(32, ']');
    EXPECT_TRUE(well_formed(deepest));
    EXPECT_FALSE(well_formed('[' + deepest + ']'));
    for (std::size_t end = 0; end < deepest.size(); ++end) EXPECT_FALSE(well_formed(deepest.substr(0, end)));
    const std::string pair = R"({"\ud83d\ude00":"\ud83d\ude00"})"; // cut anywhere, also inside the escape of a key
    EXPECT_TRUE(well_formed(pair));
    for (std::size_t end = 0; end < pair.size(); ++end) EXPECT_FALSE(well_formed(pair.substr(0, end))) << end;
}

static_assert(json_says(json_member(R"({"x": 1, "n\u0061me": "\u0063lip"})", "name"), "clip"));
static_assert(json_says("SiLU", "silu", letters::any_case) && !json_says("SiLU", "silu"));
static_assert(!json_says("num_layer", "num_layers") && !json_says("num_layerss", "num_layers"));
static_assert(!json_member("[1]", "x") && !json_member("{}", "x"));

constexpr bool shown(std::string_view text, std::string_view as) {
    short_text<100> out;
    add_shown(out, json_reader(text).value());
    return out.view() == as;
}
static_assert(shown("[ 1,\n 2]", "[1,2]") && shown(R"({"a": 1})", "an object") && shown("1e3", "1e3"));
static_assert(shown("\"a b\xc3\xa4\"", R"("a b\xc3\xa4")"));
static_assert(shown("[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]", "an array of 17 values"));
static_assert(shown(R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")",
                    R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...)"));

} // namespace
} // namespace apriori
