// SPDX-License-Identifier: Apache-2.0
// The expression core: shapes of tensors and nodes, views, functions, and errors that are reported before anything is
// written.
#include "apriori/device/recording.hpp"
#include "apriori/expr.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace {

using namespace apriori;

template <class E>
using floats = view<const float, E>;
template <index_t N, index_t K>
using matrix_weight = weight<oracle::matrix, N, K>;

template <class Node, class E>
constexpr bool has_shape = std::is_same_v<extents_of<Node>, E>;
#define EXPECT_SHAPE(node, ...) static_assert(has_shape<decltype(node), __VA_ARGS__>)

// ---- extents ----

static_assert(extents<2, 3, 4>{}.size() == 24 && extents<2, 3, 4>{}.rows() == 6 && extents<2, 3, 4>{}.cols() == 4);
static_assert(extents<>{}.size() == 1 && extents<>{}.rows() == 1 && extents<>{}.cols() == 1);
static_assert(extents<dyn, 3>(5)[0] == 5 && extents<dyn, 3>(5)[1] == 3 && extents<dyn, 3>{}[0] == 1);
static_assert(extents<dyn, 3, dyn>(5, 7).size() == 105 && !extents<dyn, 3>::is_static && extents<0, 3>{}.size() == 0);
static_assert(same_sizes(extents<dyn, 3>(2), extents<2, dyn>(3)) && !same_sizes(extents<dyn>(2), extents<3>{}));

// ---- shapes of nodes ----

template <class A, class B>
using broadcast_of = broadcast_t<"test", A, B>;
static_assert(std::is_same_v<broadcast_of<extents<4, 8>, extents<8>>, extents<4, 8>>);
static_assert(std::is_same_v<broadcast_of<extents<4, 1>, extents<1, 8>>, extents<4, 8>>);
static_assert(std::is_same_v<broadcast_of<extents<dyn, 8>, extents<4, 8>>, extents<4, 8>>);
static_assert(std::is_same_v<broadcast_of<extents<dyn, 1>, extents<8>>, extents<dyn, 8>>);
static_assert(std::is_same_v<broadcast_of<extents<1>, extents<dyn>>, extents<dyn>>);
static_assert(std::is_same_v<broadcast_of<extents<2, 1, 4, 1>, extents<3, 1, 5>>, extents<2, 3, 4, 5>>);
static_assert(std::is_same_v<broadcast_of<extents<>, extents<3>>, extents<3>>);

[[maybe_unused]] void shapes_of_nodes() { // only compiled
    floats<extents<dyn, 24>> x;
    floats<extents<24>> row;
    floats<extents<2, 6, 24>> batch;
    floats<extents<10, 24>> table;
    view<const std::int32_t, extents<dyn>> rows;
    const attention_rows sequences{2, 3};

    EXPECT_SHAPE(x + row, extents<dyn, 24>);
    EXPECT_SHAPE(2.0f * batch - x, extents<2, 6, 24>);
    EXPECT_SHAPE(gelu(-x), extents<dyn, 24>);
    EXPECT_SHAPE(linear(x, matrix_weight<7, 24>{}), extents<dyn, 7>);
    EXPECT_SHAPE(linear(batch, matrix_weight<7, 24>{}), extents<2, 6, 7>);
    EXPECT_SHAPE(linear(row, matrix_weight<7, 24>{}), extents<7>);
    EXPECT_SHAPE(linear(x, table), extents<dyn, 10>);
    EXPECT_SHAPE(matmul(batch, transpose<1, 2>(batch)), extents<2, 6, 6>);
    EXPECT_SHAPE(layer_norm(x, row, row), extents<dyn, 24>);
    EXPECT_SHAPE(softmax(batch), extents<2, 6, 24>);
    EXPECT_SHAPE(sum(batch), extents<2, 6, 1>);
    EXPECT_SHAPE(mean<1>(batch), extents<2, 1, 24>);
    EXPECT_SHAPE(max<0>(batch), extents<1, 6, 24>);
    EXPECT_SHAPE(concat<0>(x, table), extents<dyn, 24>);
    EXPECT_SHAPE(concat<0>(table, table, exp(table)), extents<30, 24>);
    EXPECT_SHAPE(concat<1>(table, floats<extents<10, 3>>{}), extents<10, 27>);
    EXPECT_SHAPE(gather(table, rows), extents<dyn, 24>);
    EXPECT_SHAPE(attention<3>(x, x, x, sequences, 1.0f), extents<dyn, 24>);
    EXPECT_SHAPE(self_attention<2>(x, sequences, 1.0f), extents<dyn, 8>);
    EXPECT_SHAPE((slice<1, 5>(exp(batch), 1)), extents<2, 5, 24>);
    EXPECT_SHAPE(slice<1>(exp(batch), 1, 2), extents<2, dyn, 24>);
    EXPECT_SHAPE((transpose<0, 2>(exp(batch))), extents<24, 6, 2>);
    EXPECT_SHAPE((reshape<12, 24>(exp(batch))), extents<12, 24>);
    EXPECT_SHAPE(split<4>(exp(x)), extents<dyn, 4, 6>);
}

