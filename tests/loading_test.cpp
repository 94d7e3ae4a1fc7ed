// SPDX-License-Identifier: Apache-2.0
// The front door: pipelines and models from folders, and the errors of loading.
#include "apriori/apriori.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "io_testing.hpp"

#include <algorithm>
#include <deque>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace apriori;
namespace fs = std::filesystem;

namespace {

const fs::path digits_folder = APRIORI_DIGITS;

/// A copy of the digits' folder whose files can be changed; the weights are links.
class changed_folder {
public:
    changed_folder() {
        for (const char* part : {"prior", "text_encoder", "tokenizer", "scheduler"}) {
            fs::create_directories(path() / part);
            for (const auto& file : fs::directory_iterator(digits_folder / part))
                if (file.path().extension() == ".safetensors")
                    fs::create_symlink(file.path(), path() / part / file.path().filename());
                else
                    fs::copy_file(file.path(), path() / part / file.path().filename());
        }
    }
    const fs::path& path() const { return folder_.path; }
    /// Sets a field of a JSON file, replacing its value.
    void set(const fs::path& file, const std::string& field, const std::string& value) const {
        auto object = nlohmann::json::parse(io_testing::read_all(path() / file));
        object[field] = nlohmann::json::parse(value);
        std::ofstream(path() / file) << object;
    }
    void put(const fs::path& file, const std::string& text) const { std::ofstream(path() / file) << text; }

private:
    io_testing::temporary_folder folder_;
};

std::string error_of(const auto& r) { return r ? std::string("no error") : r.error().message; }

TEST(Load, PipelineMakesWhatItsPartsMake) {
    cpu<> device;
    const auto pipeline = load<digits>(device, digits_folder);
    ASSERT_TRUE(pipeline) << error_of(pipeline);
    const std::string_view texts[] = {"a handwritten seven", "a bold two"};
    const auto made =
        (*pipeline)(texts, {.seed = 5, .num_inference_steps = 4, .num_images_per_prompt = 2, .negative_prompt = "one"});
    ASSERT_TRUE(made) << error_of(made);

    const auto tokenizer = io::load_clip_tokenizer(digits_folder / "tokenizer");
    const auto scheduler = io::load_scheduler_config(digits_folder / "scheduler");
    const auto text_weights = io::open_weights(digits_folder / "text_encoder"),
               prior_weights = io::open_weights(digits_folder / "prior");
    ASSERT_TRUE(tokenizer && scheduler && text_weights && prior_weights);
    const auto text = CLIPTextModelWithProjection<presets::digits_text, cpu<>>::load(device, *text_weights);
    const auto prior = PriorTransformer<presets::digits, cpu<>>::load(device, *prior_weights);
    ASSERT_TRUE(text && prior);
    torch_generator random(5);
    const std::string_view negative[] = {"one", "one"};
    const auto want = text_to_embedding(*tokenizer, *text, *prior, *scheduler)(
        texts, random,
        {.num_inference_steps = 4, .num_images_per_prompt = 2, .negative_prompt = negative, .mask_text_encoder = true});
    ASSERT_TRUE(want) << error_of(want);
    EXPECT_EQ(made->rows, 4);
    EXPECT_EQ(made->image_embeds, want->image_embeds);

    const auto one = (*pipeline)("a handwritten seven", {.seed = 5, .num_inference_steps = 4});
    ASSERT_TRUE(one) << error_of(one);
    EXPECT_EQ(one->rows, 1);
}

/// Every field of a configuration is compared: if only that field differs, the folder is refused.
template <auto Config, class Load>
void refuses_each_field(const fs::path& file, Load&& loads) {
    using config_type = std::remove_cvref_t<decltype(Config)>;
    int compared = 0;
    for_each_field<config_type>([&](const field<config_type>& f) {
        if (f.inert) return;
        config_type other = Config; // with another value that the field may have
        bool found = false;
        for (const double v : {f.get(Config) + f.get(Config), f.get(Config) + 1, 0.0, 1.0, 2.0})
            if (!found && v != f.get(Config) && f.holds(v)) {
                f.set(other, v);
                found = f.get(canonical(other)) != f.get(canonical(Config));
            }
        ASSERT_TRUE(found) << f.name;
        short_text<64> value, own;
        f.add_value(value, f.get(other));
        f.add_value(own, f.get(canonical(Config)));
        const changed_folder folder;
        folder.set(file, std::string(f.name), std::string(value.view()));
        if (!io::load_config<config_type>(folder.path() / file)) return; // another field would have to change too
        ++compared;
        const std::string error = error_of(loads(folder.path()));
        EXPECT_NE(error.find((folder.path() / file).string()), error.npos) << error;
        EXPECT_NE(error.find("field '" + std::string(f.name) + "' is " + std::string(value.view()) + ";"), error.npos)
            << error;
        EXPECT_NE(error.find("has " + std::string(own.view()) + ";"), error.npos) << error;
    });
    EXPECT_GT(compared, 7);
}

TEST(Load, RefusesAPriorOfAnotherConfiguration) {
    cpu<> device;
    refuses_each_field<presets::digits>("prior/config.json",
                                        [&](const fs::path& folder) { return load<digits>(device, folder); });
    refuses_each_field<presets::digits>("prior/config.json", [&](const fs::path& folder) {
        return load<PriorTransformer<presets::digits, cpu<>>>(device, folder / "prior");
    });
}

TEST(Load, RefusesATextEncoderOfAnotherConfiguration) {
    cpu<> device;
    refuses_each_field<presets::digits_text>("text_encoder/config.json",
                                             [&](const fs::path& folder) { return load<digits>(device, folder); });
}

TEST(Load, KeysThatChangeNothingAreAWarning) {
    const changed_folder folder;
    folder.set("prior/config.json", "attention_type", "\"default\"");
    folder.set("scheduler/scheduler_config.json", "timestep_type", "\"discrete\"");
    folder.set("text_encoder/config.json", "anything", "1");
    const io_testing::captured_warnings warnings;
    cpu<> device;
    const auto pipeline = load<digits>(device, folder.path());
    ASSERT_TRUE(pipeline) << error_of(pipeline);
    for (const char* part : {"/prior/config.json: ignored: 'attention_type'; PriorTransformer has no such field",
                             "/scheduler/scheduler_config.json: ignored: 'timestep_type'; UnCLIPScheduler has no"})
        EXPECT_TRUE(std::any_of(warnings.texts().begin(), warnings.texts().end(), [&](const std::string& w) {
            return w.find(part) != std::string::npos;
        })) << part;
    for (const std::string& w : warnings.texts()) EXPECT_EQ(w.find("anything"), std::string::npos) << w;

    folder.set("text_encoder/config.json", "quantization_config", "{\"bits\": 4}");
    const auto quantized = load<digits>(device, folder.path());
    EXPECT_NE(error_of(quantized).find("field 'quantization_config' is an object; allowed: null"), std::string::npos);
}

TEST(Load, HeadsThatOnlyTheConfigurationTells) {
    cpu<> device;
    constexpr PriorConfig eight_heads{
        .num_attention_heads = 8, .attention_head_dim = 16, .num_layers = 4, .embedding_dim = 64, .num_embeddings = 16};
    // every tensor has the shape that this type expects, so that a source of tensors without a configuration is
    // accepted
    using other = PriorTransformer<eight_heads, cpu<>>;
    const auto weights = io::open_weights(digits_folder / "prior");
    ASSERT_TRUE(weights);
    EXPECT_TRUE(other::load(device, *weights));
    EXPECT_NE(error_of(load<other>(device, digits_folder / "prior"))
                  .find("config.json: field 'num_attention_heads' is 4; the type that is to be loaded has 8"),
              std::string::npos);
}

TEST(Load, SaysWhichPartIsMissingOrDoesNotFit) {
    cpu<> device;
    EXPECT_NE(error_of(load<digits>(device, "no/such/folder")).find("no/such/folder: no such folder"),
              std::string::npos);
    EXPECT_NE(error_of(load<digits>(device, digits_folder / "prior")).find("holds no folder prior"), std::string::npos);
    const changed_folder folder;
    folder.set("tokenizer/tokenizer_config.json", "model_max_length", "15");
    EXPECT_NE(
        error_of(load<digits>(device, folder.path())).find("model_max_length is 15; the prior's num_embeddings is 16"),
        std::string::npos);
    folder.put("scheduler/scheduler_config.json", "{\"_class_name\": \"EulerScheduler\"}");
    EXPECT_NE(error_of(load<digits>(device, folder.path())).find("scheduler_config.json: field '_class_name' is"),
              std::string::npos);
    folder.put("prior/config.json", "{\"num_layers\": }");
    EXPECT_NE(error_of(load<digits>(device, folder.path())).find("prior/config.json:1:16"), std::string::npos);
}

// ---- added tokens --------------------------------------------------------------------------------------------------

using digits_encoder = CLIPTextModelWithProjection<presets::digits_text, cpu<>>;
/// The digits' text encoder as a type with 613 tokens.
constexpr CLIPTextConfig more_tokens = [] {
    CLIPTextConfig c = presets::digits_text;
    c.vocab_size = 613;
    return c;
}();

/// The digits with two tokens added to the tokenizer and to the text encoder, as by resize_token_embeddings.
class added_tokens_folder : public changed_folder {
public:
    explicit added_tokens_folder(index_t rows = 613) {
        put("tokenizer/added_tokens.json", R"({"<cat-toy>": 611, "<dog-toy>": 612})");
        set("text_encoder/config.json", "vocab_size", "613");
        const fs::path file = path() / "text_encoder/model.safetensors";
        const auto source = io::open_weights(digits_folder / "text_encoder");
        if (!source) throw std::runtime_error(source.error().message);
        std::deque<std::vector<float>> values;
        io::safetensors_writer out;
        for (std::size_t i = 0; i < source->size(); ++i) {
            tensor_info t = source->info(i);
            auto& all = values.emplace_back(to_size(t.size()));
            EXPECT_TRUE(source->read(i, 0, all).ok());
            if (t.name.ends_with("token_embedding.weight")) {
                t.dims[0] = rows;
                for (index_t n = 0; std::ssize(all) < t.size(); ++n) all.push_back(0.01f * float(n % 17 - 8));
            }
            EXPECT_TRUE(out.add(t.name, std::span(t.dims).first(to_size(t.rank)), all));
        }
        fs::remove(file);
        EXPECT_TRUE(out.write(file));
    }
};

TEST(AddedTokens, ATextEncoderLoadsWithALargerTable) {
    cpu<> device;
    const added_tokens_folder folder;
    const auto encoder = load<digits_encoder>(device, folder.path() / "text_encoder");
    ASSERT_TRUE(encoder) << error_of(encoder);
    EXPECT_EQ(encoder->vocab_size(), 613);
    // The results are those of a model whose configuration has 613 tokens, bit for bit; without the new tokens, those
    // of the one with 611.
    const auto of_613 = load<CLIPTextModelWithProjection<more_tokens, cpu<>>>(device, folder.path() / "text_encoder");
    const auto of_611 = load<digits_encoder>(device, digits_folder / "text_encoder");
    ASSERT_TRUE(of_613 && of_611) << error_of(of_613) << error_of(of_611);
    const std::vector<std::int32_t> old{609, 320, 321, 610}, added{609, 611, 612, 610};
    const auto old_here = encoder->encode(old, 1), old_there = of_611->encode(old, 1),
               added_here = encoder->encode(added, 1), added_there = of_613->encode(added, 1);
    ASSERT_TRUE(old_here && old_there && added_here && added_there)
        << error_of(old_here) << error_of(old_there) << error_of(added_here) << error_of(added_there);
    EXPECT_EQ(old_here->last_hidden_state, old_there->last_hidden_state);
    EXPECT_EQ(added_here->text_embeds, added_there->text_embeds);
    EXPECT_NE(added_here->text_embeds, old_here->text_embeds);
    EXPECT_NE(encoder->shared_weights()->hash(), of_611->shared_weights()->hash());
    EXPECT_NE(error_of(encoder->encode(std::vector<std::int32_t>{613}, 1)).find("input_ids: 613; allowed: 0 to 612"),
              std::string::npos);
    // Weights that are partly packed again have the same rows.
    const auto source = io::open_weights(folder.path() / "text_encoder");
    const std::string names[] = {"text_model.embeddings.token_embedding.weight"};
    const auto again = encoder->shared_weights()->repack(device, *source, names);
    ASSERT_TRUE(again) << error_of(again);
    const auto bytes = (*again)->packed_bytes(), own = encoder->shared_weights()->packed_bytes();
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), own.begin(), own.end()));
    EXPECT_NE(error_of(io::write_packed_file(*encoder, folder.path() / "image"))
                  .find("no room for the 2 tokens that were added"),
              std::string::npos);
}

