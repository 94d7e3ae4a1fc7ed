// SPDX-License-Identifier: Apache-2.0
// Windows, diagonals, convolutions, lookups by index, products with broadcast batches, and tensors of eight axes,
// compared with plain loops.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/device.hpp"
#include "apriori/expr.hpp"
#include "apriori/tensor/make.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace apriori;

/// The value of an expression on both devices, which have to agree.
template <class X>
auto value(const X& x) {
    cpu<> vectors;
    eigen reference;
    auto got = evaluate(vectors, x);
    const auto other = evaluate(reference, x);
    EXPECT_TRUE(got && other);
    for (std::size_t i = 0; i < got->flat().size(); ++i)
        EXPECT_NEAR(double(got->flat()[i]), double(other->flat()[i]), 1e-4) << i;
    return std::move(*got);
}

TEST(rearrange, negative_axes_count_from_the_end) {
    const auto x = normal(extents<2, 5, 4>{}, 1);
    const auto y = normal(extents<2, 5, 1>{}, 2);
    const auto same = [](const auto& a, const auto& b) {
        static_assert(std::is_same_v<decltype(a), decltype(b)>);
        EXPECT_TRUE(value(a) == value(b));
    };
    same(softmax<-1>(x), softmax<2>(x));
    same(softmax<-3>(x), softmax<0>(x));
    same(sum<-2>(x), sum<1>(x));
    same(sum<-1, -3>(x), sum<2, 0>(x));
    same(cumsum<-2>(x), cumsum<1>(x));
    same(reverse<-1>(x), reverse<2>(x));
    same(transpose<-1, -3>(x), transpose<2, 0>(x));
    same(permute<-1, 0, -2>(x), permute<2, 0, 1>(x));
    same(squeeze<-1>(y), squeeze<2>(y));
    same(expand_dims<-1>(x), expand_dims<3>(x));
    same(expand_dims<-4>(x), expand_dims<0>(x));
    same(stack<-1>(x, x), stack<3>(x, x));
    same(concat<-2>(x, x), concat<1>(x, x));
    same(pad<-1, 1, 2>(x), pad<2, 1, 2>(x));
    same(slice<-2, 3>(x, 1), slice<1, 3>(x, 1));
    same(slice<-2>(x, 1, 3), slice<1>(x, 1, 3));
    same(unfold<-2, 3>(x), unfold<1, 3>(x));
    same(repeat<-1, 2>(x), repeat<2, 2>(x));
    same(tile<-3, 2>(x), tile<0, 2>(x));
    static_assert(std::is_same_v<decltype(indices<-1>(x.ext())), decltype(indices<2>(x.ext()))>);
}
TEST(rearrange, diagonals) {
    const auto x = normal(extents<2, 5, 4>{}, 1);
    const auto main = value(diagonal(x));
    const auto right = value(diagonal<2>(x));
    const auto below = value(diagonal<-3>(x * 2.0f));
    static_assert(std::is_same_v<extents_of<decltype(right)>, extents<2, 2>>);
    static_assert(std::is_same_v<extents_of<decltype(below)>, extents<2, 2>>);
    for (index_t b = 0; b < 2; ++b) {
        for (index_t i = 0; i < 4; ++i) EXPECT_EQ(main(b, i), x(b, i, i));
        for (index_t i = 0; i < 2; ++i) EXPECT_EQ(right(b, i), x(b, i, i + 2));
        for (index_t i = 0; i < 2; ++i) EXPECT_EQ(below(b, i), 2 * x(b, i + 3, i));
    }
    const auto none = value(diagonal<7>(x)); // a diagonal outside the matrix is empty
    EXPECT_EQ(none.size(), 0);
    const auto runtime = normal(extents<dyn, dyn>(3, 9), 1);
    EXPECT_EQ(value(diagonal<1>(runtime)).ext()[0], 3);
}

TEST(rearrange, windows) {
    const auto x = normal(extents<3, dyn>(11), 2);
    const auto y = value(unfold<1, 4, 3>(x) * 1.0f);
    ASSERT_EQ(y.ext()[1], 3);
    for (index_t r = 0; r < 3; ++r)
        for (index_t i = 0; i < 3; ++i)
            for (index_t k = 0; k < 4; ++k) EXPECT_EQ(y(r, i, k), x(r, 3 * i + k));
    EXPECT_EQ(value(unfold<0, 4>(x)).size(), 0); // fewer elements than a window
    const auto means = value(mean(unfold<1, 2>(x)));
    for (index_t i = 0; i < 10; ++i) EXPECT_NEAR(means(1, i, 0), (x(1, i) + x(1, i + 1)) / 2, 1e-6f);
}

