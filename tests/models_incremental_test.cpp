// SPDX-License-Identifier: Apache-2.0
// Exact incremental sampling: prefix, kv cache and step give the results of the full forward, for every kind of mask.
#include "apriori/device/cpu/device.hpp"
#include "model_testing.hpp"

#include "apriori/io/synthetic_source.hpp"

using namespace apriori;
using namespace model_testing;

namespace {

using device_type = cpu<>;

template <PriorConfig C>
using model_of = PriorTransformer<C, device_type>;

template <PriorConfig C>
model_of<C> synthetic_model(device_type& d) {
    const tensor_list tensors(C);
    const io::synthetic_source source(tensors.infos());
    auto m = model_of<C>::load(d, source);
    EXPECT_TRUE(m.ok());
    return std::move(*m);
}

std::vector<prior_prompt> prompts_of(const prior_inputs& x) {
    std::vector<prior_prompt> prompts;
    const auto part = [&](const auto& v, index_t r) {
        const std::size_t n = v.size() / static_cast<std::size_t>(x.rows);
        return std::span(v).subspan(static_cast<std::size_t>(r) * n, n);
    };
    for (index_t r = 0; r < x.rows; ++r)
        prompts.push_back({part(x.proj_embedding, r), part(x.encoder_hidden_states, r), part(x.attention_mask, r)});
    return prompts;
}

/// The results for the rows of x, each of them a prompt with its own latents and timestep, `at_once` steps at a time.
template <class Model>
std::vector<float> incremental(const Model& m, const prior_inputs& x, index_t at_once) {
    const auto prefix = m.prefix(prompts_of(x));
    EXPECT_TRUE(prefix.ok()) << (prefix ? "" : prefix.error().message);
    const auto kv_cache = m.kv_cache(*prefix, x.timestep);
    EXPECT_TRUE(kv_cache.ok()) << (kv_cache ? "" : kv_cache.error().message);
    std::vector<prior_step<device_type>> steps;
    for (index_t r = 0; r < x.rows; ++r) steps.push_back({kv_cache->get(), r, r, x.timestep.size() > 1 ? r : 0});
    const step_limits l{.rows = at_once, .samples = x.rows, .hidden_tokens = x.hidden_tokens};
    const host_buffer memory(Model::step_workspace_bytes(l));
    const index_t answers = Model::config.added_emb_type == added_emb::prd ? 1 : x.hidden_tokens;
    std::vector<float> out(static_cast<std::size_t>(x.rows * answers * Model::clip),
                           std::numeric_limits<float>::quiet_NaN());
    const view<const float, extents<dyn, Model::config.embedding_dim>> latents(
        x.hidden_states.data(), extents<dyn, Model::config.embedding_dim>(x.rows * x.hidden_tokens));
    const status s = m.step(latents, steps, out, memory.span(), l);
    EXPECT_TRUE(s.ok()) << s.what;
    return out;
}

template <PriorConfig C>
void equals_forward(index_t hidden_tokens = 1, index_t proj_tokens = 1) {
    device_type d;
    const auto m = synthetic_model<C>(d);
    unsigned seed = 1;
    for (const mask_kind mask : mask_kinds) {
        if (mask == mask_kind::absent) continue;
        for (const index_t rows : {1, 3, 5}) {
            SCOPED_TRACE(testing::Message() << "mask " << static_cast<int>(mask) << ", " << rows << " rows");
            const prior_inputs shape{.rows = rows,
                                     .hidden_tokens = hidden_tokens,
                                     .proj_tokens = proj_tokens,
                                     .text_tokens = C.num_embeddings};
            const prior_inputs x = randomize(C, shape, mask, seed++);
            const outcome whole = forward(m, x);
            ASSERT_TRUE(whole.state.ok()) << whole.state.what;
            const auto steps = incremental(m, x, rows);
            EXPECT_TRUE(within(worst_of(steps, whole.values)));
            EXPECT_TRUE(same_bits(steps, incremental(m, x, rows))) << "a second run";
            EXPECT_TRUE(within(worst_of(incremental(m, x, 2), whole.values))) << "two at a time";
        }
    }
}

TEST(Incremental, EqualsForward) {
    equals_forward<PriorConfig{.num_attention_heads = 3,
                               .attention_head_dim = 20,
                               .num_layers = 3,
                               .embedding_dim = 44,
                               .num_embeddings = 13}>();
}
TEST(Incremental, EqualsForwardOfOneLayer) {
    equals_forward<PriorConfig{
        .num_attention_heads = 1, .attention_head_dim = 7, .num_layers = 1, .embedding_dim = 9, .num_embeddings = 5}>();
}
TEST(Incremental, EqualsForwardWithNormsAndDimensions) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 16,
                               .num_layers = 2,
                               .embedding_dim = 24,
                               .num_embeddings = 6,
                               .time_embed_act_fn = activation::mish,
                               .norm_in_type = norm_type::layer,
                               .embedding_proj_norm_type = norm_type::rms,
                               .time_embed_dim = 10,
                               .embedding_proj_dim = 12,
                               .clip_embed_dim = 11}>();
}
TEST(Incremental, EqualsForwardWithoutPrd) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 8,
                               .num_layers = 2,
                               .embedding_dim = 10,
                               .num_embeddings = 6,
                               .additional_embeddings = 3,
                               .added_emb_type = added_emb::none}>();
}
TEST(Incremental, EqualsForwardOfSeveralTokens) { // three tokens of latents, two of the pooled condition
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 8,
                               .num_layers = 3,
                               .embedding_dim = 10,
                               .num_embeddings = 6,
                               .additional_embeddings = 7}>(3, 2);
}
TEST(Incremental, EqualsForwardWithTextAsItIs) {
    equals_forward<PriorConfig{.num_attention_heads = 2,
                               .attention_head_dim = 8,
                               .num_layers = 2,
                               .embedding_dim = 10,
                               .num_embeddings = 6,
                               .encoder_hid_proj_type = hid_proj_type::none}>();
}