TEST(AddedTokens, APipelineTakesThem) {
    cpu<> device;
    const added_tokens_folder folder;
    const auto pipeline = load<digits>(device, folder.path());
    ASSERT_TRUE(pipeline) << error_of(pipeline);
    const call_options few{.seed = 3, .num_inference_steps = 2};
    const auto one = (*pipeline)("a <cat-toy>", few), other = (*pipeline)("a <dog-toy>", few);
    ASSERT_TRUE(one && other) << error_of(one);
    EXPECT_NE(one->image_embeds, other->image_embeds);
}

TEST(AddedTokens, WhatDoesNotFitTogetherIsNamed) {
    cpu<> device;
    const added_tokens_folder folder;
    // Only the tokenizer has the tokens.
    fs::remove_all(folder.path() / "text_encoder");
    fs::copy(digits_folder / "text_encoder", folder.path() / "text_encoder");
    const auto pipeline = load<digits>(device, folder.path());
    ASSERT_TRUE(pipeline) << error_of(pipeline);
    const std::string_view texts[] = {"a seven", "a <dog-toy>"};
    EXPECT_EQ(error_of((*pipeline)(texts)),
              "text 2: the token \"<dog-toy>\" has the id 612; the text encoder has ids from 0 to 610; load the text "
              "encoder that was saved with this tokenizer, or leave the token out");
    EXPECT_TRUE((*pipeline)("a seven"));

    // The table has another number of rows than config.json.
    const added_tokens_folder short_table(612);
    EXPECT_NE(error_of(load<digits>(device, short_table.path()))
                  .find("config.json: field 'vocab_size' is 613; the token_embedding.weight beside it has 612"),
              std::string::npos);
    // With eos_token_id 2 the largest id is pooled, which would be an added token.
    const added_tokens_folder old;
    old.set("text_encoder/config.json", "eos_token_id", "2");
    EXPECT_NE(error_of(load<digits>(device, old.path()))
                  .find("field 'eos_token_id' is 2; the type that is to be loaded has 610"),
              std::string::npos);
    constexpr CLIPTextConfig largest = [] {
        CLIPTextConfig c = presets::digits_text;
        c.eos_token_id = 2;
        return c;
    }();
    EXPECT_TRUE((load<CLIPTextModelWithProjection<largest, cpu<>>>(device, old.path() / "text_encoder")));
}