template <index_t Stride, index_t Padding, class X, class W>
void expect_convolution(const X& x, const W& w) {
    const auto got = value(conv2d<Stride, Padding>(x, w));
    for (index_t n = 0; n < got.ext()[0]; ++n)
        for (index_t o = 0; o < got.ext()[1]; ++o)
            for (index_t i = 0; i < got.ext()[2]; ++i)
                for (index_t j = 0; j < got.ext()[3]; ++j) {
                    double sum = 0;
                    for (index_t c = 0; c < w.ext()[1]; ++c)
                        for (index_t k = 0; k < w.ext()[2]; ++k)
                            for (index_t l = 0; l < w.ext()[3]; ++l) {
                                const index_t y = i * Stride + k - Padding, z = j * Stride + l - Padding;
                                if (y >= 0 && z >= 0 && y < x.ext()[2] && z < x.ext()[3])
                                    sum += double(x(n, c, y, z)) * double(w(o, c, k, l));
                            }
                    ASSERT_NEAR(double(got(n, o, i, j)), sum, 1e-4) << n << ' ' << o << ' ' << i << ' ' << j;
                }
}
TEST(rearrange, convolutions) {
    const auto x = normal(extents<dyn, 3, dyn, 7>(2, 9), 3);
    expect_convolution<1, 0>(x, normal(extents<4, 3, 3, 3>{}, 4));
    expect_convolution<2, 1>(x, normal(extents<4, 3, 3, 2>{}, 5));
    expect_convolution<3, 2>(x, normal(extents<1, 3, 1, 5>{}, 6));
    const auto line = normal(extents<2, 3, 8>{}, 7);
    const auto taps = normal(extents<5, 3, 4>{}, 8);
    const auto got = value(conv1d<2, 1>(line, taps));
    const auto same = value(conv2d<2>(pad<3, 1, 1>(reshape<2, 3, 1, 8>(line)), reshape<5, 3, 1, 4>(taps)));
    for (std::size_t i = 0; i < got.flat().size(); ++i) EXPECT_NEAR(got.flat()[i], same.flat()[i], 1e-5f);
}

TEST(rearrange, products_whose_batches_broadcast) {
    const auto a = normal(extents<2, 1, 3, 5>{}, 9);
    const auto b = normal(extents<dyn, 5, 4>(3), 10);
    const auto got = value(matmul(a, b) + 1.0f);
    ASSERT_EQ(got.ext()[1], 3);
    for (index_t i = 0; i < 2; ++i)
        for (index_t j = 0; j < 3; ++j)
            for (index_t r = 0; r < 3; ++r)
                for (index_t c = 0; c < 4; ++c) {
                    double sum = 1;
                    for (index_t k = 0; k < 5; ++k) sum += double(a(i, index_t{0}, r, k)) * double(b(j, k, c));
                    EXPECT_NEAR(double(got(i, j, r, c)), sum, 1e-5);
                }
    const auto large = normal(extents<3, 70, 130>{}, 11); // too large for the kernels of small products
    const auto one = normal(extents<130, 40>{}, 12);
    const auto each = value(matmul(large, one));
    for (index_t i = 0; i < 3; ++i) {
        const auto alone = value(matmul(large[i], one));
        for (index_t r = 0; r < 70; ++r)
            for (index_t c = 0; c < 40; ++c) ASSERT_EQ(each(i, r, c), alone(r, c));
    }
    cpu<> device;
    const auto wrong = evaluate(device, matmul(normal(extents<dyn, 2, 5>(2), 1).view(), b));
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("matmul: run-time extents do not fit together on axis 0"), std::string::npos);
}

