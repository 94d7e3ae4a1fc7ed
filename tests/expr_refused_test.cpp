// SPDX-License-Identifier: Apache-2.0
// Errors of an assignment that only show at run time: views that reach too far, extents of 1 that a kernel cannot
// broadcast, destinations that overlap operands that are still to be read, indices of rows that do not exist. Each is
// refused before anything is read or written.
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr.hpp"
#include "apriori/expr/evaluate.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/tensor/make.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

namespace {

using namespace apriori;
using matrix = extents<dyn, dyn>;

constexpr std::string_view overlaps =
    "assign: the destination overlaps an operand that is read in another order; write "
    "the expression to a temporary first";
constexpr std::string_view too_far = "expression: a view has a negative extent: a slice reached past the end of its "
                                     "axis, or a shape was made with one";
constexpr std::string_view past_a_kernel =
    "assign: a run-time extent of 1 is broadcast past a kernel; write it to a temporary first";

struct refused_at_run_time : testing::Test {
    cpu<> device;
    host_buffer memory{std::size_t{1} << 16};

    template <class Out, class X>
    std::string_view assigned(const Out& out, const X& x) {
        return assign(device, memory.span(), out, x).what;
    }
};
using refused = refused_at_run_time;

TEST_F(refused, broadcasts_of_a_last_axis_of_one) {
    tensor<float, matrix> x(matrix(3, 1)), y(matrix(3, 5));
    EXPECT_EQ(assigned(y.view(), broadcast_to(x, matrix(3, 5))), too_far);
    EXPECT_EQ(assigned(x.view(), broadcast_to(x, matrix(3, 1))), "");
    tensor<float, extents<dyn, 1>> column(extents<dyn, 1>(3)); // whose extent is known at compile time
    column(1, 0) = 2;
    EXPECT_EQ(assigned(y.view(), broadcast_to(column, matrix(3, 5))), "");
    EXPECT_EQ(y(1, 4), 2.0f);
}

TEST_F(refused, views_that_reach_too_far_below_a_kernel) {
    const auto x = normal(matrix(3, 8), 1);
    tensor<float, extents<dyn, 1>> sums(extents<dyn, 1>(3));
    tensor<float, extents<1, dyn>> columns(extents<1, dyn>(8));
    EXPECT_EQ(assigned(sums.view(), sum(slice<1>(x, 7, 2))), too_far);
    EXPECT_EQ(assigned(columns.view(), mean<0>(slice<0>(x, 2, 9))), too_far);
    EXPECT_EQ(assigned(columns.view(), sum<0>(reshape(x, matrix(4, 8)))), too_far);
    EXPECT_EQ(assigned(sums.view(), sum(slice<1>(x, 6, 2))), "");
    const auto b = normal(matrix(8, 5), 2);
    tensor<float, matrix> c(matrix(3, 5));
    EXPECT_EQ(assigned(c.view(), c + matmul(slice<1>(x, 6, 4), slice<0>(b, 6, 4))), too_far);
}

TEST_F(refused, views_of_rank_0_of_another_number_of_elements) {
    const auto x = normal(extents<dyn>(3), 1), one = normal(extents<dyn>(1), 2);
    tensor<float, extents<>> y;
    EXPECT_EQ(assigned(y.view(), reshape(x, extents<>{})), "reshape: another number of elements");
    EXPECT_EQ(assigned(y.view(), squeeze<0>(x)), "squeeze: the extent is not 1 on axis 0");
    EXPECT_EQ(assigned(y.view(), squeeze<0>(one) + reshape(one, extents<>{})), "");
    EXPECT_EQ(y(), 2 * one(0));

    tensor<float, extents<dyn, 8>> z(extents<dyn, 8>(2)); // a scalar that is read for each row
    EXPECT_EQ(assigned(z.view(), z / squeeze<0>(slice<0>(z.view()[0], 0, 1))), overlaps);
    EXPECT_EQ(plan<cpu<>>(z * squeeze<0>(one)).size(), 1);
}

TEST_F(refused, scans_and_scatters_into_what_they_read) {
    auto x = arange(6.0f);
    const auto v = x.view();
    EXPECT_EQ(assigned(v, cumsum(reverse<0>(x))), overlaps);
    EXPECT_EQ(assigned(slice<0>(v, 1, 5), cumsum(slice<0>(v, 0, 5))), overlaps);
    EXPECT_EQ(assigned(v, cumsum(x)), ""); // in place
    EXPECT_EQ(x(5), 15.0f);

    auto table = normal(extents<4, 3>{}, 1), updates = normal(extents<4, 3>{}, 2);
    const tensor<std::int32_t, extents<4>> rows({2, 0, 2, 1});
    EXPECT_EQ(assigned(updates.view(), scatter_add(table, rows, updates)), overlaps);
    const float expected = table(2, 1) + updates(0, 1) + updates(2, 1);
    EXPECT_EQ(assigned(table.view(), scatter_add(table, rows, updates)), "");
    EXPECT_FLOAT_EQ(table(2, 1), expected);
}

TEST_F(refused, destinations_that_overlap_indices_or_other_elements) {
    std::int32_t memory_of_both[4] = {1, 0, 0, 0};
    const tensor<std::int32_t, extents<2, 2>> table({7, 8, 9, 10});
    const view<const std::int32_t, extents<2>> rows(memory_of_both, {});
    EXPECT_EQ(assigned(view<std::int32_t, extents<2, 2>>(memory_of_both, {}), gather(table, rows)), overlaps);

    std::vector<float> floats(64);
    const view<const std::uint8_t, extents<64>> bytes(reinterpret_cast<const std::uint8_t*>(floats.data()), {});
    EXPECT_EQ(assigned(view<float, extents<64>>(floats.data(), {}), bytes * 0.5f), overlaps);
}

TEST_F(refused, extents_of_one_past_a_kernel) {
    using cube = extents<dyn, dyn, dyn>;
    const auto x = normal(cube(1, 3, 4), 1);
    tensor<float, cube> y(cube(2, 3, 4));
    EXPECT_EQ(assigned(y.view(), cumsum(x)), past_a_kernel);

    const auto re = normal(matrix(4, 1), 1), im = normal(matrix(4, 1), 2);
    tensor<float, extents<dyn, dyn, 2>> pairs(extents<dyn, dyn, 2>(4, 6));
    EXPECT_EQ(assigned(pairs.view(), stack<2>(re, im)), ""); // each part is an assignment, which may broadcast
    EXPECT_TRUE(pairs(3, 5, 0) == re(3, 0) && pairs(3, 5, 1) == im(3, 0));

    const auto row = normal(matrix(1, 4), 1);
    tensor<float, matrix> whole(matrix(3, 4));
    EXPECT_EQ(assigned(whole.view(), concat<0>(row)), "concat: the parts do not fill the destination");
    const tensor<std::int32_t, extents<1>> rows({0});
    EXPECT_EQ(assigned(whole.view(), scatter_add(row, rows, row)), past_a_kernel);
}

TEST_F(refused, indices_that_32_bits_do_not_hold) {
    const auto table = normal(extents<5, 8>{}, 1);
    tensor<float, extents<2, 8>> y;
    for (const std::int64_t row : {std::int64_t{1} << 32, std::numeric_limits<std::int64_t>::min(), std::int64_t{5}}) {
        const tensor<std::int64_t, extents<2>> rows({4, row});
        EXPECT_EQ(assigned(y.view(), gather(table, rows)), "gather: an index is not a row of the table (axis 0)")
            << row;
        EXPECT_EQ(assigned(y.view(), scatter_add(y, rows, y * 1.0f)),
                  "scatter_add: an index is not a row of the table (axis 0)");
    }
    const tensor<std::int64_t, extents<2>> rows({4, 0});
    EXPECT_EQ(assigned(y.view(), gather(table, rows)), "");
    EXPECT_EQ(y(0, 7), table(4, 7));
}

TEST(row_reductions, of_one_gathered_row_are_broadcast) {
    cpu<> device;
    const auto table = normal(extents<5, 8>{}, 1);
    const tensor<std::int32_t, extents<dyn>> index = [] {
        tensor<std::int32_t, extents<dyn>> t(extents<dyn>(1));
        t(0) = 3;
        return t;
    }();
    const auto x = normal(extents<dyn, 8>(3), 2);
    const auto y = evaluate(device, x - mean(gather(table, index)));
    ASSERT_TRUE(y) << y.error().message;
    float mean_of_row = 0;
    for (index_t c = 0; c < 8; ++c) mean_of_row += table(3, c) / 8;
    for (index_t r = 0; r < 3; ++r)
        for (index_t c = 0; c < 8; ++c) EXPECT_NEAR((*y)(r, c), x(r, c) - mean_of_row, 1e-6f);
}

TEST(edges_of_types, bounds_of_clamp_are_the_nearest_that_there_are) {
    cpu<> device;
    const tensor<std::uint8_t, extents<3>> bytes({0, 100, 255});
    const auto same = evaluate(device, clamp(bytes, 0, 256)), low = evaluate(device, clamp(bytes, -1, 10));
    ASSERT_TRUE(same && low);
    EXPECT_TRUE(*same == bytes);
    EXPECT_TRUE((*low == tensor<std::uint8_t, extents<3>>({0, 10, 10})));
    const tensor<std::int32_t, extents<3>> numbers({-7, 1, 7});
    const auto real = evaluate(device, clamp(numbers, 0.5, 2.5));
    ASSERT_TRUE(real);
    EXPECT_TRUE((*real == tensor<double, extents<3>>({0.5, 1, 2.5})));
}
TEST(edges_of_types, norms_of_integers_do_not_overflow) {
    cpu<> device;
    const tensor<std::uint8_t, extents<2>> bytes({16, 0});
    const tensor<std::int32_t, extents<2>> numbers({50000, 0});
    const auto small = evaluate(device, norm(bytes));
    const auto large = evaluate(device, norm(numbers));
    ASSERT_TRUE(small && large);
    EXPECT_EQ((*small)(0), 16.0f);
    EXPECT_EQ((*large)(0), 50000.0);
}

} // namespace
