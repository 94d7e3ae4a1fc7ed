// SPDX-License-Identifier: Apache-2.0
// Properties of a model that are known at compile time: which types are the same, the number of parameters, launches,
// workspace. Almost all of them are checked by compiling this file.
#include "apriori/device/cpu/device.hpp"
#include "apriori/models/clip_config.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <gtest/gtest.h>

using namespace apriori;

namespace {

template <PriorConfig C, class P = every_layer<>>
using model = PriorTransformer<C, cpu<>, f32, P>;
template <PriorConfig A, PriorConfig B>
constexpr bool one_type = std::is_same_v<model<A>, model<B>>;

// ---- the same meaning is the same type -----------------------------------------------------------------------------

static_assert(
    one_type<PriorConfig{.time_embed_act_fn = activation::swish}, PriorConfig{.time_embed_act_fn = activation::silu}>);
static_assert(one_type<PriorConfig{.dropout = 0.1f}, PriorConfig{}>);
static_assert(
    one_type<PriorConfig{.time_embed_dim = 2048, .embedding_proj_dim = 768, .clip_embed_dim = 768},
             PriorConfig{.time_embed_dim = null_dim, .embedding_proj_dim = null_dim, .clip_embed_dim = null_dim}>);
static_assert(
    one_type<PriorConfig{.num_attention_heads = 4, .time_embed_dim = 256}, PriorConfig{.num_attention_heads = 4}>);
static_assert(one_type<presets::karlo_v1_alpha, presets::kandinsky_2_1>);
static_assert(one_type<presets::karlo_v1_alpha, presets::stable_unclip>);
static_assert(one_type<PriorConfig{}, PriorConfig{}>);

// ... and different meanings are different types, in every field except dropout
static_assert(!one_type<PriorConfig{.num_attention_heads = 31}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.attention_head_dim = 63}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.num_layers = 19}, PriorConfig{}>);
static_assert(!one_type<presets::kandinsky_2_2, presets::kandinsky_2_1>);
static_assert(!one_type<PriorConfig{.num_embeddings = 76}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.additional_embeddings = 3}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.time_embed_act_fn = activation::mish}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.norm_in_type = norm_type::layer}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.norm_in_type = norm_type::rms}, PriorConfig{.norm_in_type = norm_type::layer}>);
static_assert(!one_type<PriorConfig{.embedding_proj_norm_type = norm_type::layer}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.encoder_hid_proj_type = hid_proj_type::none}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.added_emb_type = added_emb::none}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.time_embed_dim = 1024}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.embedding_proj_dim = 1024}, PriorConfig{}>);
static_assert(!one_type<PriorConfig{.clip_embed_dim = 1024}, PriorConfig{}>);

// ... without a time embedding its other fields have no meaning
constexpr PriorConfig one_pass{.additional_embeddings = 3, .time_embedding = false};
static_assert(!one_type<one_pass, PriorConfig{.additional_embeddings = 3}>);
static_assert(one_type<one_pass, PriorConfig{.additional_embeddings = 3,
                                             .time_embed_act_fn = activation::gelu,
                                             .time_embed_dim = 7,
                                             .time_embedding = false}>);

// ---- parameters, counted from the layers of diffusers 0.42.1; digits are those of the file in examples/ ------------