// ---- views ----

template <class V>
std::vector<float> elements(const V& v) {
    static_assert(V::rank == 3);
    std::vector<float> all;
    for (index_t i = 0; i < v.ext()[0]; ++i)
        for (index_t j = 0; j < v.ext()[1]; ++j)
            for (index_t k = 0; k < v.ext()[2]; ++k)
                all.push_back(v.data[i * v.stride(0) + j * v.stride(1) + k * v.stride(2)]);
    return all;
}
struct views : testing::Test {
    tensor<float, extents<2, 3, 4>> t;
    void SetUp() override { std::iota(t.flat().begin(), t.flat().end(), 0.0f); }
};
TEST_F(views, slices) {
    const auto v = slice<1, 2>(t, 1);
    static_assert(decltype(v)::memory_layout == layout::rows);
    EXPECT_EQ(elements(v), (std::vector<float>{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}));
    const auto w = slice<2>(v, 3, 1);
    EXPECT_EQ(elements(w), (std::vector<float>{7, 11, 19, 23}));
    const auto first = slice<0, 1>(t, 1);
    static_assert(decltype(first)::memory_layout == layout::dense);
    EXPECT_EQ(first.flat().front(), 12.0f);
}
TEST_F(views, transposes) {
    const auto v = transpose<0, 2>(slice<0, 1>(t, 1));
    static_assert(decltype(v)::memory_layout == layout::strided);
    EXPECT_EQ(elements(v), (std::vector<float>{12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23}));
    const auto w = transpose<0, 1>(t);
    static_assert(decltype(w)::memory_layout == layout::rows);
    EXPECT_EQ(elements(slice<1, 1>(w, 1)), (std::vector<float>{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}));
}
TEST_F(views, reshapes_and_splits) {
    const auto v = reshape<4, 3, 2>(t);
    EXPECT_EQ(v.data, t.data());
    EXPECT_EQ(v.stride(0), 6);
    const auto s = split<2>(reshape<6, 4>(t));
    EXPECT_EQ(elements(transpose<0, 1>(slice<0, 2>(s, 4))), (std::vector<float>{16, 17, 20, 21, 18, 19, 22, 23}));
}
TEST_F(views, own_tensors_are_aligned_and_zero) {
    tensor<float, extents<dyn, 3>> u(extents<dyn, 3>(5));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(u.data()) % buffer_alignment, 0u);
    EXPECT_EQ(u.size(), 15);
    for (float x : u.flat()) EXPECT_EQ(x, 0.0f);
}

// ---- the start of each row ----