// ---- both encoders in one file -------------------------------------------------------------------------------------

constexpr CLIPTextConfig half_text{.vocab_size = 100,
                                   .hidden_size = 16,
                                   .intermediate_size = 40,
                                   .projection_dim = 12,
                                   .num_hidden_layers = 2,
                                   .num_attention_heads = 2,
                                   .max_position_embeddings = 9,
                                   .eos_token_id = 99};
constexpr CLIPVisionConfig half_vision{.hidden_size = 16,
                                       .intermediate_size = 40,
                                       .projection_dim = 12,
                                       .num_hidden_layers = 2,
                                       .num_attention_heads = 2,
                                       .image_size = 14,
                                       .patch_size = 4};

/// A folder of two recorded encoders, as transformers' CLIPModel writes it.
class clip_model_folder {
public:
    clip_model_folder() {
        nlohmann::json config{{"model_type", "clip"}, {"architectures", {"CLIPModel"}}, {"projection_dim", 12}};
        std::deque<std::vector<float>> values;
        io::safetensors_writer out;
        for (const auto& [part, from] : {std::pair{"text_config", text}, std::pair{"vision_config", vision}}) {
            config[part] = nlohmann::json::parse(io_testing::read_all(from / "config.json"));
            config[part]["projection_dim"] = 512; // as CLIPConfig writes it
            const auto source = io::open_weights(from);
            if (!source) throw std::runtime_error(source.error().message);
            for (std::size_t i = 0; i < source->size(); ++i) {
                const tensor_info t = source->info(i);
                auto& all = values.emplace_back(to_size(t.size()));
                EXPECT_TRUE(source->read(i, 0, all).ok());
                EXPECT_TRUE(out.add(t.name, std::span(t.dims).first(to_size(t.rank)), all));
            }
        }
        EXPECT_TRUE(out.add("logit_scale", {}, values.emplace_back(1, 2.6592f)));
        EXPECT_TRUE(out.add("vision_model.embeddings.position_ids", {1, 10}, values.emplace_back(10)));
        EXPECT_TRUE(out.write(folder.path / "model.safetensors"));
        folder.write("config.json", config.dump());
    }

