// SPDX-License-Identifier: Apache-2.0
// Tensors without expressions: elements, iteration, equality, copies, storage on the stack, making and printing them.
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/print.hpp"
#include "apriori/tensor/interop.hpp"
#include "apriori/tensor/make.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <sstream>

using namespace apriori;

namespace {

using matrix = tensor<float, extents<2, 3>>;

std::string text(const auto& x) {
    std::ostringstream out;
    out << x;
    return out.str();
}

// A tensor on the stack is a value, and may be a constant.
using small = tensor<float, extents<2, 2>, on_stack>;
constexpr small constant({1, 2, 3, 4});
static_assert(constant(1, 0) == 3 && constant[0][1] == 2 && constant.size() == 4);
static_assert(std::accumulate(constant.begin(), constant.end(), 0.0f) == 10);
static_assert(constant == constant && !(constant == small{}));
static_assert(transpose<0, 1>(constant)(0, 1) == 3);
static_assert(sizeof(small) == 4 * sizeof(float) && std::is_copy_constructible_v<small>);
static_assert(!std::is_copy_constructible_v<matrix> && std::is_nothrow_move_constructible_v<matrix>);

TEST(Tensor, HasElements) {
    matrix x({1, 2, 3, 4, 5, 6});
    EXPECT_EQ(x(1, 2), 6);
    x(0, 1) = 7;
    x[1][0] = 8;
    EXPECT_EQ(x.flat()[1], 7);
    EXPECT_EQ(x.flat()[3], 8);
    const auto columns = transpose<0, 1>(x); // [3, 2]
    EXPECT_EQ(columns(2, 1), 6);
    EXPECT_EQ(columns[1][0], 7);
    const tensor<std::int32_t, extents<dyn>> numbers{extents<dyn>(4)};
    EXPECT_EQ(numbers[3], 0);
    tensor<float, extents<>> scalar;
    scalar() = 2.5f;
    EXPECT_EQ(scalar.view()(), 2.5f);
}

TEST(Tensor, PartsOfViewsKeepTheirStrides) {
    const auto numbers = arange(24.0f);
    const auto box = reshape(numbers, extents<2, 3, 4>{});
    const auto inner = slice<2, 2>(box, 1); // [2, 3, 2], rows with gaps
    EXPECT_EQ(inner[1][2][0], 21);
    EXPECT_EQ(inner[1](2, 1), 22);
    const auto turned = transpose<0, 2>(box); // [4, 3, 2], strided
    EXPECT_EQ(turned[3][1][1], box(1, 1, 3));
}

TEST(Tensor, IsARangeInRowMajorOrder) {
    const matrix x({1, 2, 3, 4, 5, 6});
    EXPECT_EQ(std::vector<float>(x.begin(), x.end()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    std::vector<float> columns;
    for (const float v : transpose<0, 1>(x)) columns.push_back(v);
    EXPECT_EQ(columns, (std::vector<float>{1, 4, 2, 5, 3, 6}));
    const matrix empty_rows;
    for (const float v : slice<0>(empty_rows, 1, 0)) FAIL() << v;
}

TEST(Tensor, IsEqualByShapeAndElements) {
    const matrix x({1, 2, 3, 4, 5, 6}), same({1, 2, 3, 4, 5, 6});
    matrix other({1, 2, 3, 4, 5, 7});
    EXPECT_TRUE(x == same);
    EXPECT_FALSE(x == other);
    EXPECT_TRUE(x != other);
    EXPECT_TRUE(x == same.view());
    const tensor<float, extents<dyn, 3>> two(extents<dyn, 3>(2)), three(extents<dyn, 3>(3));
    EXPECT_FALSE(two == three);
    EXPECT_TRUE((clone(transpose<0, 1>(x)) == transpose<0, 1>(same)));
    other(1, 2) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(other == clone(other));
}

TEST(Tensor, IsMovedOrCloned) {
    matrix x({1, 2, 3, 4, 5, 6});
    const float* const where = x.data();
    matrix moved = std::move(x);
    EXPECT_EQ(moved.data(), where);
    auto copy = clone(moved);
    copy(0, 0) = 9;
    EXPECT_EQ(moved(0, 0), 1);
    const auto corner = clone(slice<1, 2>(moved, 1)); // [2, 2]
    EXPECT_EQ(corner(1, 0), 5);
}

TEST(MakeTensor, OfConstants) {
    EXPECT_EQ(text(zeros(extents<2, 2>{})), "[[0, 0],\n [0, 0]]");
    EXPECT_EQ(text(ones(extents<dyn>(3))), "[1, 1, 1]");
    EXPECT_EQ(text(full<std::int32_t>(extents<2>{}, -7)), "[-7, -7]");
    EXPECT_EQ(text(eye<2>()), "[[1, 0],\n [0, 1]]");
    EXPECT_TRUE(eye(3).view() == eye<3>().view());
}
TEST(MakeTensor, OfRanges) { // like numpy.arange and numpy.linspace
    EXPECT_EQ(text(arange(4.0f)), "[0, 1, 2, 3]");
    EXPECT_EQ(text(arange(1.0f, 2.0f, 0.25f)), "[1, 1.25, 1.5, 1.75]");
    EXPECT_EQ(text(arange(3, -1, -2)), "[3, 1]");
    EXPECT_EQ(arange(2.0f, 1.0f).size(), 0);
    EXPECT_EQ(arange(0.0f, 1.0f, 0.0f).size(), 0);
    EXPECT_EQ(text(linspace(0.0f, 1.0f, 5)), "[0, 0.25, 0.5, 0.75, 1]");
    EXPECT_EQ(text(linspace(2.0f, 3.0f, 1)), "[2]");
    EXPECT_EQ(linspace(0.0f, 0.1f, 8)[7], 0.1f);
    EXPECT_EQ(linspace(0.0f, 1.0f, 0).size(), 0);
    EXPECT_EQ(text(linspace(0, 1, 5)), "[0, 0.25, 0.5, 0.75, 1]");
    static_assert(std::is_same_v<decltype(linspace(0, 1, 5))::value_type, double>);
}
TEST(MakeTensor, OfRandomNumbers) {
    constexpr index_t n = 40000;
    const auto u = uniform(extents<n>{}, 3, -2, 6);
    EXPECT_TRUE(std::all_of(u.begin(), u.end(), [](float v) { return v >= -2 && v <= 6; }));
    const auto mean = [](const auto& x) {
        return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    };
    const auto variance = [&](const auto& x) {
        const double m = mean(x);
        double sum = 0;
        for (const float v : x) sum += (static_cast<double>(v) - m) * (static_cast<double>(v) - m);
        return sum / static_cast<double>(x.size());
    };
    // five standard deviations of the mean and of the variance of n numbers
    EXPECT_NEAR(mean(u), 2, 5 * 8 / std::sqrt(12.0 * n));
    EXPECT_NEAR(variance(u), 64 / 12.0, 5 * 64 * std::sqrt((1 / 80.0 - 1 / 144.0) / n));
    const auto z = normal(extents<n>{}, 3, 1, 2);
    EXPECT_NEAR(mean(z), 1, 5 * 2 / std::sqrt(1.0 * n));
    EXPECT_NEAR(variance(z), 4, 5 * 4 * std::sqrt(2.0 / n));
    EXPECT_TRUE(uniform(extents<9>{}, 1) == uniform(extents<9>{}, 1));
    EXPECT_FALSE(uniform(extents<9>{}, 1) == uniform(extents<9>{}, 2));
    EXPECT_FALSE(uniform(extents<9>{}, 1) == uniform(extents<9>{}, 1, 0, 1, 1));

    // however the numbers are split, and after a seek
    std::vector<float> whole(11), parts(11);
    philox_generator(5, 6).rand(whole);
    philox_generator g(5, 6);
    g.rand(std::span(parts).first(3));
    g.rand(std::span(parts).subspan(3, 5));
    g.seek(8);
    g.rand(std::span(parts).subspan(8));
    EXPECT_EQ(whole, parts);
}

TEST(Interop, RangesAreViews) {
    std::vector<float> values{1, 2, 3, 4, 5, 6};
    as_view(values)(1) = 20;
    EXPECT_EQ(text(as_view(values, extents<2, 3>{})), "[[1, 20, 3],\n [4, 5, 6]]");
    const std::array<float, 4> four{1, 2, 3, 4};
    EXPECT_EQ(text(as_view(four, extents<dyn, 2>(2))), "[[1, 2],\n [3, 4]]");
    EXPECT_EQ(as_view(std::span(values).first(2)).ext()[0], 2);
    EXPECT_EQ(as_view(values, extents<dyn, 4>(2)).ext()[0], -1);
}

/// std::mdspan<float, std::extents<int, 2, std::dynamic_extent>, std::layout_left>, as in C++23.
struct columns_of_two {
    using element_type = float;
    float* p;
    int columns;
    float* data_handle() const { return p; }
    static constexpr std::size_t rank() { return 2; }
    static constexpr std::size_t static_extent(std::size_t i) { return i == 0 ? 2 : std::size_t(-1); }
    int extent(std::size_t i) const { return i == 0 ? 2 : columns; }
    int stride(std::size_t i) const { return i == 0 ? 1 : 2; }
};
TEST(Interop, MdspansAreViews) {
    std::vector<float> values{1, 2, 3, 4, 5, 6};
    const auto v = as_view(columns_of_two{values.data(), 3});
    static_assert(std::is_same_v<decltype(v.shape), extents<2, dyn>>);
    EXPECT_EQ(text(v), "[[1, 3, 5],\n [2, 4, 6]]");
}

/// The struct of dlpack.h.
struct dl_tensor {
    void* data;
    struct {
        int device_type, device_id;
    } device;
    std::int32_t ndim;
    struct {
        std::uint8_t code, bits;
        std::uint16_t lanes;
    } dtype;
    std::int64_t* shape;
    std::int64_t* strides;
    std::uint64_t byte_offset;
};
TEST(Interop, DlpackTensorsAreViews) {
    std::vector<float> values{0, 1, 2, 3, 4, 5, 6};
    std::int64_t shape[] = {2, 3}, strides[] = {1, 2};
    dl_tensor t{values.data(), {1, 0}, 2, {2, 32, 1}, shape, nullptr, 4};
    EXPECT_EQ(text(*from_dlpack<float, 2>(t)), "[[1, 2, 3],\n [4, 5, 6]]");
    t.strides = strides;
    EXPECT_EQ(text(*from_dlpack<float, 2>(t)), "[[1, 3, 5],\n [2, 4, 6]]");
    EXPECT_EQ((from_dlpack<float, 3>(t)).error().message, "dlpack: the tensor has 2 axes, not 3");
    EXPECT_EQ((from_dlpack<std::int32_t, 2>(t)).error().code, errc::unsupported);
    EXPECT_EQ((from_dlpack<double, 2>(t)).error().code, errc::unsupported);
    t.device.device_type = 2; // CUDA
    EXPECT_EQ((from_dlpack<float, 2>(t)).error().code, errc::unsupported);
}

TEST(PrintTensor, AsNumPyDoes) {
    const auto numbers = arange(12.0f);
    EXPECT_EQ(text(extents<2, dyn>(3)), "[2, 3]");
    EXPECT_EQ(text(extents<>{}), "[]");
    EXPECT_EQ(text(reshape(numbers, extents<2, 3, 2>{})),
              "[[[0, 1],\n  [2, 3],\n  [4, 5]],\n\n [[6, 7],\n  [8, 9],\n  [10, 11]]]");
    EXPECT_EQ(text(transpose<0, 1>(reshape(numbers, extents<2, 6>{}))[1]), "[1, 7]");
    EXPECT_EQ(text(tensor<std::uint8_t, extents<2>>({65, 200})), "[65, 200]");
    EXPECT_EQ(text(tensor<float, extents<>>{}), "0");
    EXPECT_EQ(text(tensor<float, extents<0, 3>>{}), "[]");
    EXPECT_EQ(text(arange(1001.0f)), "[0, 1, 2, ..., 998, 999, 1000]");
    EXPECT_EQ(text(view<float, extents<3>>()), "no memory for [3]");
}
TEST(PrintTensor, ExpressionsAndPlans) {
    const tensor<float, extents<4, 8>> x;
    const tensor<float, extents<8, 4>> y;
    const std::int32_t row = 2;
    const view<const std::int32_t, extents<1>> rows(&row, {});
    EXPECT_EQ(text(exp(x) * 2.0f), "multiply(exp([4, 8]), 2)");
    EXPECT_EQ(text(softmax(matmul(x, y)) + sum<0>(y)), "add(softmax(matmul([4, 8], [8, 4])), sum([8, 4]))");
    EXPECT_EQ(text(concat<0>(x, gather(x, rows), slice<0, 1>(exp(x), 1))),
              "concat([4, 8], gather([4, 8], [1]), slice(exp([4, 8])))");
    EXPECT_EQ(text(plan<oracle::device<>>(exp(x))), describe(plan<oracle::device<>>(exp(x))));
}

} // namespace
