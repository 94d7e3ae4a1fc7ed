// SPDX-License-Identifier: Apache-2.0
// Attention processors: other ways to compute the same numbers with the same weights.
#include "apriori/device/cpu/device.hpp"
#include "reference_cases.hpp"

#include "unclip_like.hpp"

using namespace apriori;
using namespace model_testing;

namespace {

/// A processor as a user might write it: sequence by sequence, with the biases added in the softmax.
struct sequence_by_sequence {
    static constexpr const char* name = "sequence by sequence";

    template <int Heads, class Context, class Q, class K, class V, class Out>
    constexpr status run(Context& ctx, const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         const Out& out) const {
        workspace::scope s(ctx.memory);
        const index_t tokens = rows.tokens;
        const auto scores = ctx.temporary(extents<Heads, dyn, dyn>(tokens, tokens)); // [H, T, T]
        const view<float, extents<dyn, Heads, dyn, dyn>> batch(
            scores.data, extents<dyn, Heads, dyn, dyn>(1, tokens, tokens)); // [1, H, T, T]
        status r;
        for (index_t i = 0; i < rows.count && r.ok(); ++i) {
            const auto heads = [&](const auto& x) { // [T, H * d] -> [H, T, d]
                return transpose<0, 1>(split_last<Heads>(slice_view<0, dyn>(x, i * tokens, tokens)));
            };
            attention_rows one = rows;
            one.count = 1;
            one.mask = rows.mask == nullptr ? nullptr : rows.mask + i * rows.masked;
            r = ctx.assign(scores, matmul(heads(q), transpose<1, 2>(heads(k))) * scale);
            if (r.ok()) r = ctx.assign(batch, softmax(batch + attention_bias(one, Heads)));
            if (r.ok()) r = ctx.assign(heads(out), matmul(scores, heads(v)));
        }
        return r;
    }
};

using model_type = PriorTransformer<::unclip_like, cpu<>>;

class layers_processors : public testing::Test {
protected:
    void SetUp() override {
        model = load_reference<model_type>(device, "unclip_like");
        ASSERT_TRUE(model);
        cases = read_cases(reference_cases / "unclip_like");
    }

    /// Compares every case of the folder with diffusers and with the fused kernel.
    template <class Processors>
    void check() {
        const auto other = model->with_attn_processor<Processors>();
        EXPECT_EQ(other.shared_weights(), model->shared_weights());
        for (const reference_case& c : cases) {
            const outcome fused = forward(*model, c.in), y = forward(other, c.in);
            ASSERT_TRUE(y.state.ok()) << to_failure(y.state).message;
            EXPECT_TRUE(within(worst_of(y.values, c.expected))) << c.name;
            EXPECT_TRUE(within(worst_of(y.values, fused.values), tolerance / 2)) << c.name;
            EXPECT_TRUE(same_bits(forward(other, c.in, c.in.limits(1)).values, y.values)) << c.name;
        }
    }

    cpu<> device;
    std::optional<model_type> model;
    std::vector<reference_case> cases;
};

TEST_F(layers_processors, plain) { check<plain_attention>(); }
TEST_F(layers_processors, one_head_at_a_time) { check<sliced_attention<1>>(); }
TEST_F(layers_processors, two_heads_and_then_one) { check<sliced_attention<2>>(); }
TEST_F(layers_processors, a_slice_of_all_heads) { check<sliced_attention<3>>(); }
TEST_F(layers_processors, a_slice_wider_than_the_heads) { check<sliced_attention<64>>(); }
TEST_F(layers_processors, of_a_user) {
    check<sequence_by_sequence>();
    using other = decltype(model->with_attn_processor<sequence_by_sequence>());
    EXPECT_EQ(other::attn_processors().back().second, "sequence by sequence");
}
TEST_F(layers_processors, by_position) {
    check<per_layer<plain_attention, fused_attention, sliced_attention<1>, sliced_attention<2>>>();
}
TEST_F(layers_processors, by_name) {
    check<by_name<attn_processor<"transformer_blocks.3.attn1.processor", sliced_attention<2>>,
                  attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>,
                  attn_processor<"transformer_blocks.1.attn1.processor", fused_attention>,
                  attn_processor<"transformer_blocks.2.attn1.processor", sliced_attention<1>>>>();
}

TEST_F(layers_processors, the_default_again) {
    const auto again = model->with_attn_processor<plain_attention>().with_default_attn_processor();
    static_assert(std::is_same_v<std::remove_const_t<decltype(again)>, model_type>);
    EXPECT_EQ(again.shared_weights(), model->shared_weights());
    EXPECT_TRUE(same_bits(forward(again, cases[0].in).values, forward(*model, cases[0].in).values));
}

TEST_F(layers_processors, weights_outlive_the_model_they_came_with) {
    const outcome before = forward(*model, cases[0].in);
    const auto other = model->with_attn_processor<sliced_attention<1>>();
    model.reset();
    EXPECT_TRUE(within(worst_of(forward(other, cases[0].in).values, before.values)));
}

} // namespace
