// SPDX-License-Identifier: Apache-2.0
// The text that {fmt} and std::format print for shapes, tensors, expressions and plans is that of std::ostream.
#include "apriori/expr.hpp"
#include "apriori/expr/fmt.hpp"
#include "apriori/tensor/make.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

#include <locale>
#include <sstream>

using namespace apriori;

namespace {

std::string streamed(const auto& x) {
    std::ostringstream out;
    out << x;
    return out.str();
}

/// Both libraries print that text for x.
void expect_text(const auto& x, std::string_view text) {
    EXPECT_EQ(fmt::format("{}", x), text);
    EXPECT_EQ(fmt::format("<{:>60}>", x),
              "<" + std::string(text.size() < 60 ? 60 - text.size() : 0, ' ') + std::string(text) + ">");
#if defined(__cpp_lib_format)
    EXPECT_EQ(std::format("{}", x), text);
    EXPECT_EQ(std::format("{:_<4}|", x),
              std::string(text) + (text.size() < 4 ? std::string(4 - text.size(), '_') : "") + "|");
#endif
    EXPECT_EQ(streamed(x), text);
}

TEST(Fmt, ShapesViewsAndTensors) {
    tensor<float, extents<2, 3>> x({1, 2, 3, 4, 5, 6.5f});
    expect_text(x.ext(), "[2, 3]");
    expect_text(extents<>{}, "[]");
    expect_text(x, "[[1, 2, 3],\n [4, 5, 6.5]]");
    expect_text(transpose<0, 1>(x), "[[1, 4],\n [2, 5],\n [3, 6.5]]");
    expect_text(slice<1, 2>(x, 1), "[[2, 3],\n [5, 6.5]]");
    expect_text(tensor<std::uint8_t, extents<2>, on_stack>({65, 200}), "[65, 200]");
    expect_text(view<const float, extents<3>>(), "no memory for [3]");
    EXPECT_EQ(fmt::format("{} of {}", x[1], 2), "[4, 5, 6.5] of 2");
}

TEST(Fmt, ExpressionsAndPlans) {
    const tensor<float, extents<4, 8>> x;
    const tensor<float, extents<8, 4>> y;
    expect_text(exp(x) * 2.0f, "multiply(exp([4, 8]), 2)");
    expect_text(softmax(matmul(x, y)), "softmax(matmul([4, 8], [8, 4]))");
    expect_text(concat<0>(x, slice<0, 1>(exp(x), 1)), "concat([4, 8], slice(exp([4, 8])))");
    constexpr auto planned = plan_of<decltype(exp(view<const float, extents<4, 8>>{})), oracle::device<>>;
    expect_text(planned, describe(planned));
}

struct points_for_thousands : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
};
TEST(Fmt, IsOfTheCLocale) {
    const std::locale before = std::locale::global(std::locale(std::locale::classic(), new points_for_thousands));
    EXPECT_EQ(fmt::format("{}", extents<12345>{}), "[12345]");
    std::locale::global(before);
}

} // namespace