TEST(row_map, finds_every_row_of_three_axes) {
    for (index_t a : {1, 2, 3})
        for (index_t b : {1, 2, 4})
            for (index_t c : {1, 3})
                for (const std::array<index_t, 3> strides : {std::array<index_t, 3>{b * c * 8, c * 8, 8},
                                                             {100, 0, 8},
                                                             {0, 40, 9},
                                                             {500, 40, 0},
                                                             {0, 0, 0},
                                                             {7, 30, 200}}) {
                    const index_t sizes[3] = {a, b, c};
                    const row_map map = row_map::of(sizes, strides.data(), 3);
                    for (index_t r = 0; r < a * b * c; ++r)
                        ASSERT_EQ(map(r), r / (b * c) * strides[0] + r / c % b * strides[1] + r % c * strides[2])
                            << a << ' ' << b << ' ' << c << " row " << r;
                }
}
TEST(row_map, merges_axes_that_lie_one_behind_the_other) {
    const index_t sizes[3] = {2, 3, 4}, dense[3] = {96, 32, 8}, gap[3] = {200, 32, 8};
    EXPECT_TRUE(row_map::of(sizes, dense, 3).uniform());
    EXPECT_FALSE(row_map::of(sizes, gap, 3).uniform());
    EXPECT_EQ(row_map::of(sizes, gap, 3).middle_count, 0);
}

// ---- functions against their definitions ----

template <class F, class Exact>
void expect_function(F f, Exact exact) {
    for (int i = -2400; i <= 2400; ++i) {
        const float x = static_cast<float>(i) / 200.0f;
        const double y = exact(static_cast<double>(x));
        ASSERT_NEAR(static_cast<double>(f(x)), y, 4e-7 * std::max(1.0, std::fabs(y))) << F::name << " of " << x;
    }
}
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
TEST(functions, follow_their_definitions) {
    expect_function(fn::gelu{}, [](double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); });
    expect_function(fn::quick_gelu{}, [](double x) { return x * sigmoid_of(1.702 * x); });
    expect_function(fn::silu{}, [](double x) { return x * sigmoid_of(x); });
    expect_function(fn::mish{}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); });
    expect_function(fn::sigmoid{}, sigmoid_of);
    expect_function(fn::relu{}, [](double x) { return std::max(x, 0.0); });
    expect_function(fn::clamp_to<float>{-0.5f, 2.0f}, [](double x) { return std::clamp(x, -0.5, 2.0); });
    expect_function(fn::affine{0.5f, 3.0f}, [](double x) { return 0.5 * x + 3; });
    expect_function(fn::square{}, [](double x) { return x * x; });
}

// ---- workspace ----

TEST(workspace, hands_out_aligned_parts_and_takes_them_back) {
    const host_buffer memory(256);
    workspace w(memory.span());
    float* const a = w.take<float>(1);
    {
        workspace::scope s(w);
        EXPECT_EQ(w.take<float>(17), a + 16);
        EXPECT_EQ(w.mark(), 192u);
    }
    EXPECT_EQ(w.take<float>(2), a + 16);
    EXPECT_FALSE(w.overflowed());
    EXPECT_EQ(w.take<float>(33), nullptr);
    EXPECT_TRUE(w.overflowed());
    EXPECT_EQ(w.high_water(), 320u);
}
TEST(workspace, of_no_bytes_is_full_and_does_not_count) {
    workspace w{std::span<std::byte>{}};
    EXPECT_FALSE(w.counting());
    EXPECT_EQ(w.take<float>(1), nullptr);
    EXPECT_TRUE(w.overflowed());
    static_assert([] {
        workspace counting;
        counting.take<float>(100);
        return counting.counting() && !counting.overflowed() && counting.high_water() == 448;
    }());
}

// ---- errors ----

/// Assigning x on a device fails with that status, without writing or launching anything.
class refused : public testing::Test {
protected:
    using device_type = oracle::device<>;
    oracle::device<> inner;
    recording<device_type> device{inner};
    host_buffer memory{1 << 16};
    std::vector<float> zeros = std::vector<float>(4096);

    template <class E>
    floats<E> operand(E shape) const {
        return {zeros.data(), shape};
    }
    template <class E, class X>
    status run(E shape, const X& x, std::span<std::byte> span) {
        std::vector<float> out(static_cast<std::size_t>(shape.size()), 9.0f);
        device.launches.clear();
        const status s = assign(device, span, view<float, E>(out.data(), shape), x);
        for (float y : out) EXPECT_EQ(y, 9.0f) << "written in spite of: " << s.what;
        EXPECT_EQ(device.launches.size(), 0u) << s.what;
        return s;
    }
    template <class E, class X>
    void expect(E shape, const X& x, const char* what) {
        const status s = run(shape, x, memory.span());
        EXPECT_EQ(s.code, errc::shape_mismatch) << what;
        EXPECT_STREQ(s.what, what);
    }
    /// The extents of an operation do not fit on that axis.
    template <class E, class X>
    void expect_misfit(E shape, const X& x, const std::string& operation, int axis) {
        expect(shape, x,
               (operation + ": run-time extents do not fit together on axis " + std::to_string(axis)).c_str());
    }
};