    const fs::path text = io_testing::data / "clip/text_quick_gelu",
                   vision = io_testing::data / "clip/vision_quick_gelu";
    const io_testing::temporary_folder folder;
};

TEST(ClipModel, EachEncoderLoadsFromTheFileOfBoth) {
    cpu<> device;
    const clip_model_folder both;
    using Text = CLIPTextModelWithProjection<half_text, cpu<>>;
    using Vision = CLIPVisionModelWithProjection<half_vision, cpu<>>;
    const auto text = load<Text>(device, both.folder.path), text_alone = load<Text>(device, both.text);
    ASSERT_TRUE(text && text_alone) << error_of(text) << error_of(text_alone);
    const auto vision = load<Vision>(device, both.folder.path), vision_alone = load<Vision>(device, both.vision);
    ASSERT_TRUE(vision && vision_alone) << error_of(vision) << error_of(vision_alone);
    const std::vector<std::int32_t> ids{98, 7, 42, 99};
    EXPECT_EQ(text->encode(ids, 1)->text_embeds, text_alone->encode(ids, 1)->text_embeds);
    EXPECT_EQ(*vision->zero_image_embedding(), *vision_alone->zero_image_embedding());

    // Neither half hides tensors that do not belong to it.
    const auto weights = io::open_weights(both.folder.path);
    ASSERT_TRUE(weights);
    constexpr CLIPTextConfig without = without_projection(half_text);
    EXPECT_NE(error_of(CLIPTextModel<without, cpu<>>::load(device, *weights))
                  .find("1 unexpected tensor: text_projection.weight"),
              std::string::npos);
    constexpr CLIPTextConfig wide = [] {
        CLIPTextConfig c = half_text;
        c.projection_dim = 512;
        return c;
    }();
    EXPECT_NE(error_of(load<CLIPTextModelWithProjection<wide, cpu<>>>(device, both.folder.path))
                  .find("field 'projection_dim' is 12; the type that is to be loaded has 512"),
              std::string::npos);
}

