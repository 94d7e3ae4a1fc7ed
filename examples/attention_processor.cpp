// SPDX-License-Identifier: Apache-2.0
// A user's own attention processor, in the sense of diffusers' set_attn_processor: soft-capped scores (Gemma 2),
//
//     out = softmax(cap tanh(scale q k^T / cap) + bias) v
//
// written in the expression core, and given to a model for all layers or for one layer, without copying weights.
#include "apriori/core/philox.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <cmath>
#include <cstdio>
#include <vector>

using namespace apriori;

/// A processor is a type that is made without arguments; its settings are template parameters.
template <int Cap>
struct soft_capped_attention {
    static constexpr const char* name = "soft_capped";

    /// q, k, v and out are views [rows, Heads * d]; the rows are rows.count sequences of rows.tokens.
    template <int Heads, class Context, class Q, class K, class V, class Out>
    constexpr status run(Context& ctx, const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         const Out& out) const {
        constexpr float cap = Cap;
        workspace::scope s(ctx.memory); // the scores live until the end of this function
        const auto scores =
            ctx.temporary(extents<dyn, Heads, dyn, dyn>(rows.count, rows.tokens, rows.tokens)); // [B, H, T, T]
        const auto qk = matmul(heads_first<Heads>(q, rows), transpose<2, 3>(heads_first<Heads>(k, rows)));
        // one kernel: the product, with scale, tanh, cap and bias in its epilogue
        if (const status r = ctx.assign(scores, tanh(qk * (scale / cap)) * cap + attention_bias(rows, Heads)); !r.ok())
            return r;
        if (const status r = ctx.assign(scores, softmax(scores)); !r.ok()) return r;
        return ctx.assign(heads_first<Heads>(out, rows), matmul(scores, heads_first<Heads>(v, rows)));
    }
};

using Model = PriorTransformer<presets::digits, cpu<>>;

/// The output of a model, with any processors, for one fixed input.
template <class M>
std::vector<float> answer(const M& model) {
    tensor<float, extents<1, 64>> x, pooled;
    tensor<float, extents<1, 16, 64>> text;
    philox_generator(0, 0).randn(x.flat());
    philox_generator(0, 1).randn(pooled.flat());
    philox_generator(0, 2).randn(text.flat());
    const std::uint8_t mask[16] = {1, 1, 1, 1, 1};
    const float timestep = 500;
    const host_buffer memory(M::workspace_bytes({}));
    std::vector<float> out(64);
    const auto result = model.forward({.hidden_states = x,
                                       .timestep = {&timestep, extents<dyn>(1)},
                                       .proj_embedding = pooled,
                                       .encoder_hidden_states = text,
                                       .attention_mask = {mask, extents<dyn, dyn>(1, 16)}},
                                      out, memory.span());
    if (!result.state.ok()) std::fprintf(stderr, "attention_processor: %s\n", result.state.what);
    return result.state.ok() ? out : std::vector<float>(64, NAN);
}

float difference(const std::vector<float>& a, const std::vector<float>& b) {
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (const float d = std::abs(a[i] - b[i]); !(d <= worst)) worst = d;
    return worst;
}

int main() {
    cpu<> device;
    const auto weights = io::open_weights("examples/digits/digits-unclip/prior");
    auto model = weights ? Model::load(device, *weights) : result<Model>(weights.error());
    if (!model) {
        std::fprintf(stderr, "attention_processor: %s\n", model.error().message.c_str());
        return 2;
    }
    const auto everywhere = model->with_attn_processor<soft_capped_attention<1>>();
    const auto barely = model->with_attn_processor<soft_capped_attention<1000>>();
    // like diffusers' dict: each layer by its name, in any order; a missing or an additional layer does not compile
    const auto in_one = model->with_attn_processor<
        by_name<attn_processor<"transformer_blocks.2.attn1.processor", soft_capped_attention<1>>,
                attn_processor<"transformer_blocks.0.attn1.processor", fused_attention>,
                attn_processor<"transformer_blocks.1.attn1.processor", fused_attention>,
                attn_processor<"transformer_blocks.3.attn1.processor", sliced_attention<1>>>>();
    for (const auto& [layer, processor] : decltype(in_one)::attn_processors())
        std::printf("%s: %s\n", layer.c_str(), processor.c_str());

    const auto fused = answer(*model);
    const float plain = difference(fused, answer(model->with_attn_processor<plain_attention>()));
    const float capped = difference(fused, answer(everywhere));
    const float one = difference(fused, answer(in_one));
    const float wide = difference(fused, answer(barely));
    std::printf("difference from fused attention: plain %.1e, cap 1000 %.1e, cap 1 %.1e, cap 1 in one layer %.1e\n",
                static_cast<double>(plain), static_cast<double>(wide), static_cast<double>(capped),
                static_cast<double>(one));
    const bool as_expected = plain < 1e-5f && wide < 1e-3f && capped > 1e-2f && one > 1e-3f && one != capped;
    return as_expected ? 0 : 1;
}
