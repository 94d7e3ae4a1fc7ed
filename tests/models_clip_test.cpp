// SPDX-License-Identifier: Apache-2.0
// CLIP's encoders on the CPU: transformers' numbers, their plans, and errors.
#include "apriori/device/cpu/device.hpp"
#include "clip_cases.hpp"
#include "io_testing.hpp"

namespace {

using namespace apriori;
using namespace clip_testing;

const reference_tests<cpu<>> references;

using tiny_text = CLIPTextModelWithProjection<configs::text_quick_gelu, cpu<>>;
using tiny_vision = CLIPVisionModelWithProjection<configs::vision_quick_gelu, cpu<>>;

// ---- known at compile time -----------------------------------------------------------------------------------------

static_assert(parameter_count(presets::clip_vit_l_14) == 123'650'304); // transformers' own counts
static_assert(parameter_count(presets::clip_vit_big_g_14) == 694'659'840);
static_assert(parameter_count(presets::clip_vit_l_14_vision) == 303'966'208);
static_assert(parameter_count(presets::clip_vit_big_g_14_vision) == 1'844'907'264);

// Ids and positions; five launches for each layer; the final norm; the projection, which gathers its rows.
constexpr auto text_plan = CLIPTextModelWithProjection<presets::clip_vit_l_14, cpu<>>::plan({.rows = 2});
static_assert(text_plan.size() == 2 + 5 * 12 + 2);
static_assert(text_plan[2].prologue.contains("layer_norm") && text_plan[2].cols == 3 * 768);
static_assert(text_plan[5].epilogue.contains("quick_gelu") && text_plan[5].cols == 3072);
static_assert(text_plan[63].prologue.contains("gather") && text_plan[63].rows == 2);

// The rows of a patch; patches and positions; the class token; pre_layrnorm; the layers; norm and projection.
constexpr auto image_plan = CLIPVisionModelWithProjection<presets::clip_vit_big_g_14_vision, cpu<>>::plan({});
static_assert(image_plan.size() == 3 * 14 + 3 + 5 * 48 + 1);
static_assert(image_plan[42].depth == 3 * 14 * 14 && image_plan[42].epilogue.contains("add"));
static_assert(image_plan[45 + 3].epilogue.contains("gelu"));
static_assert(image_plan[285].prologue.contains("layer_norm") && image_plan[285].cols == 1280);

// The models without a projection have the same type.
static_assert(std::is_same_v<CLIPTextModel<configs::text_quick_gelu, cpu<>>,
                             CLIPTextModelWithProjection<configs::text_no_projection, cpu<>>>);
static_assert(std::is_same_v<CLIPVisionModel<configs::vision_quick_gelu, cpu<>>,
                             CLIPVisionModelWithProjection<configs::vision_no_projection, cpu<>>>);
static_assert(CLIPTextModel<presets::clip_vit_l_14, cpu<>>::embedding == 768);

TEST(Clip, PoolsByBothRules) {
    const std::int32_t ids[] = {98, 7, 99, 5, 99, 2};
    EXPECT_EQ(clip_pooled_token(ids, 99), 2);
    EXPECT_EQ(clip_pooled_token(ids, 2), 2); // the largest id, at its first place
    EXPECT_EQ(clip_pooled_token(ids, 5), 3);
    EXPECT_EQ(clip_pooled_token(ids, 42), 0);
    const std::int32_t end_first[] = {99, 1, 99};
    EXPECT_EQ(clip_pooled_token(end_first, 99), 0);
}

// ---- errors --------------------------------------------------------------------------------------------------------

template <class Model>
Model tiny(cpu<>& device) {
    const tensor_list tensors(Model::config);
    auto model = Model::load(device, io::synthetic_source(tensors.infos()));
    EXPECT_TRUE(model) << model.error().message;
    return std::move(*model);
}

TEST(Clip, RefusesIdsAndShapesThatDoNotFit) {
    cpu<> device;
    const auto model = tiny<tiny_text>(device);
    const std::vector<std::int32_t> ids{98, 99, 99, 98, 5, 99};
    EXPECT_TRUE(model.encode(ids, 2));
    EXPECT_FAILS(model.encode(ids, 4), errc::shape_mismatch, "input_ids: 6 ids are not 4 rows");
    EXPECT_FAILS(model.encode(ids, 0), errc::shape_mismatch, "are not 0 rows");
    EXPECT_FAILS(model.encode({}, 1), errc::shape_mismatch, "input_ids: 0 ids are not 1 rows");
    EXPECT_FAILS(model.encode(std::vector<std::int32_t>{98, 100}, 1), errc::invalid_argument,
                 "input_ids: 100; allowed: 0 to 99");
    EXPECT_FAILS(model.encode(std::vector<std::int32_t>{-1}, 1), errc::invalid_argument, "input_ids: -1");
    EXPECT_FAILS(model.encode(ids, 2, std::vector<std::uint8_t>(5, 1)), errc::shape_mismatch,
                 "attention_mask: 5 values for 6 input_ids");
    EXPECT_FAILS(model.encode(std::vector<std::int32_t>(10, 5), 1), errc::shape_mismatch, "max_position_embeddings");

    const auto images = tiny<tiny_vision>(device);
    const std::vector<float> pixels(2 * 3 * 14 * 14);
    EXPECT_TRUE(images.encode(pixels, 2));
    EXPECT_FAILS(images.encode(pixels, 3), errc::shape_mismatch, "pixel_values: 1176 numbers are not 3 images of 588");
    EXPECT_FAILS(images.encode({}, 0), errc::shape_mismatch, "0 images");
}

TEST(Clip, ForwardComparesTheWorkspaceFirst) {
    cpu<> device;
    const auto model = tiny<tiny_text>(device);
    const std::vector<std::int32_t> ids{98, 7, 99};
    const std::int32_t pooled = 2;
    const CLIPTextInput in{{ids.data(), extents<dyn, dyn>(1, 3)}, {&pooled, extents<dyn>(1)}, {}};
    std::vector<float> hidden(3 * 16, 7), embeds(12, 7);
    constexpr clip_text_limits l{.tokens = 3};
    const host_buffer memory(tiny_text::workspace_bytes(l));
    const auto run = [&](const CLIPTextInput& x, std::size_t bytes, clip_text_limits limits) {
        return model.forward(x, hidden, embeds, memory.span().first(bytes), limits).state;
    };
    const std::vector<float> untouched(3 * 16, 7);
    EXPECT_EQ(run(in, memory.span().size() - 1, l).code, errc::workspace_too_small);
    EXPECT_EQ(run(in, memory.span().size(), {.tokens = 2}).code, errc::shape_mismatch);
    CLIPTextInput other = in;
    other.pooled = {&pooled, extents<dyn>(2)};
    EXPECT_EQ(run(other, memory.span().size(), l).code, errc::shape_mismatch);
    const std::uint8_t mask[4] = {1, 1, 1, 1};
    other = in;
    other.attention_mask = {mask, extents<dyn, dyn>(1, 4)};
    EXPECT_EQ(run(other, memory.span().size(), l).code, errc::shape_mismatch);
    const auto into = [&](std::span<float> h, std::span<float> e) {
        return model.forward(in, h, e, memory.span(), l).state;
    };
    EXPECT_EQ(into(std::span(hidden).first(3 * 16 - 1), embeds).code, errc::shape_mismatch);
    EXPECT_EQ(into(hidden, {}).code, errc::shape_mismatch);
    EXPECT_EQ(hidden, untouched);
    EXPECT_TRUE(run(in, memory.span().size(), l).ok());
    EXPECT_NE(hidden, untouched);
}

/// A source with other names of tensors.
class renamed {
public:
    explicit renamed(const tensor_list& list) : source_(list.infos()), infos_(list.infos()) {}
    void erase(std::size_t i) { infos_.erase(infos_.begin() + static_cast<std::ptrdiff_t>(i)); }
    void add(std::string_view name) { infos_.push_back({name, 1, {3}}); }
    std::size_t size() const { return infos_.size(); }
    tensor_info info(std::size_t i) const { return infos_[i]; }
    status read(std::size_t i, std::int64_t first, std::span<float> out) const {
        return infos_[i].rank == 1 && infos_[i].dims[0] == 3 ? status::invalid("read of what no model has")
                                                             : source_.read(i, first, out);
    }

private:
    io::synthetic_source source_;
    std::vector<tensor_info> infos_;
};

TEST(Clip, LoadsOldFilesAndNamesWhatIsMissing) {
    cpu<> device;
    const tensor_list tensors(configs::text_quick_gelu);
    renamed old(tensors);
    old.add("text_model.embeddings.position_ids");
    EXPECT_TRUE(tiny_text::load(device, old));
    old.add("text_model.embeddings.extra");
    EXPECT_FAILS(tiny_text::load(device, old), errc::invalid_argument,
                 "1 unexpected tensor: text_model.embeddings.extra");
    renamed less(tensors);
    less.erase(0);
    EXPECT_FAILS(tiny_text::load(device, less), errc::not_found,
                 "1 missing tensor: text_model.embeddings.token_embedding.weight");
}

// ---- config.json ---------------------------------------------------------------------------------------------------

TEST(ClipConfig, ReadsDefaultsAndNamesWhatIsWrong) {
    const auto text = [](std::string_view s) { return io::parse_config<CLIPTextConfig>(s); };
    const auto vision = [](std::string_view s) { return io::parse_config<CLIPVisionConfig>(s); };
    EXPECT_EQ(*text("{}"), CLIPTextConfig{});
    EXPECT_EQ(*vision("{}"), CLIPVisionConfig{});
    EXPECT_EQ(text(R"({"projection_dim": null})")->projection_dim, 0);
    EXPECT_EQ(text(R"({"dropout": 0.0, "bos_token_id": 0, "torch_dtype": "float16", "id2label": {}})")->hidden_size,
              512);
    EXPECT_EQ(text(R"({"architectures": ["CLIPTextModel"], "projection_dim": 512})")->projection_dim, 0);
    EXPECT_EQ(vision(R"({"architectures": ["CLIPVisionModel"]})")->projection_dim, 0);
    EXPECT_FAILS(text(R"({"architectures": ["CLIPModel"]})"), errc::unsupported,
                 "config.json: field 'architectures' is [\"CLIPModel\"]; allowed: [\"CLIPTextModel\"]");
    EXPECT_FAILS(text(R"({"model_type": "clip_vision_model"})"), errc::unsupported, "\"clip_text_model\"");
    EXPECT_FAILS(vision(R"({"model_type": "siglip"})"), errc::unsupported, "\"clip_vision_model\"");
    EXPECT_FAILS(text(R"({"hidden_act": "gelu_new"})"), errc::invalid_argument, "\"quick_gelu\", \"gelu\"");
    EXPECT_FAILS(text(R"({"hidden_size": 100})"), errc::invalid_argument,
                 "hidden_size must be a multiple of num_attention_heads (got 100, limit 8)");
    EXPECT_FAILS(text(R"({"num_attention_heads": 0})"), errc::invalid_argument, "field 'num_attention_heads' is 0");
    EXPECT_FAILS(text(R"({"eos_token_id": [1, 2]})"), errc::invalid_argument, "field 'eos_token_id'");
    EXPECT_FAILS(vision(R"({"image_size": 16})"), errc::invalid_argument,
                 "image_size must be patch_size or more (got 16, limit 32)");
    EXPECT_FAILS(vision(R"({"patch_size": [14, 14]})"), errc::invalid_argument, "field 'patch_size'");
}

TEST(ClipConfig, ReadsBothHalvesOfAClipModel) {
    const auto text = [](std::string_view s) { return io::parse_config<CLIPTextConfig>(s); };
    const auto vision = [](std::string_view s) { return io::parse_config<CLIPVisionConfig>(s); };
    // As in openai's files: a dictionary has precedence over the section, and the projection is that of the whole
    // model.
    constexpr std::string_view both = R"({"model_type": "clip", "architectures": ["CLIPModel"], "projection_dim": 768,
        "logit_scale_init_value": 2.6592, "text_config_dict": {"hidden_size": 768, "intermediate_size": 3072,
        "num_attention_heads": 12}, "text_config": {"hidden_size": 64, "architectures": ["CLIPTextModel"]},
        "vision_config_dict": null, "vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "patch_size": 14,
        "num_hidden_layers": 24, "num_attention_heads": 16, "projection_dim": 12, "model_type": "clip_vision_model"}})";
    EXPECT_EQ(*text(both), presets::clip_vit_l_14);
    EXPECT_EQ(*vision(both), presets::clip_vit_l_14_vision);
    EXPECT_EQ(*text(R"({"model_type": "clip"})"), CLIPTextConfig{});
    EXPECT_EQ(*text(R"({"model_type": "clip", "text_config": {"architectures": ["CLIPTextModel"]}})"),
              CLIPTextConfig{});
    EXPECT_FAILS(text(R"({"model_type": "clip", "text_config": {"hidden_size": 0}})"), errc::invalid_argument,
                 "config.json: text_config: field 'hidden_size' is 0; allowed: an integer from 1");
    EXPECT_FAILS(vision(R"({"model_type": "clip", "vision_config": 3})"), errc::bad_format,
                 "config.json: vision_config: is 3, not an object");
    EXPECT_FAILS(text(R"({"model_type": "clip", "projection_dim": null})"), errc::invalid_argument,
                 "field 'projection_dim' is null; allowed where model_type is \"clip\": an integer from 1");
    EXPECT_FAILS(text(R"({"model_type": "clip", "architectures": ["CLIPSegModel"]})"), errc::unsupported,
                 "field 'architectures' is [\"CLIPSegModel\"]; allowed where model_type is \"clip\": [\"CLIPModel\"]");
    EXPECT_FAILS(text(R"({"model_type": "clip", "text_config": {)"), errc::bad_format, "config.json:1:");
}

} // namespace