TEST(Load, FindsThePartsOfACombinedPipeline) {
    cpu<> device;
    const changed_folder folder;
    for (const char* part : {"prior", "text_encoder", "tokenizer", "scheduler"})
        fs::rename(folder.path() / part, folder.path() / (std::string("prior_") + part));
    fs::create_directories(folder.path() / "scheduler"); // the decoder's
    EXPECT_TRUE(load<digits>(device, folder.path())) << error_of(load<digits>(device, folder.path()));
}

constexpr PriorConfig two_heads{
    .num_attention_heads = 2, .attention_head_dim = 64, .num_layers = 4, .embedding_dim = 64, .num_embeddings = 16};
using other_digits = unclip<two_heads, presets::digits_text>;
TEST(Variants, TakesTheOneThatTheFolderNames) {
    cpu<> device;
    const auto chosen = variants<other_digits, digits>::load(device, digits_folder);
    ASSERT_TRUE(chosen) << error_of(chosen);
    EXPECT_EQ(chosen->index(), 1u);
    const auto one = load<digits>(device, digits_folder);
    ASSERT_TRUE(one);
    const call_options few{.seed = 3, .num_inference_steps = 2};
    const auto a = (*chosen)("a handwritten two", few), b = (*one)("a handwritten two", few);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->image_embeds, b->image_embeds);

    using models = variants<PriorTransformer<two_heads, cpu<>>, PriorTransformer<presets::digits, cpu<>>>;
    const auto model = models::load(device, digits_folder / "prior");
    ASSERT_TRUE(model) << error_of(model);
    EXPECT_EQ(model->index(), 1u);
}

TEST(Variants, SaysInWhatEachDiffers) {
    cpu<> device;
    const changed_folder folder;
    folder.set("prior/config.json", "num_layers", "5");
    const std::string error = error_of(variants<other_digits, digits>::load(device, folder.path()));
    EXPECT_NE(error.find("none of the compiled variants is the model of this folder"), error.npos) << error;
    EXPECT_NE(error.find("field 'num_attention_heads' is 4; the type that is to be loaded has 2"), error.npos) << error;
    EXPECT_NE(error.find("field 'num_layers' is 5; the type that is to be loaded has 4"), error.npos) << error;
    EXPECT_NE(error_of(variants<other_digits, digits>::load(device, "nowhere")).find("nowhere: no such folder"),
              std::string::npos);
}

TEST(Report, GivesAnExitCode) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(report({errc::invalid_argument, "what is wrong"}), 2);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: what is wrong\n");
    EXPECT_EQ(exit_code_of(errc::ok), 0);
    EXPECT_EQ(exit_code_of(errc::device_error), 3);
    EXPECT_EQ(exit_code_of(errc::cancelled), 130);
}

} // namespace
