// SPDX-License-Identifier: Apache-2.0
// The JSON parser that all readers share. It accepts exactly what nlohmann's parser accepts, apart from the limits of
// parse_json. Its numbers are those of the C library, and its strings read the same after they are written.
#include "apriori/io/json.hpp"
#include "fuzzing.hpp"

#include <nlohmann/json.hpp>

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

namespace {

int significant_digits(std::string_view number) {
    int count = 0;
    for (const char c : number) {
        if (c == 'e' || c == 'E') break;
        if (c >= '0' && c <= '9' && (count > 0 || c != '0')) ++count;
    }
    return count;
}

void check(const json& value) {
    if (value.is(json_kind::number)) {
        if (significant_digits(value.text) <= 19)
            require(value.number() == std::strtod(std::string(value.text).c_str(), nullptr),
                    "numbers are rounded right");
        if (const auto n = value.whole())
            require(std::to_string(*n) == value.text || value.text == "-0", "so are integers");
    } else if (value.is(json_kind::string)) {
        const std::string said = value.string(), written = json_quoted(said);
        const auto again = parse_json(written, "again");
        require(valid_utf8(said) && again.ok() && again->string() == said, "a string reads as it was written");
        require(json_says(value, said) || !std::all_of(said.begin(), said.end(), [](char c) { return c >= 0; }),
                "a string of ASCII says what it is");
    }
    for (const auto& [key, inside] : value.items()) {
        if (value.is(json_kind::object) && std::all_of(key.begin(), key.end(), [](char c) { return c >= 0; }))
            require(value[key].text.data() == inside.text.data(), "a member is found by its key");
        check(inside);
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view whole = text(data, size);
    // nlohmann's parser would skip a byte order mark, and would stop at a zero.
    const bool accepted =
        nlohmann::json::accept(whole) && !whole.starts_with("\xEF\xBB\xBF") && whole.find('\0') == whole.npos;
    const auto value = parse_json(whole, "x.json");
    if (!value) {
        const bool limit = value.error().message.find("occurs twice") != std::string::npos ||
                           value.error().message.find("nested deeper") != std::string::npos;
        require(!accepted || limit, "well-formed JSON is accepted");
        return refused(value.error());
    }
    require(accepted, "what is accepted is well-formed JSON");
    check(*value);
    return 0;
}