using batch_of_8 = extents<dyn, 8>;
struct oracle_on_the_host : oracle::device<> {
    static constexpr bool is_host = true;
};

TEST_F(refused, operands_of_other_sizes) {
    const auto x = operand(batch_of_8(3)), y = operand(batch_of_8(4));
    expect_misfit(batch_of_8(3), x + y, "add", 0);
    expect_misfit(batch_of_8(4), x + y, "add", 0);
    expect_misfit(batch_of_8(2), x * 2.0f, "multiply", 0);
    expect_misfit(batch_of_8(1), x, "assign", 0);
    expect_misfit(extents<dyn, 5, 8>(2), operand(extents<dyn, 8>(4)) + operand(extents<2, 1, 8>{}), "add", 1);
}
TEST_F(refused, operands_below_a_kernel) {
    const auto x = operand(batch_of_8(3)), y = operand(batch_of_8(4));
    const matrix_weight<8, 8> w;
    expect_misfit(batch_of_8(3), linear(x + y, w), "add", 0);
    expect_misfit(batch_of_8(3), x + linear(gelu(linear(layer_norm(x) * y, w)), w), "multiply", 0);
    expect_misfit(batch_of_8(3), softmax(x - y), "subtract", 0);
    expect_misfit(extents<dyn, 1>(3), sum(x - y), "subtract", 0);
    expect_misfit(batch_of_8(3), exp(x) + softmax(y), "add", 0);
    expect_misfit(batch_of_8(3), x + linear(y, w), "add", 0);
    expect_misfit(batch_of_8(7), concat<0>(x, exp(x + y)), "add", 0);
    expect_misfit(extents<8, dyn>(3), transpose<0, 1>(x + y), "add", 0);
    expect_misfit(batch_of_8(3), matmul(x + y, operand(extents<8, 8>{})), "add", 0);
}
TEST_F(refused, a_last_axis_that_is_one_at_run_time) {
    const auto x = operand(extents<dyn, dyn>(3, 5)), column = operand(extents<dyn, dyn>(3, 1));
    expect_misfit(extents<dyn, dyn>(3, 5), x + column, "add", 1);
    expect_misfit(extents<dyn, dyn>(3, 5), column, "assign", 1);
}
TEST_F(refused, products_of_other_sizes) {
    const auto a = operand(extents<dyn, dyn>(3, 4)), b = operand(extents<dyn, dyn>(5, 6));
    expect(extents<dyn, dyn>(3, 6), matmul(a, b),
           "matmul: the second operand's rows are not as many as the first's axis 1");
    const auto c = operand(extents<dyn, 2, 4>(3));
    const auto d = operand(extents<dyn, 4, 2>(2));
    expect(extents<dyn, 2, 2>(3), matmul(c, d), "matmul: run-time extents do not fit together on axis 0");
}
TEST_F(refused, parts_of_other_sizes) {
    const auto a = operand(extents<dyn, dyn>(3, 4)), b = operand(extents<dyn, dyn>(2, 5));
    expect(extents<dyn, dyn>(5, 4), concat<0>(a, b), "concat: run-time extents do not fit together on axis 1");
}
TEST_F(refused, gathered_rows_that_would_broadcast) {
    const std::int32_t zero = 0;
    const auto picked =
        gather(operand(extents<5, 8>{}), view<const std::int32_t, extents<dyn>>(&zero, extents<dyn>(1)));
    expect(batch_of_8(3), operand(batch_of_8(3)) + picked, "gather: gathered rows do not broadcast");
    expect(batch_of_8(3), picked * 2.0f, "gather: gathered rows do not broadcast");
}
TEST_F(refused, attention_over_other_rows) {
    const attention_rows sequences{2, 3};
    const char* const what = "attention: rows are not sequences times tokens";
    const auto x = operand(batch_of_8(5)), y = operand(batch_of_8(6));
    expect(batch_of_8(5), attention<2>(x, x, x, sequences, 1.0f), what);
    expect(batch_of_8(6), attention<2>(y, y, x, sequences, 1.0f), what);
    expect(extents<dyn, 8>(5), self_attention<2>(operand(extents<dyn, 24>(5)), sequences, 1.0f), what);
    expect(extents<dyn, dyn, dyn, dyn>(4, 2, 3, 3),
           operand(extents<dyn, dyn, dyn, dyn>(4, 2, 3, 3)) + attention_bias(sequences, 2),
           "attention_bias: its extents are not those of the scores");
}
TEST_F(refused, views_of_expressions_that_reach_too_far) {
    const auto x = operand(extents<dyn, 8>(3));
    expect(extents<2, 8>{}, slice<0, 2>(exp(x), 2), "slice: reaches past the end of axis 0");
    expect(extents<2, 8>{}, slice<0, 2>(exp(x), -1), "slice: reaches past the end of axis 0");
    expect(extents<dyn, 4>(7), reshape(exp(x), extents<dyn, 4>(7)), "reshape: another number of elements");
}
TEST_F(refused, views_that_reach_too_far) {
    constexpr const char* what =
        "expression: a view has a negative extent: a slice reached past the end of its axis, or a shape "
        "was made with one";
    const auto x = operand(batch_of_8(3)); // two rows of it, from `first` on
    for (const index_t first : {index_t{-1}, index_t{2}, index_t{3}, std::numeric_limits<index_t>::max(),
                                std::numeric_limits<index_t>::min()}) {
        expect(extents<2, 8>{}, slice<0, 2>(x, first), what);
        expect(extents<2, 8>{}, operand(extents<2, 8>{}) + slice<0, 2>(x, first), what);
        expect(extents<2, 8>{}, exp(softmax(slice<0, 2>(x, first))), what);
    }
    expect(batch_of_8(1), slice<0>(x, 2, 2), what);
    expect(batch_of_8(3), slice<0>(x, 0, -3), what);
    expect(extents<3, 2>{}, slice<1, 2>(x, 7), what);
    expect(extents<dyn, 4>(5), reshape(x, extents<dyn, 4>(5)), what);
    for (const index_t first : {0, 1}) {
        float out[16];
        EXPECT_TRUE(assign(device, {}, view<float, extents<2, 8>>(out, {}), slice<0, 2>(x, first)).ok());
    }
    EXPECT_TRUE(slice<0>(x, 3, 0).flat().empty());
    EXPECT_TRUE(slice<0>(x, 2, 2).flat().empty());

    view<float, batch_of_8> behind = slice<0>(view<float, batch_of_8>(zeros.data(), batch_of_8(3)), 2, 2);
    EXPECT_STREQ(assign(device, {}, behind, 1.0f).what, what); // would write past the end
    EXPECT_EQ(zeros[16], 0.0f);
}
TEST_F(refused, shapes_and_buffers_that_cannot_be) {
    constexpr index_t most = std::numeric_limits<index_t>::max();
    EXPECT_TRUE(host_buffer(std::size_t(-60)).empty());
    EXPECT_TRUE(host_buffer(std::size_t{1} << 63).empty());
    using rows_of_3 = extents<dyn, 3>;
    tensor<float, rows_of_3> negative{rows_of_3(-5)}, large{rows_of_3(most / 3)}, wraps{rows_of_3(most)},
        none{rows_of_3(0)};
    for (auto* t : {&negative, &large, &wraps, &none}) EXPECT_TRUE(t->flat().empty());
    EXPECT_EQ(assign(device, {}, negative.view(), 1.0f).code, errc::shape_mismatch);
    EXPECT_STREQ(assign(device, {}, large.view(), 1.0f).what, "assign: the destination has no memory");
    EXPECT_FALSE(assign(device, {}, wraps.view(), 1.0f).ok());
    EXPECT_TRUE(assign(device, {}, none.view(), 1.0f).ok());
    float* nothing = nullptr;
    EXPECT_STREQ(assign(device, {}, view<float, extents<2>>(nothing, {}), 1.0f).what,
                 "assign: the destination has no memory");
}
TEST_F(refused, rows_that_a_table_does_not_have) {
    oracle_on_the_host host;
    const auto table = operand(extents<5, 8>{});
    std::vector<float> out(16);
    for (const std::int32_t row : {-1, 0, 4, 5, std::numeric_limits<std::int32_t>::min()}) {
        const std::int32_t rows[] = {4, row};
        const view<const std::int32_t, extents<2>> indices(rows, {});
        const bool there = row == 0 || row == 4;
        for (const status& s :
             {assign(host, {}, view<float, extents<2, 8>>(out.data(), {}), gather(table, indices)),
              assign(host, {}, view<float, extents<2, 8>>(out.data(), {}),
                     operand(extents<2, 8>{}) * gather(table, indices)),
              assign(host, memory.span(), view<float, extents<2, 8>>(out.data(), {}),
                     exp(softmax(softmax(gather(table, indices) * 2.0f) + 1.0f)) + 1.0f),
              assign(host, memory.span(), view<float, extents<2, 8>>(out.data(), {}),
                     linear(gather(table, indices),
                            matrix_weight<8, 8>{oracle::matrix(reinterpret_cast<std::byte*>(zeros.data()), 8, 8)}))}) {
            EXPECT_EQ(s.ok(), there) << row;
            if (!there) {
                EXPECT_STREQ(s.what, "gather: an index is not a row of the table (axis 0)");
                EXPECT_EQ(s.got, row);
                EXPECT_EQ(s.limit, 5);
            }
        }
    }
}
TEST_F(refused, destinations_that_overlap_what_is_read_in_another_order) {
    constexpr const char* what = "assign: the destination overlaps an operand that is read in another order; write the "
                                 "expression to a temporary first";
    std::vector<float> block(200, 1.0f);
    const auto at = [&](index_t first) { return view<float, extents<4, 4>>(block.data() + first, {}); };
    const auto x = at(0);
    const auto y = operand(extents<4, 4>{});
    const auto wide = view<float, extents<4, 8>>(block.data(), {});
    const auto left = slice<1, 4>(wide, 0), right = slice<1, 4>(wide, 4), middle = slice<1, 4>(wide, 2);
    const auto says = [&](const auto& out, const auto& e, bool wrong) {
        device.launches.clear();
        const status s = assign(device, memory.span(), out, e);
        EXPECT_EQ(s.ok(), !wrong) << s.what;
        EXPECT_STREQ(s.what, wrong ? what : "");
        EXPECT_EQ(device.launches.empty(), wrong);
    };
    says(x, transpose<0, 1>(x), true);
    says(x, y + transpose<0, 1>(x), true);
    says(x, x + slice<0, 1>(x, 0), true); // a row that is overwritten before it has been added to all rows
    says(x, matmul(x, y), true);
    says(x, matmul(y, transpose<0, 1>(x)), true);
    says(x, x + matmul(y, x), true);
    says(x, linear(x, matrix_weight<4, 4>{oracle::matrix(reinterpret_cast<std::byte*>(zeros.data()), 4, 4)}), true);
    says(x, attention<2>(x, y, y, attention_rows{1, 4}, 1.0f), true);
    says(x, layer_norm(transpose<0, 1>(x)), true);
    for (const index_t first : {1, 4, 15}) says(at(first), exp(x), true), says(x, exp(at(first)), true);
    says(middle, exp(left), true);
    says(left, exp(middle), true);

    says(at(16), exp(x), false); // next to each other
    says(x, exp(at(16)), false);
    says(left, exp(right), false);
    says(right, matmul(left, y), false);
    says(x, x * x + 1.0f, false); // in the same place
    says(left, left + y, false);
    says(x, x + matmul(y, y), false);
    says(x, softmax(x * 2.0f), false);
    says(x, matmul(matmul(x, y), y), false);                        // a temporary holds the first product
    const auto both = view<float, extents<8, 4>>(block.data(), {}); // rows of x, then of at(16)
    says(both, concat<0>(y, x), true);                              // the first part overwrites the second
    says(both, concat<0>(y, matmul(y, softmax(x))), true);
    says(both, concat<0>(x, y), false);
    says(both, concat<0>(x, at(16) * 2.0f), false);
    says(x, transpose<0, 1>(exp(x)), true); // reads x in the order of the transpose
    says(x, transpose<0, 1>(softmax(x)), false);
}
TEST_F(refused, kernels_whose_one_row_is_broadcast) {
    const auto x = operand(batch_of_8(1)), y = operand(batch_of_8(3));
    const matrix_weight<8, 8> w;
    expect(batch_of_8(3), linear(x, w) + y,
           "assign: a run-time extent of 1 is broadcast past a kernel; write it to a temporary first");
    expect(batch_of_8(3), linear(layer_norm(x) + y, w),
           "linear: a norm of one row is broadcast; write it to a temporary first");
}
TEST_F(refused, workspaces_that_are_too_small) {
    const auto x = operand(batch_of_8(5));
    const matrix_weight<40, 8> w1;
    const matrix_weight<8, 40> w2;
    const auto y = x + linear(gelu(linear(x, w1)), w2);
    constexpr std::size_t need = 5 * 40 * 4 + 32; // a multiple of 64
    EXPECT_EQ(plan<device_type>(y).workspace, need);
    for (std::size_t have : {std::size_t{0}, std::size_t{64}, need - 1}) {
        const status s = run(batch_of_8(5), y, memory.span().first(have));
        EXPECT_EQ(s.code, errc::workspace_too_small);
        EXPECT_EQ(s.got, static_cast<std::int64_t>(have));
        EXPECT_EQ(s.limit, static_cast<std::int64_t>(need));
    }
    EXPECT_EQ(run(batch_of_8(5), y, {}).code, errc::workspace_too_small);
}
TEST_F(refused, workspaces_that_are_not_aligned) {
    const auto x = operand(batch_of_8(5));
    const status s = run(batch_of_8(5), softmax(softmax(x)), memory.span().subspan(4));
    EXPECT_EQ(s.code, errc::invalid_argument);
}
TEST_F(refused, a_context_over_too_little_memory) {
    const auto x = operand(batch_of_8(5));
    float out[40] = {9.0f};
    workspace none{std::span<std::byte>{}};
    const status s = context(device, none).assign(view<float, batch_of_8>(out, batch_of_8(5)), softmax(softmax(x)));
    EXPECT_EQ(s.code, errc::workspace_too_small);
    EXPECT_EQ(out[0], 9.0f);
    EXPECT_EQ(device.launches.size(), 0u);
}