TEST(rearrange, lookups) {
    const auto table = normal(extents<5, 2, 3>{}, 13);
    const tensor<std::int64_t, extents<2, 2>> rows({4, 0, 4, 1});
    const auto got = value(take(table, rows));
    const auto moved = value(take(table * 2.0f, rows - 1 + 1));
    for (index_t i = 0; i < 2; ++i)
        for (index_t j = 0; j < 2; ++j)
            for (index_t k = 0; k < 2; ++k)
                for (index_t l = 0; l < 3; ++l) {
                    EXPECT_EQ(got(i, j, k, l), table(rows(i, j), k, l));
                    EXPECT_EQ(moved(i, j, k, l), 2 * table(rows(i, j), k, l));
                }
    cpu<> device;
    for (const index_t add : {1, -1}) {
        const auto outside = evaluate(device, take(table, rows + add));
        ASSERT_FALSE(outside);
        EXPECT_NE(outside.error().message.find("gather: an index is not a row of the table"), std::string::npos);
        const auto nowhere =
            evaluate(device, scatter_add(reshape<5, 6>(table), reshape<4>(rows) + add, filled(extents<4, 6>{}, 1.0f)));
        ASSERT_FALSE(nowhere);
        EXPECT_NE(nowhere.error().message.find("scatter_add: an index is not a row of the table"), std::string::npos);
    }
    const auto nearest = value(argmax<0>(reshape<5, 6>(table)));
    for (index_t c = 0; c < 6; ++c)
        for (index_t r = 0; r < 5; ++r)
            EXPECT_LE(table.flat()[to_size(r * 6 + c)], table.flat()[to_size(nearest(0, c) * 6 + c)]);
}

TEST(rearrange, eight_axes) {
    const auto x = normal(extents<2, 3, 1, 2, 1, 3, 2, 2>{}, 14);
    const auto turned = value(permute<7, 5, 3, 1, 6, 4, 2, 0>(x) + 1.0f);
    const auto total = value(sum<0, 1, 2, 3, 4, 5, 6, 7>(x));
    const auto middle = value(sum<3>(x * x));
    double all = 0;
    for (index_t a = 0; a < 2; ++a)
        for (index_t b = 0; b < 3; ++b)
            for (index_t d = 0; d < 2; ++d)
                for (index_t f = 0; f < 3; ++f)
                    for (index_t g = 0; g < 2; ++g)
                        for (index_t h = 0; h < 2; ++h) {
                            const float v = x(a, b, 0, d, 0, f, g, h), w = x(a, b, 0, 1 - d, 0, f, g, h);
                            EXPECT_EQ(turned(h, f, d, b, g, 0, 0, a), v + 1.0f);
                            EXPECT_NEAR(middle(a, b, 0, 0, 0, f, g, h), v * v + w * w, 1e-5f);
                            all += double(v);
                        }
    EXPECT_NEAR(double(total(0, 0, 0, 0, 0, 0, 0, 0)), all, 1e-4);
    tensor<float, extents<2, 2, 3, 1, 2, 1, 3, 2>> out; // into a destination with strided axes
    cpu<> device;
    workspace none;
    context to(device, none);
    to(permute<1, 2, 3, 4, 5, 6, 7, 0>(out)) = x * 2.0f;
    ASSERT_TRUE(to.state.ok()) << to.state.what;
    EXPECT_EQ(out(1, 0, 2, 0, 1, 0, 2, 1), 2 * x(0, 2, 0, 1, 0, 2, 1, 1));
}

TEST(rearrange, generated) {
    const auto grid = value(indices<0>(extents<3, dyn>(4)) * 10 + indices<1>(extents<3, dyn>(4)));
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j < 4; ++j) EXPECT_EQ(grid(i, j), 10 * i + j);
    const auto wide = value(broadcast_to<2, 3, 4>(indices<1>(extents<3, 4>{})) + filled(extents<2, 1, 1>{}, 5));
    EXPECT_EQ(wide(1, 2, 3), 8);
    const auto padded = value(pad<0, 1, 0>(indices<0>(extents<2, 3>{}) + 1, -7));
    EXPECT_EQ(padded(0, 0), -7);
    EXPECT_EQ(padded(2, 0), 2);
    cpu<> device;
    const auto x = normal(extents<dyn, 3>(2), 1);
    EXPECT_FALSE(evaluate(device, broadcast_to(x * 1.0f, extents<dyn, dyn, 3>(2, 5)))); // 2 is not 5
    const auto back = value(reverse<0>(x));
    EXPECT_EQ(back(0, 1), x(1, 1));
    tensor<float, extents<4>> line({1, 2, 3, 4});
    workspace none;
    context to(device, none);
    to(line) = reverse<0>(line.view()); // reads what it overwrites
    EXPECT_EQ(to.state.code, errc::invalid_argument);
    context again(device, none);
    again(reverse<0>(line.view())) = 1.0f * arange(4.0f).view();
    EXPECT_EQ(line(0), 3);
}

} // namespace
