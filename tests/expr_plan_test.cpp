// SPDX-License-Identifier: Apache-2.0
// Fusion: plans of expressions as constants, with their FLOPs, bytes and workspace.
#include "apriori/expr.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

namespace {

using namespace apriori;

using fusing = oracle::device<true>;
using plain = oracle::device<false>; // its contractions take only rows in memory

template <class E>
using floats = view<const float, E>;
template <index_t N, index_t K>
using matrix_weight = weight<oracle::matrix, N, K>;

/// Whether a list has these names in this order.
template <class... Names>
constexpr bool are(const name_list& list, Names... names) {
    if (list.count != sizeof...(names)) return false;
    int i = 0;
    return ((list.names[static_cast<std::size_t>(i++)] == std::string_view(names)) && ...);
}
constexpr bool is(const launch& l, std::string_view primitive, index_t rows, index_t cols, index_t depth) {
    return l.primitive == primitive && l.batch == 1 && l.rows == rows && l.cols == cols && l.depth == depth;
}

// ---- a block of the default model, two prompts of 81 tokens ----

constexpr index_t rows = 162, width = 2048;
using hidden = floats<extents<dyn, width>>;
constexpr hidden x(nullptr, extents<dyn, width>(rows));
constexpr floats<extents<width>> g, b, bias;
constexpr floats<extents<4 * width>> wide_bias;
constexpr floats<extents<3 * width>> qkv_bias;

constexpr auto feed_forward =
    x + linear(gelu(linear(layer_norm(x, g, b), matrix_weight<4 * width, width>{}, wide_bias)),
               matrix_weight<width, 4 * width>{}, bias);
constexpr auto attention_half =
    x + linear(self_attention<32>(linear(layer_norm(x, g, b), matrix_weight<3 * width, width>{}, qkv_bias),
                                  attention_rows{2, 81}, 0.125f),
               matrix_weight<width, width>{}, bias);

constexpr auto two = plan<fusing>(feed_forward);
static_assert(two.size() == 2);
static_assert(is(two[0], "contraction", rows, 8192, 2048) && is(two[1], "contraction", rows, 2048, 8192));
static_assert(are(two[0].prologue, "layer_norm", "multiply", "add") && are(two[0].epilogue, "add", "gelu"));
static_assert(are(two[1].prologue) && are(two[1].epilogue, "add", "add"));
static_assert(two.workspace == rows * 8192 * 4);

constexpr auto three = plan<fusing>(attention_half);
static_assert(three.size() == 3);
static_assert(is(three[0], "contraction", rows, 6144, 2048) && are(three[0].epilogue, "add"));
static_assert(three[1].primitive == "attention" && three[1].batch == 2 * 32 && three[1].rows == 81 &&
              three[1].cols == 64 && three[1].depth == 81 && are(three[1].epilogue));
static_assert(is(three[2], "contraction", rows, 2048, 2048) && are(three[2].epilogue, "add", "add"));
static_assert(three.workspace == rows * 2048 * 4 + rows * 6144 * 4);

// A device that does not fuse prologues writes the norm to memory.
constexpr auto norm_written = plan<plain>(feed_forward);
static_assert(norm_written.size() == 3);
static_assert(is(norm_written[0], "layer_norm", rows, 2048, 0) && are(norm_written[0].epilogue, "multiply", "add"));
static_assert(are(norm_written[1].prologue) && are(norm_written[1].epilogue, "add", "gelu"));
static_assert(norm_written.workspace == rows * 8192 * 4 + rows * 2048 * 4);
static_assert(plan<plain>(attention_half).size() == 4);

// A plan from a type only; a run-time extent counts as one row.
static_assert(plan_of<std::remove_const_t<decltype(feed_forward)>, fusing>.size() == 2);
static_assert(plan_of<std::remove_const_t<decltype(feed_forward)>, fusing>.workspace == 8192 * 4);

// ---- examples worked out by hand ----

constexpr floats<extents<4, 8>> small;
constexpr auto by_hand = plan<fusing>(gelu(linear(small, matrix_weight<16, 8>{}, floats<extents<16>>{})));
static_assert(by_hand.size() == 1);
// 64 results: 8 multiplications and 8 additions, an addition for the bias and 5 operations of gelu for each
static_assert(by_hand.flops() == 64 * (2 * 8 + 1 + 5));
// x [4, 8], W [16, 8], bias [16], result [4, 16]
static_assert(by_hand.bytes() == 4 * (4 * 8 + 16 * 8 + 16 + 4 * 16));
static_assert(by_hand.workspace == 0);

// Layer norm: 7 operations for each element, two for scale and shift; x, g, b and the result.
constexpr auto norm_by_hand = plan<fusing>(layer_norm(small, floats<extents<8>>{}, floats<extents<8>>{}));
static_assert(norm_by_hand.flops() == 32 * (7 + 2) && norm_by_hand.bytes() == 4 * (32 + 8 + 8 + 32));
// A product of activations.
constexpr auto product_by_hand = plan<fusing>(matmul(floats<extents<3, 4, 5>>{}, floats<extents<3, 5, 6>>{}) * 0.5f);
static_assert(product_by_hand[0].batch == 3 && product_by_hand[0].rows == 4 && product_by_hand[0].depth == 5);
static_assert(product_by_hand.flops() == 3 * 4 * 6 * (2 * 5 + 1));
static_assert(product_by_hand.bytes() == 4 * 3 * (4 * 5 + 5 * 6 + 4 * 6));
// A map that reads a row and a column.
constexpr auto map_by_hand = plan<fusing>(small * floats<extents<8>>{} + floats<extents<4, 1>>{});
static_assert(map_by_hand.flops() == 32 * 2 && map_by_hand.bytes() == 4 * (32 + 8 + 4 + 32));

// ---- epilogues, prologues and temporaries ----

constexpr matrix_weight<8, 8> w;

// Of two contractions, the last one takes the rest as its epilogue; the other one is written before.
constexpr auto gated = plan<fusing>(silu(linear(small, w)) * linear(small, w));
static_assert(gated.size() == 2 && are(gated[0].epilogue) && are(gated[1].epilogue, "silu", "multiply"));
static_assert(gated.workspace == 4 * 8 * 4);
// A contraction is preferred over a norm.
constexpr auto norm_and_linear = plan<fusing>(softmax(small) + linear(small, w));
static_assert(norm_and_linear[0].primitive == "softmax" && are(norm_and_linear[1].epilogue, "add"));
// A kernel that is broadcast cannot take the rest as its epilogue.
constexpr auto broadcast = plan<fusing>(small / sum(small));
static_assert(broadcast.size() == 2 && broadcast[0].primitive == "sum" && broadcast[1].primitive == "map");
// Element-wise nodes below and around a norm all become one launch.
constexpr auto one_norm = plan<fusing>(relu(layer_norm(small * 2.0f) + small));
static_assert(one_norm.size() == 1 && are(one_norm[0].prologue, "multiply") &&
              are(one_norm[0].epilogue, "add", "relu"));
// Rows of a table, and a norm of element-wise nodes, become a prologue; a norm of a contraction does not.
constexpr floats<extents<100, 8>> table;
constexpr view<const std::int32_t, extents<4>> indices;
constexpr auto gathered = plan<fusing>(linear(gather(table, indices) + small, w));
static_assert(gathered.size() == 1 && are(gathered[0].prologue, "gather", "add"));
static_assert(plan<plain>(linear(gather(table, indices) + small, w)).size() == 2);
constexpr auto norm_prologue = plan<fusing>(linear(layer_norm(small + small) * 2.0f, w));
static_assert(norm_prologue.size() == 1 && are(norm_prologue[0].prologue, "add", "layer_norm", "multiply"));
constexpr auto norm_of_linear = plan<fusing>(linear(layer_norm(linear(small, w)), w));
static_assert(norm_of_linear.size() == 3 && norm_of_linear[1].primitive == "layer_norm");
// A view of a view is free. An element-wise expression reads its operands in the order of its axes. A view of a
// kernel's result needs the launch of that kernel.
static_assert(plan<fusing>(linear(slice<0, 2>(small, 1), w)).size() == 1);
constexpr auto transposed = plan<fusing>(transpose<0, 1>(exp(small)) + 1.0f);
static_assert(transposed.size() == 1 && are(transposed[0].epilogue, "strided", "exp", "add"));
constexpr auto transposed_norm = plan<fusing>(transpose<0, 1>(softmax(small)) + 1.0f);
static_assert(transposed_norm.size() == 2 && are(transposed_norm[1].epilogue, "strided", "add") &&
              transposed_norm.workspace == 128);
// Each part of a concatenation is written to its place.
constexpr auto parts = plan<fusing>(concat<0>(small, linear(small, w) + small, exp(small)));
static_assert(parts.size() == 3 && parts[1].primitive == "contraction" && parts.workspace == 0);
// A reduction over an axis other than the last is one launch, over columns, with the nodes around it.
constexpr auto columns = plan<fusing>(sqrt(sum<0>(small * small)));
static_assert(columns.size() == 1 && columns[0].primitive == "sum" && columns[0].cols == 8 && columns[0].depth == 4 &&
              are(columns[0].prologue, "multiply") && are(columns[0].epilogue, "sqrt"));
// A temporary is taken before those that it is computed from, which are released afterwards: a chain needs memory for
// all of its temporaries, siblings share it.
constexpr auto chain = plan<fusing>(softmax(softmax(softmax(softmax(small)))));
static_assert(chain.size() == 4 && chain.workspace == 3 * 128);
constexpr auto siblings = plan<fusing>(softmax(linear(small, w)) + softmax(exp(linear(small, w))));
static_assert(siblings.size() == 4 && siblings.workspace == 2 * 128);

// ---- bodies, and expressions that cannot be planned ----

constexpr auto of_body = plan_body<fusing, 4>([](auto& ctx) {
    workspace::scope s(ctx.memory);
    const auto t = ctx.temporary(extents<4, 8>{});
    if (const status first = ctx.assign(t, small * 2.0f); !first.ok()) return first;
    return ctx.assign(view<float, extents<4, 8>>(), softmax(t));
});
static_assert(of_body.size() == 2 && of_body.workspace == 128);
static_assert(plan_body<fusing, 1>([](auto& ctx) {
                  return ctx.assign(view<float, extents<4, 8>>(), softmax(softmax(small)));
              }).size() == -1,
              "more launches than the plan has room for");
static_assert(plan<fusing>(hidden(nullptr, extents<dyn, width>(3)) + x).size() == -1, "extents that do not fit");

TEST(plan, is_described_line_by_line) {
    EXPECT_EQ(describe(plan<fusing>(
                  small + linear(gelu(linear(layer_norm(small), matrix_weight<16, 8>{})), matrix_weight<8, 16>{}))),
              "1. [layer_norm] contraction [gelu]  4 x 16 over 8  1568 FLOP  896 bytes\n"
              "2. contraction [add]  4 x 8 over 16  1056 FLOP  1024 bytes\n"
              "workspace 256 bytes\n");
    EXPECT_EQ(describe(plan<fusing>(self_attention<2>(floats<extents<6, 12>>{}, attention_rows{2, 3}, 1.0f))),
              "1. attention  4 x 3 x 2 over 3  504 FLOP  384 bytes\n"
              "workspace 0 bytes\n");
    EXPECT_EQ(describe(plan<fusing>(exp(small))), "1. map [exp]  4 x 8  32 FLOP  256 bytes\nworkspace 0 bytes\n");
}

TEST(plan, names_stop_at_the_capacity_of_a_list) {
    const auto y = small + 1.0f + 1.0f + 1.0f + 1.0f + 1.0f + 1.0f + 1.0f;
    const auto p = plan<fusing>(y * 2.0f * 2.0f * 2.0f * 2.0f * 2.0f * 2.0f * 2.0f);
    EXPECT_EQ(p[0].epilogue.count, name_list::capacity);
    EXPECT_EQ(p.flops(), 32 * 14);
}

} // namespace