constexpr PriorConfig small{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 6};

TEST(Incremental, SamplesShareTheConditionsOfSeveralPrompts) {
    device_type d;
    const auto m = synthetic_model<small>(d);
    // compares two kv caches of one prompt each, at different timesteps, with rows of one forward
    prior_inputs x = randomize(small, {.rows = 4, .text_tokens = small.num_embeddings}, mask_kind::holes, 7);
    x.timestep = {700, 700, 20, 20};
    const auto same = [&](auto& v, index_t to, index_t from) { // row `to` gets the prompt of row `from`
        const std::size_t n = v.size() / 4;
        std::copy_n(v.begin() + from * static_cast<index_t>(n), n, v.begin() + to * static_cast<index_t>(n));
    };
    for (const auto& [to, from] : {std::pair{1, 0}, std::pair{3, 2}}) {
        same(x.proj_embedding, to, from);
        same(x.encoder_hidden_states, to, from);
        same(x.attention_mask, to, from);
    }
    const auto prompts = prompts_of(x);
    const auto first = m.kv_cache(*m.prefix(std::span(prompts).subspan(0, 1)), std::vector<float>{999, 700});
    const auto second = m.kv_cache(*m.prefix(std::span(prompts).subspan(2, 1)), std::vector<float>{20});
    ASSERT_TRUE(first.ok() && second.ok());
    const std::vector<prior_step<device_type>> steps{
        {first->get(), 0, 0, 1}, {first->get(), 0, 1, 1}, {second->get(), 0, 2, 0}, {second->get(), 0, 3, 0}};
    const step_limits l{.rows = 4, .samples = 4};
    const host_buffer memory(decltype(m)::step_workspace_bytes(l));
    std::vector<float> out(4 * 10);
    ASSERT_TRUE(m.step({x.hidden_states.data(), extents<dyn, 10>(4)}, steps, out, memory.span(), l).ok());
    EXPECT_TRUE(within(worst_of(out, forward(m, x).values)));
}