static_assert(parameter_count(presets::karlo_v1_alpha) == 1'022'030'080);
static_assert(parameter_count(presets::kandinsky_2_2) == 1'026'225'920);
static_assert(parameter_count(presets::shap_e) == 315'696'128);
static_assert(parameter_count(presets::shap_e_img2img) == 315'960'320);
static_assert(parameter_count(presets::digits) == 862'400);
static_assert(parameter_count(PriorConfig{.additional_embeddings = 3}) - parameter_count(one_pass) ==
              2 * (2048 * 2048 + 2048)); // the two layers of the time embedding

// Hashes are stored in kv caches and packed files, so a configuration's hash must not change. A field is hashed only if
// its value differs from the default in meaning, so that a new field of the class changes no hash.
static_assert(config_hash(presets::karlo_v1_alpha) == 0x302f66ea0432c4d2u);
static_assert(config_hash(PriorConfig{.num_attention_heads = 4, .time_embed_dim = 256}) ==
              config_hash(PriorConfig{.num_attention_heads = 4, .dropout = 0.1f}));
static_assert(config_hash(one_pass) != config_hash(PriorConfig{.additional_embeddings = 3}));
static_assert(config_hash(CLIPTextConfig{}) != config_hash(without_projection(CLIPTextConfig{})));
static_assert(config_hash(presets::clip_vit_l_14_vision) != config_hash(presets::clip_vit_big_g_14_vision));

// ---- the launches of a block on the CPU ----------------------------------------------------------------------------

constexpr PriorConfig eight_heads = canonical(PriorConfig{.num_attention_heads = 8});
constexpr auto block = prior_layers<eight_heads, packed_operands<model_of<eight_heads>, cpu<>::packed<f32>>>{}.block(0);
using rows_512 = view<const float, extents<dyn, 512>>;

constexpr attention_rows one_sequence{.count = 1, .tokens = 1};
template <class Processor>
constexpr auto attention_plan = plan<cpu<>>(block.attention_half(rows_512{}, one_sequence, 0.125f, Processor{}));
constexpr auto feed_forward_plan = plan<cpu<>>(block.feed_forward_half(rows_512{}));

static_assert(feed_forward_plan.size() == 2);
static_assert(feed_forward_plan[0].primitive == "contraction" && feed_forward_plan[0].prologue.contains("layer_norm") &&
              feed_forward_plan[0].epilogue.contains("gelu"));
static_assert(feed_forward_plan[0].cols == 4 * 512 && feed_forward_plan[0].depth == 512);
static_assert(feed_forward_plan[1].primitive == "contraction" && feed_forward_plan[1].prologue.count == 0 &&
              feed_forward_plan[1].cols == 512 && feed_forward_plan[1].depth == 4 * 512);
static_assert(feed_forward_plan.workspace < 2 * (2048 + 2048) * sizeof(float)); // the hidden row, and a copy in blocks

static_assert(attention_plan<fused_attention>.size() == 3);
static_assert(attention_plan<fused_attention>[0].prologue.contains("layer_norm") &&
              attention_plan<fused_attention>[0].cols == 3 * 512);
static_assert(attention_plan<fused_attention>[1].primitive == "attention");
static_assert(attention_plan<fused_attention>[2].primitive == "contraction" &&
              attention_plan<fused_attention>[2].epilogue.contains("add")); // the residual is added there

// written out: scores, softmax, product; sliced: the same for each slice of heads, the last of which may be smaller
static_assert(attention_plan<plain_attention>.size() == 5);
static_assert(attention_plan<sliced_attention<1>>.size() == 2 + 3 * 8);
static_assert(attention_plan<sliced_attention<3>>.size() == 2 + 3 * 3);
static_assert(attention_plan<sliced_attention<8>>.size() == 5);
static_assert(attention_plan<sliced_attention<9>>.size() == 5);
static_assert(attention_plan<plain_attention>[2].primitive == "softmax");

// ---- the launches of whole models ----------------------------------------------------------------------------------

// text, pooled, cos and sin, two for time, latents, prd; five for each layer; the output
static_assert(model<presets::digits>::plan({}).size() == 8 + 5 * 4 + 1);
static_assert(model<presets::karlo_v1_alpha>::plan({.rows = 2}).size() == 8 + 5 * 20 + 1);
// no text, no prd, but a norm of the sequence
static_assert(model<presets::shap_e>::plan({}).size() == 8 - 2 + 1 + 5 * 24 + 1);
// no time embedding
static_assert(model<one_pass>::plan({}).size() == 8 - 4 + 5 * 20 + 1);
// a processor for one layer of four
using mixed = model<presets::digits, per_layer<fused_attention, plain_attention, fused_attention, fused_attention>>;
static_assert(mixed::plan({}).size() == 8 + 5 * 4 + 2 + 1);

// a multiplication and an addition for each weight and each token of the sequence; in the last layer only queries, keys
// and values, a quarter of its weights, are computed for all tokens
constexpr auto karlo = model<presets::karlo_v1_alpha>::plan({.rows = 2});
constexpr std::int64_t met_by_all = std::int64_t{2048 * 2048} * (19 * 12 + 3);
static_assert(karlo.flops() > 2 * 2 * 81 * met_by_all);
static_assert(karlo.flops() < 2 * 2 * 81 * met_by_all * 104 / 100);
static_assert(karlo.bytes() > 4 * parameter_count(presets::karlo_v1_alpha) * 98 / 100);

// ---- workspace -----------------------------------------------------------------------------------------------------

/// A text of 200 tokens: in a narrow model most of the workspace is for the scores of attention.
constexpr PriorConfig long_text{
    .num_attention_heads = 4, .attention_head_dim = 4, .num_layers = 4, .embedding_dim = 8, .num_embeddings = 200};
template <class... P>
constexpr std::size_t workspace_of = model<long_text, per_layer<P...>>::workspace_bytes({.rows = 2});
template <class P>
constexpr std::size_t workspace_of<P> = model<long_text, every_layer<P>>::workspace_bytes({.rows = 2});
using sliced = sliced_attention<1>;

static_assert(workspace_of<sliced> < workspace_of<sliced_attention<2>>);
static_assert(workspace_of<sliced_attention<2>> < workspace_of<plain_attention>);
static_assert(workspace_of<sliced_attention<4>> == workspace_of<plain_attention>);
static_assert(workspace_of<fused_attention> < workspace_of<plain_attention>);
// the layer that needs most decides, wherever it is
static_assert(workspace_of<sliced, plain_attention, sliced, sliced> == workspace_of<plain_attention>);
static_assert(workspace_of<sliced, sliced, sliced, plain_attention> == workspace_of<plain_attention>);
// with Shap-E's sequences most of the workspace is for scores: 16 heads of 1026 x 1026
template <class Processor>
constexpr std::size_t shap_e_workspace = model<presets::shap_e, every_layer<Processor>>::workspace_bytes({});
static_assert(shap_e_workspace<plain_attention> - shap_e_workspace<sliced_attention<1>> >
              std::size_t{15} * 1026 * 1026 * sizeof(float));

// grows with the limits; a limit that is not given is that of the configuration
template <limits L>
constexpr std::size_t sized = model<presets::digits>::workspace_bytes(L);
static_assert(sized<limits{.rows = 4}> > sized<limits{.rows = 2}>);
static_assert(sized<limits{.proj_tokens = 9}> > sized<limits{}>);
static_assert(sized<limits{.hidden_tokens = 9}> > sized<limits{}>);
static_assert(sized<limits{.text_tokens = 9}> < sized<limits{}>);
static_assert(sized<limits{.rows = 1, .hidden_tokens = 1, .proj_tokens = 1, .text_tokens = 16}> == sized<limits{}>);
static_assert(sized<limits{.rows = 0, .proj_tokens = 0}> == sized<limits{}>);

// a constant expression, as the size of a std::array has to be
static std::array<std::byte, model<presets::digits>::workspace_bytes({.rows = 2})> static_memory;

// ---- processors by position and by name ----------------------------------------------------------------------------

static_assert(attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>::layer == 0);
static_assert(attn_processor<"transformer_blocks.13.attn1.processor", plain_attention>::layer == 13);

static_assert(every_layer<plain_attention>::fits<2> && per_layer<plain_attention, fused_attention>::fits<2>);
static_assert(by_name<attn_processor<"transformer_blocks.1.attn1.processor", plain_attention>,
                      attn_processor<"transformer_blocks.0.attn1.processor", fused_attention>>::fits<2>);
static_assert(!by_name<attn_processor<"transformer_blocks.1.attn1.processor", plain_attention>,
                       attn_processor<"transformer_blocks.1.attn1.processor", fused_attention>>::fits<2>);
static_assert(!by_name<attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>,
                       attn_processor<"transformer_blocks.2.attn1.processor", fused_attention>>::fits<2>);

} // namespace

TEST(models_types, workspace_is_a_constant) {
    EXPECT_EQ(static_memory.size(), model<presets::digits>::workspace_bytes({.rows = 2}));
}

TEST(models_types, attn_processors_have_diffusers_names) {
    using named = std::pair<std::string, std::string>;
    const std::vector<named> all{{"transformer_blocks.0.attn1.processor", "fused"},
                                 {"transformer_blocks.1.attn1.processor", "fused"},
                                 {"transformer_blocks.2.attn1.processor", "fused"},
                                 {"transformer_blocks.3.attn1.processor", "fused"}};
    EXPECT_EQ(model<presets::digits>::attn_processors(), all);

    using by_position = per_layer<plain_attention, fused_attention, sliced_attention<1>, sliced_attention<2>>;
    using by_names = by_name<attn_processor<"transformer_blocks.2.attn1.processor", sliced_attention<1>>,
                             attn_processor<"transformer_blocks.3.attn1.processor", sliced_attention<2>>,
                             attn_processor<"transformer_blocks.0.attn1.processor", plain_attention>,
                             attn_processor<"transformer_blocks.1.attn1.processor", fused_attention>>;
    const std::vector<named> mix{{"transformer_blocks.0.attn1.processor", "plain"},
                                 {"transformer_blocks.1.attn1.processor", "fused"},
                                 {"transformer_blocks.2.attn1.processor", "sliced"},
                                 {"transformer_blocks.3.attn1.processor", "sliced"}};
    EXPECT_EQ((model<presets::digits, by_position>::attn_processors()), mix);
    EXPECT_EQ((model<presets::digits, by_names>::attn_processors()), mix);
    EXPECT_TRUE((model<presets::digits, by_position>::plan({.rows = 3}).launches ==
                 model<presets::digits, by_names>::plan({.rows = 3}).launches));
}
