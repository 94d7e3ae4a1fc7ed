// SPDX-License-Identifier: Apache-2.0
// Axes, broadcasts, reshapes and reductions against numbers that were worked out on paper. The oracle of the
// conformance suite runs the launches that an expression was lowered to, and would not notice a wrong axis.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/device.hpp"
#include "apriori/expr.hpp"
#include "apriori/expr/einsum.hpp"
#include "apriori/expr/evaluate.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <numeric>
#include <vector>

namespace {

using namespace apriori;

/// A tensor with these elements.
template <index_t... Dims>
tensor<float, extents<Dims...>> of(std::initializer_list<float> values) {
    tensor<float, extents<Dims...>> t;
    EXPECT_EQ(t.flat().size(), values.size());
    std::copy(values.begin(), values.end(), t.flat().begin());
    return t;
}

template <class Device>
struct expr_values : testing::Test {
    Device device;

    /// The elements of an expression, in the order of its axes.
    template <class X>
    std::vector<float> values(const X& x) {
        using E = extents_of<node_t<X>>;
        const host_buffer memory(plan<Device>(x).workspace);
        tensor<float, E> out(as_node(x).ext());
        const status s = assign(device, memory.span(), out.view(), x);
        EXPECT_TRUE(s.ok()) << s.what;
        return {out.flat().begin(), out.flat().end()};
    }
};
using devices = testing::Types<cpu<>, eigen>;
TYPED_TEST_SUITE(expr_values, devices);

using list = std::vector<float>;

TYPED_TEST(expr_values, broadcasts_along_each_axis) {
    const auto x = of<2, 3>({1, 2, 3, 4, 5, 6});
    const auto row = of<3>({10, 20, 30});
    const auto column = of<2, 1>({100, 200});
    EXPECT_EQ(this->values(x + row), (list{11, 22, 33, 14, 25, 36}));
    EXPECT_EQ(this->values(x + column), (list{101, 102, 103, 204, 205, 206}));
    EXPECT_EQ(this->values(row + column), (list{110, 120, 130, 210, 220, 230}));
    EXPECT_EQ(this->values(x - 1.0f), (list{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(this->values(12.0f / x), (list{12, 6, 4, 3, 2.4f, 2}));
    const auto deep = of<2, 2, 2>({1, 2, 3, 4, 5, 6, 7, 8});
    const auto middle = of<2, 1>({10, 20}); // along the middle axis
    const auto first = of<2, 1, 1>({100, 200});
    EXPECT_EQ(this->values(deep + middle), (list{11, 12, 23, 24, 15, 16, 27, 28}));
    EXPECT_EQ(this->values(deep + first), (list{101, 102, 103, 104, 205, 206, 207, 208}));
}

TYPED_TEST(expr_values, reduces_each_axis) {
    const auto x = of<2, 2, 3>({1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11, -12});
    EXPECT_EQ(this->values(sum(x)), (list{6, 15, 10, 9}));
    EXPECT_EQ(this->values(sum<2>(x)), (list{6, 15, 10, 9}));
    EXPECT_EQ(this->values(sum<1>(x)), (list{5, 7, 9, 3, 19, -3}));
    EXPECT_EQ(this->values(sum<0>(x)), (list{-6, 10, 12, 14, 16, -6}));
    EXPECT_EQ(this->values(mean<1>(x)), (list{2.5f, 3.5f, 4.5f, 1.5f, 9.5f, -1.5f}));
    EXPECT_EQ(this->values(max<0>(x)), (list{1, 8, 9, 10, 11, 6}));
    EXPECT_EQ(this->values(max<2>(x)), (list{3, 6, 9, 11}));
    EXPECT_EQ(this->values(min<1>(x)), (list{1, 2, 3, -7, 8, -12}));
    EXPECT_EQ(this->values(x - mean(x)),
              (list{-1, 0, 1, -1, 0, 1, -7 - 10.0f / 3, 8 - 10.0f / 3, 9 - 10.0f / 3, 7, 8, -15}));
}

TYPED_TEST(expr_values, reduces_more_axes_and_more_kinds) {
    const auto x = of<2, 2, 3>({1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11, -12});
    EXPECT_EQ(this->values(sum<0, 2>(x)), (list{16, 24}));
    EXPECT_EQ(this->values((max<1, 2>)(x)), (list{6, 11}));
    EXPECT_EQ(this->values(mean<0, 1, 2>(x)), (list{40.0f / 12}));
    const auto y = of<2, 4>({1, 3, 5, 7, 2, 2, 2, 2});
    EXPECT_EQ(this->values(var(y)), (list{5, 0}));
    EXPECT_EQ(this->values(var<1>(y, 1)), (list{20.0f / 3, 0}));
    const auto z = of<2, 2>({1, 2, 3, 4});
    EXPECT_EQ(this->values(var<0, 1>(z)), (list{1.25f}));
    EXPECT_EQ(this->values(var<0, -1>(z, 1)), (list{5.0f / 3}));
    EXPECT_EQ(this->values(var<0>(y)), (list{0.25f, 0.25f, 2.25f, 6.25f}));
    EXPECT_EQ(this->values(stddev<0>(y)), (list{0.5f, 0.5f, 1.5f, 2.5f}));
    const auto sides = of<2, 2>({3, 5, 4, 12});
    EXPECT_EQ(this->values(norm<0>(sides)), (list{5, 13}));
    const auto some = of<2, 2>({0, 5, 0, 0});
    EXPECT_EQ(this->values(any(some)), (list{1, 0}));
    EXPECT_EQ(this->values(all<0>(some + 1.0f)), (list{1, 1}));
    EXPECT_EQ(this->values(all(some)), (list{0, 0}));
    const auto pairs = of<2, 2>({5, -3, 5, -3});
    EXPECT_EQ(this->values(softmax<0>(pairs)), (list{0.5f, 0.5f, 0.5f, 0.5f}));
}

TYPED_TEST(expr_values, compares_and_chooses) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto a = of<4>({1, 2, 3, nan}), b = of<4>({2, 2, 2, 2});
    EXPECT_EQ(this->values(a < b), (list{1, 0, 0, 0}));
    EXPECT_EQ(this->values(a <= b), (list{1, 1, 0, 0}));
    EXPECT_EQ(this->values(a > b), (list{0, 0, 1, 0}));
    EXPECT_EQ(this->values(a >= 2.0f), (list{0, 1, 1, 0}));
    EXPECT_EQ(this->values(equal(a, b)), (list{0, 1, 0, 0}));
    EXPECT_EQ(this->values(not_equal(a, b)), (list{1, 0, 1, 1}));
    EXPECT_EQ(this->values(a > 1.0f && a < 3.0f), (list{0, 1, 0, 0}));
    EXPECT_EQ(this->values(isnan(a) || !(a - 1.0f)), (list{1, 0, 0, 1}));
    EXPECT_EQ(this->values(where(isnan(a), 0.0f, a * 2.0f)), (list{2, 4, 6, 0}));
    const auto halves = of<6>({-2.5f, -1.5f, -0.2f, 0.5f, 1.5f, 2.7f});
    EXPECT_EQ(this->values(round(halves)), (list{-2, -2, 0, 0, 2, 3}));
    EXPECT_EQ(this->values(floor(halves)), (list{-3, -2, -1, 0, 1, 2}));
    EXPECT_EQ(this->values(ceil(halves)), (list{-2, -1, 0, 1, 2, 3}));
    EXPECT_EQ(this->values(trunc(halves)), (list{-2, -1, 0, 0, 1, 2}));
    EXPECT_EQ(this->values(sign(halves)), (list{-1, -1, -1, 1, 1, 1}));
    const auto sevens = of<3>({7, -7, 5.5f}), base = of<3>({2, 4, 9}), exponent = of<3>({3, 0.5f, 0});
    EXPECT_EQ(this->values(fmod(sevens, 3.0f)), (list{1, -1, 2.5f}));
    EXPECT_EQ(this->values(pow(base, exponent)), (list{8, 2, 1}));
}

TYPED_TEST(expr_values, updates_and_evaluates) {
    tensor<float, extents<2, 2>> x({1, 2, 3, 4});
    const host_buffer memory(256);
    workspace temporaries(memory.span());
    context to(this->device, temporaries);
    to(x) += 1.0f;
    to(x) *= x;
    to(x[1]) -= of<2>({15, 20}).view();
    to(transpose<0, 1>(x)[0]) /= 2.0f;
    EXPECT_TRUE(to.state) << to.state.what;
    EXPECT_EQ(std::vector<float>(x.begin(), x.end()), (list{2, 9, 0.5f, 5}));

    const auto total = evaluate(this->device, reshape(sum<0, 1>(matmul(x, x)), extents<>{}));
    ASSERT_TRUE(total) << total.error().message;
    EXPECT_EQ(total->view()(), 8.5f + 63 + 3.5f + 29.5f);
    const tensor<float, extents<dyn, 2>> none_there(extents<dyn, 2>(-1));
    EXPECT_EQ(evaluate(this->device, none_there * 2.0f).error().code, errc::shape_mismatch);
    constexpr tensor<float, extents<2>, on_stack> pair({3, 4});
    EXPECT_EQ((*evaluate(this->device, norm(pair)))(0), 5);
}

TYPED_TEST(expr_values, moves_axes) {
    const auto x = of<2, 3>({1, 2, 3, 4, 5, 6});
    EXPECT_EQ(this->values(transpose<0, 1>(x) * 1.0f), (list{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(this->values(transpose<0, 1>(x + 1.0f) * 1.0f), (list{2, 5, 3, 6, 4, 7}));
    const auto deep = of<2, 3, 2>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    EXPECT_EQ(this->values(transpose<0, 1>(deep) * 1.0f), (list{1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12}));
    EXPECT_EQ(this->values(transpose<1, 2>(deep) * 1.0f), (list{1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12}));
    EXPECT_EQ(this->values(transpose<0, 2>(deep) * 1.0f), (list{1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12}));
    EXPECT_EQ(this->values(reshape<3, 2>(x) * 1.0f), (list{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(this->values(sum<0>(reshape<3, 2>(x))), (list{9, 12}));
    EXPECT_EQ(this->values(sum<1>(transpose<0, 1>(x))), (list{5, 7, 9}));
    EXPECT_EQ(this->values(sum<0>(transpose<0, 1>(x))), (list{6, 15}));
}

TYPED_TEST(expr_values, reorders_adds_and_drops_axes) {
    const auto x = of<2, 3, 2>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    EXPECT_EQ(this->values(permute<2, 0, 1>(x)), (list{1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12}));
    EXPECT_EQ(this->values(permute<1, 0, 2>(x * 1.0f)), (list{1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12}));
    EXPECT_EQ(this->values(permute<0, 1, 2>(x)), (list{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    EXPECT_EQ(this->values(squeeze<1>(slice<1, 1>(x, 2))), (list{5, 6, 11, 12}));
    EXPECT_EQ(this->values(squeeze<2>(slice<2, 1>(x, 1))), (list{2, 4, 6, 8, 10, 12}));
    const auto row = of<3>({10, 20, 30});
    EXPECT_EQ(this->values(squeeze<2>(sum(x)) + row), (list{13, 27, 41, 25, 39, 53}));
    EXPECT_EQ(this->values(expand_dims<1>(row) * row), (list{100, 200, 300, 200, 400, 600, 300, 600, 900}));
    EXPECT_EQ(this->values(expand_dims<2>(slice<2, 1>(x, 0)) + 0.0f), (list{1, 3, 5, 7, 9, 11}));
    EXPECT_EQ(this->values(stack<0>(row, row + 1.0f)), (list{10, 20, 30, 11, 21, 31}));
    EXPECT_EQ(this->values(stack<1>(row, row + 1.0f)), (list{10, 11, 20, 21, 30, 31}));
    std::vector<float> memory_of_both{1, 2, 3, 4, 5, 6, 7, 8}; // each part reads an element that another one writes
    const view<float, extents<3, 2>> pairs(memory_of_both.data() + 2, {});
    const view<const float, extents<3>, layout::strided> shifted(memory_of_both.data() + 1, {}, {2});
    EXPECT_TRUE(assign(this->device, {}, pairs, stack<1>(shifted * 1.0f, row * 1.0f)).ok());
    EXPECT_EQ(memory_of_both, (std::vector<float>{1, 2, 2, 10, 4, 20, 6, 30}));
    const tensor<float, extents<dyn, 2>> two(extents<dyn, 2>(2)); // an axis whose extent is not 1
    tensor<float, extents<2>> out;
    EXPECT_EQ(assign(this->device, {}, out, squeeze<0>(two)).code, errc::shape_mismatch);
    const host_buffer memory(256);
    EXPECT_STREQ(assign(this->device, memory.span(), out, squeeze<0>(exp(two))).what,
                 "squeeze: the extent is not 1 on axis 0");
}

TYPED_TEST(expr_values, multiplies_axes_by_name) { // as numpy.einsum does
    std::vector<float> counted(24);
    std::iota(counted.begin(), counted.end(), 0.0f);
    const auto numbers = [&]<index_t... S>(extents<S...> e) {
        return view<const float, extents<S...>>(counted.data(), e);
    };
    const auto a = numbers(extents<2, 3>{});
    const auto b = numbers(extents<3, 4>{});
    const auto c = numbers(extents<2, 3, 4>{});
    const auto d = numbers(extents<2, 4, 3>{});
    EXPECT_EQ(this->values(einsum<"ij,jk->ik">(a, b)), (list{20, 23, 26, 29, 56, 68, 80, 92}));
    EXPECT_EQ(this->values(einsum<"ij,jk->ki">(a, b)), (list{20, 56, 23, 68, 26, 80, 29, 92}));
    EXPECT_EQ(this->values(einsum<"bij, bjk -> bik">(c, d)),
              (list{42, 48, 54, 114, 136, 158, 186, 224, 262, 906, 960, 1014, 1170, 1240, 1310, 1434, 1520, 1606}));
    EXPECT_EQ(this->values(einsum<"bij,kj->bik">(c, b)),
              (list{14, 38, 62, 38, 126, 214, 62, 214, 366, 86, 302, 518, 110, 390, 670, 134, 478, 822}));
    EXPECT_EQ(this->values(einsum<"ij,ij->ij">(a, a)), (list{0, 1, 4, 9, 16, 25}));
    EXPECT_EQ(this->values(einsum<"ij,ij->i">(a, a)), (list{5, 50}));
    EXPECT_EQ(this->values(einsum<"ij,ij->">(a, a)), (list{55}));
    EXPECT_EQ(this->values(einsum<"i,j->ji">(numbers(extents<2>{}), numbers(extents<3>{}))), (list{0, 0, 0, 1, 0, 2}));
    EXPECT_EQ(this->values(einsum<"bij,ij->b">(c, b)), (list{506, 1298}));
    EXPECT_EQ(this->values(einsum<"bij,jk->ik">(c, transpose<0, 1>(b))),
              (list{100, 340, 580, 148, 516, 884, 196, 692, 1188}));
    // one launch, with the addition and relu
    EXPECT_EQ(plan<TypeParam>(relu(einsum<"ij,jk->ik">(a, b) + numbers(extents<4>{}))).size(), 1);
    const tensor<float, extents<dyn, dyn>> left(extents<dyn, dyn>(2, 3)), right(extents<dyn, dyn>(4, 5));
    EXPECT_EQ(evaluate(this->device, einsum<"ij,jk->ik">(left, right)).error().code, errc::shape_mismatch);
    // the summed axes have the same number of elements in total, but different extents
    const tensor<float, extents<dyn, dyn>> two_by_three(extents<dyn, dyn>(2, 3)), three_by_two(extents<dyn, dyn>(3, 2));
    const auto misfit = evaluate(this->device, einsum<"ij,ij->">(two_by_three, three_by_two));
    ASSERT_FALSE(misfit);
    EXPECT_NE(misfit.error().message.find("einsum: run-time extents do not fit together on axis 0"), std::string::npos)
        << misfit.error().message;
    EXPECT_TRUE(evaluate(this->device, einsum<"ij,ji->">(two_by_three, three_by_two)));
}

TYPED_TEST(expr_values, slices_joins_and_gathers) {
    const auto x = of<3, 4>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    EXPECT_EQ(this->values(slice<0>(x, 1, 2) * 1.0f), (list{5, 6, 7, 8, 9, 10, 11, 12}));
    EXPECT_EQ(this->values(slice<1>(x, 1, 2) * 1.0f), (list{2, 3, 6, 7, 10, 11}));
    EXPECT_EQ(this->values(slice<1, 1>(x, 3) * 1.0f), (list{4, 8, 12}));
    EXPECT_EQ(this->values(slice<0, 1>(x * 2.0f, 2) * 1.0f), (list{18, 20, 22, 24}));
    const auto y = of<1, 4>({-1, -2, -3, -4});
    EXPECT_EQ(this->values(concat<0>(y, x)), (list{-1, -2, -3, -4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    const auto z = of<3, 1>({-1, -2, -3});
    EXPECT_EQ(this->values(concat<1>(x, z)), (list{1, 2, 3, 4, -1, 5, 6, 7, 8, -2, 9, 10, 11, 12, -3}));
    const std::int32_t rows[] = {2, 0, 2};
    EXPECT_EQ(this->values(gather(x, view<const std::int32_t, extents<3>>(rows, {})) * 1.0f),
              (list{9, 10, 11, 12, 1, 2, 3, 4, 9, 10, 11, 12}));
    EXPECT_EQ(this->values(sum<1>(split<2>(x))), (list{4, 6, 12, 14, 20, 22})); // [3, 4] as [3, 2, 2]
}

TYPED_TEST(expr_values, multiplies) {
    const auto a = of<2, 3>({1, 2, 3, 4, 5, 6});
    const auto b = of<3, 2>({7, 8, 9, 10, 11, 12});
    EXPECT_EQ(this->values(matmul(a, b)), (list{58, 64, 139, 154}));
    EXPECT_EQ(this->values(matmul(transpose<0, 1>(b), transpose<0, 1>(a))), (list{58, 139, 64, 154}));
    const auto w = of<2, 3>({7, 9, 11, 8, 10, 12}); // [out, in]
    const auto bias = of<2>({100, 200});
    EXPECT_EQ(this->values(linear(a, w, bias)), (list{158, 264, 239, 354}));
    const auto batch = of<2, 1, 2>({1, 2, 3, 4});
    const auto columns = of<2, 2, 1>({5, 6, 7, 8});
    EXPECT_EQ(this->values(matmul(batch, columns)), (list{17, 53}));
}

// Rows of a map need not begin or end at a vector's border: each element is written once, also in place, and no element
// beside the row is.
TYPED_TEST(expr_values, maps_at_any_place) {
    constexpr index_t room = 320, guard = 20;
    for (const index_t n : {1, 15, 16, 17, 31, 127, 128, 129, 145, 271})
        for (index_t first = 0; first < guard; ++first)
            for (const bool in_place : {false, true}) {
                std::vector<float> x(to_size(room)), y(to_size(room), -1.0f);
                std::iota(x.begin(), x.end(), 0.0f);
                if (in_place) y = x;
                const auto shape = extents<dyn>(n);
                const view<const float, extents<dyn>> from((in_place ? y : x).data() + first, shape);
                ASSERT_TRUE(
                    assign(this->device, {}, view<float, extents<dyn>>(y.data() + first, shape), from * 2.0f + 1.0f));
                for (index_t i = 0; i < room; ++i) {
                    const float outside = in_place ? float(i) : -1.0f;
                    ASSERT_EQ(at(y, i), i < first || i >= first + n ? outside : 2.0f * float(i) + 1.0f)
                        << n << " from " << first << ", element " << i;
                }
            }
}

// Softmax of equal numbers, norms of (-1, 1) and of (3, 4), attention to equal keys: exact on paper.
TYPED_TEST(expr_values, normalises_rows) {
    const auto pairs = of<2, 2>({5, 5, -3, -3}), neighbours = of<2, 2>({-1, 1, 2, 4});
    const auto sides = of<1, 2>({3, 4});
    EXPECT_EQ(this->values(softmax(pairs)), (list{0.5f, 0.5f, 0.5f, 0.5f}));
    const auto n = this->values(layer_norm(neighbours));
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(n[i], i % 2 == 0 ? -1.0f : 1.0f, 1e-5f) << i; // eps is 1e-5
    const auto r = this->values(rms_norm(sides)); // the root of (9 + 16) / 2
    EXPECT_NEAR(r[0], 3 / 3.5355339f, 1e-6f);
    EXPECT_NEAR(r[1], 4 / 3.5355339f, 1e-6f);
}

TYPED_TEST(expr_values, attends_in_heads) {
    // two heads of one column, and equal keys: each head gives the mean of its values
    const auto q = of<2, 2>({1, 1, 1, 1}), k = of<2, 2>({0, 0, 0, 0}), v = of<2, 2>({1, 10, 3, 30});
    EXPECT_EQ(this->values(attention<2>(q, k, v, attention_rows{1, 2}, 1.0f)), (list{2, 20, 2, 20}));
    // two sequences of one token, each of which attends only to itself
    EXPECT_EQ(this->values(attention<2>(q, k, v, attention_rows{2, 1}, 1.0f)), (list{1, 10, 3, 30}));
}

} // namespace