TEST(Incremental, RefusesWhatDoesNotBelongTogether) {
    device_type d;
    const auto m = synthetic_model<small>(d);
    const prior_inputs x = randomize(small, {.rows = 1, .text_tokens = small.num_embeddings}, mask_kind::prefix, 3);
    const auto prompts = prompts_of(x);
    const auto prefix = m.prefix(prompts);
    ASSERT_TRUE(prefix.ok());
    const auto kv_cache = m.kv_cache(*prefix, std::vector<float>{5, 4});
    ASSERT_TRUE(kv_cache.ok());
    const step_limits l{};
    const host_buffer memory(decltype(m)::step_workspace_bytes(l));
    std::vector<float> out(10, 77.0f);
    const view<const float, extents<dyn, 10>> latents(x.hidden_states.data(), extents<dyn, 10>(1));
    const auto refused = [&](const decltype(m)& model, const prior_step<device_type>& s, std::span<std::byte> bytes) {
        const status r = model.step(latents, std::span(&s, 1), out, bytes, l);
        EXPECT_EQ(out, std::vector<float>(10, 77.0f)) << "something was written";
        return r;
    };
    EXPECT_EQ(refused(m, {nullptr, 0, 0, 0}, memory.span()).code, errc::invalid_argument);
    EXPECT_EQ(refused(m, {kv_cache->get(), 1, 0, 0}, memory.span()).code, errc::invalid_argument);
    EXPECT_EQ(refused(m, {kv_cache->get(), 0, 1, 0}, memory.span()).code, errc::invalid_argument);
    EXPECT_EQ(refused(m, {kv_cache->get(), 0, 0, 2}, memory.span()).code, errc::invalid_argument);
    EXPECT_EQ(refused(m, {kv_cache->get(), 0, 0, 0}, memory.span().first(64)).code, errc::workspace_too_small);
    const prior_step<device_type> good{kv_cache->get(), 0, 0, 0};
    for (const std::span<float> small_output : {std::span<float>(), std::span(out).first(9)}) {
        const status r = m.step(latents, std::span(&good, 1), small_output, memory.span(), l);
        EXPECT_EQ(r.code, errc::shape_mismatch);
        EXPECT_EQ(r.limit, 10);
    }
    EXPECT_EQ(out, std::vector<float>(10, 77.0f));
    const view<const float, extents<dyn, 10>> nowhere(nullptr, extents<dyn, 10>(1));
    EXPECT_EQ(m.step(nowhere, std::span(&good, 1), out, memory.span(), l).code, errc::shape_mismatch);
    for (const step_limits none :
         {step_limits{.rows = 0}, step_limits{.samples = 0}, step_limits{.hidden_tokens = 0}}) {
        const prior_step<device_type> one{kv_cache->get(), 0, 0, 0};
        EXPECT_EQ(m.step(latents, std::span(&one, 1), out, memory.span(), none).code, errc::invalid_argument);
    }

    // other weights of the same shapes: one number differs
    struct changed {
        const io::synthetic_source& s;
        std::size_t size() const { return s.size(); }
        tensor_info info(std::size_t i) const { return s.info(i); }
        status read(std::size_t i, std::int64_t first, std::span<float> to) const {
            const status r = s.read(i, first, to);
            if (s.info(i).name == "proj_in.bias" && first == 0) to[0] += 1.0f;
            return r;
        }
    };
    const tensor_list tensors(small);
    const io::synthetic_source source(tensors.infos());
    const auto other = decltype(m)::load(d, changed{source});
    ASSERT_TRUE(other.ok());
    const status r = refused(*other, {kv_cache->get(), 0, 0, 0}, memory.span());
    EXPECT_EQ(r.code, errc::invalid_argument);
    EXPECT_NE(std::string(r.what).find("other weights"), std::string::npos);
    EXPECT_FALSE(other->kv_cache(*prefix, std::vector<float>{5}).ok());

    prior_prompt unmasked = prompts[0];
    unmasked.attention_mask = {};
    EXPECT_FALSE(m.prefix(std::span(&unmasked, 1)).ok());
    EXPECT_FALSE(m.prefix({}).ok());
    EXPECT_FALSE(m.kv_cache(*prefix, {}).ok());
}

TEST(Incremental, ModelsWithProcessorsOfTheirOwnTakeForward) {
    device_type d;
    const auto m = synthetic_model<small>(d).with_attn_processor<plain_attention>();
    static_assert(!decltype(m)::has_step && model_of<small>::has_step);
    EXPECT_EQ(m.step({nullptr, extents<dyn, 10>(1)}, {}, {}, {}, {}).code, errc::unsupported);
}

TEST(Incremental, ModelsOfOnePassTakeForward) {
    device_type d;
    constexpr PriorConfig one_pass = [] {
        PriorConfig c = small;
        c.additional_embeddings = 3;
        c.time_embedding = false;
        return c;
    }();
    const auto m = synthetic_model<one_pass>(d);
    static_assert(!decltype(m)::has_step);
    constexpr std::string_view why = "a model without time_embedding takes one pass, not steps; use forward";
    const auto prefix = m.prefix({});
    ASSERT_FALSE(prefix.ok());
    EXPECT_EQ(prefix.error().message, why);
    const auto kv_cache = m.kv_cache(nullptr, {});
    ASSERT_FALSE(kv_cache.ok());
    EXPECT_EQ(kv_cache.error().code, errc::unsupported);
    EXPECT_EQ(m.step({nullptr, extents<dyn, 10>(1)}, {}, {}, {}, {}).what, why);
}

// A step of the default model reads its weights once: 20 blocks of five launches, and four more launches.
static_assert(PriorTransformer<presets::karlo_v1_alpha, device_type>::step_plan({.rows = 2}).size() == 20 * 5 + 4);

} // namespace