TEST_F(refused, a_context_whose_workspace_only_counts) {
    const auto x = operand(batch_of_8(5));
    float out[40] = {9.0f};
    workspace counting;
    const status s = context(device, counting).assign(view<float, batch_of_8>(out, batch_of_8(5)), softmax(softmax(x)));
    EXPECT_EQ(s.code, errc::workspace_too_small);
    EXPECT_EQ(out[0], 9.0f);
    EXPECT_EQ(device.launches.size(), 0u);
}

TEST(assign, takes_numbers_tensors_and_no_rows) {
    oracle::device<> device;
    tensor<float, extents<2, 3>> out, x;
    EXPECT_TRUE(assign(device, {}, out.view(), 2.5f).ok());
    for (float y : out.flat()) EXPECT_EQ(y, 2.5f);
    x.flat()[4] = 1.0f;
    EXPECT_TRUE(assign(device, {}, out.view(), x).ok());
    EXPECT_EQ(out.flat()[4], 1.0f);
    EXPECT_TRUE(assign(device, {}, slice<0>(out.view(), 0, 0), floats<extents<3>>(x.data(), {})).ok());
    EXPECT_TRUE(assign(device, {}, out.view(), floats<extents<3>>(x.data() + 3, {})).ok());
    EXPECT_EQ(out.flat()[1], 1.0f);
}

} // namespace
