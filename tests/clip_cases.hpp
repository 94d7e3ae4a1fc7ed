// SPDX-License-Identifier: Apache-2.0
// The folders of tests/reference/clip, whose numbers come from transformers, as types, and the digits model's own text
// encoder. Every case runs on a device, with all rows together and one by one.
#pragma once

#include "model_testing.hpp"
#include "sanitizers.hpp"

#include "apriori/io/config_json.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/clip_vision_model.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <nlohmann/json.hpp>

namespace clip_testing {

using namespace apriori;
using model_testing::same_bits;
using model_testing::within;
using model_testing::worst_of;

inline const std::filesystem::path folder_of_cases = std::filesystem::path(APRIORI_TEST_DATA) / "clip";

namespace configs {
inline constexpr CLIPTextConfig text_quick_gelu{.vocab_size = 100,
                                                .hidden_size = 16,
                                                .intermediate_size = 40,
                                                .projection_dim = 12,
                                                .num_hidden_layers = 2,
                                                .num_attention_heads = 2,
                                                .max_position_embeddings = 9,
                                                .eos_token_id = 99};
inline constexpr CLIPTextConfig text_gelu = [] {
    CLIPTextConfig c = text_quick_gelu;
    c.num_attention_heads = 4;
    c.hidden_act = clip_activation::gelu;
    c.layer_norm_eps = 1e-3f;
    return c;
}();
inline constexpr CLIPTextConfig text_no_projection = without_projection(text_quick_gelu);
inline constexpr CLIPTextConfig text_largest_id = [] {
    CLIPTextConfig c = text_quick_gelu;
    c.eos_token_id = 2;
    return c;
}();
inline constexpr CLIPTextConfig text_odd = [] {
    CLIPTextConfig c = text_quick_gelu;
    c.hidden_size = 21;
    c.num_attention_heads = 3;
    c.intermediate_size = 19;
    c.projection_dim = 5;
    return c;
}();
/// A published model with one layer and a small vocabulary.
constexpr CLIPTextConfig wide(CLIPTextConfig c) {
    c.vocab_size = 1000;
    c.num_hidden_layers = 1;
    c.eos_token_id = 999;
    return c;
}
inline constexpr CLIPTextConfig text_vit_l_14_wide = wide(presets::clip_vit_l_14);
inline constexpr CLIPTextConfig text_vit_big_g_14_wide = wide(presets::clip_vit_big_g_14);

inline constexpr CLIPVisionConfig vision_quick_gelu{.hidden_size = 16,
                                                    .intermediate_size = 40,
                                                    .projection_dim = 12,
                                                    .num_hidden_layers = 2,
                                                    .num_attention_heads = 2,
                                                    .image_size = 14,
                                                    .patch_size = 4};
inline constexpr CLIPVisionConfig vision_gelu = [] {
    CLIPVisionConfig c = vision_quick_gelu;
    c.hidden_act = clip_activation::gelu;
    c.patch_size = 7;
    c.num_channels = 1;
    return c;
}();
inline constexpr CLIPVisionConfig vision_no_projection = without_projection(vision_quick_gelu);
/// A published model with one layer and small images.
constexpr CLIPVisionConfig wide(CLIPVisionConfig c) {
    c.num_hidden_layers = 1;
    c.image_size = 56;
    return c;
}
inline constexpr CLIPVisionConfig vision_vit_l_14_wide = wide(presets::clip_vit_l_14_vision);
inline constexpr CLIPVisionConfig vision_vit_big_g_14_wide = wide(presets::clip_vit_big_g_14_vision);
} // namespace configs

/// A file of named tensors, read as floats.
class tensor_file {
public:
    explicit tensor_file(const std::filesystem::path& path) : file_(io::open_weights(path)) {
        EXPECT_TRUE(file_) << file_.error().message;
    }
    /// Empty if there is no tensor of that name.
    std::vector<float> read(const std::string& name, tensor_info* shape = nullptr) const {
        std::vector<float> values;
        if (const auto i = file_->find(name)) {
            if (shape != nullptr) *shape = file_->info(*i);
            values.resize(static_cast<std::size_t>(file_->info(*i).size()));
            EXPECT_TRUE(file_->read(*i, 0, values).ok()) << name;
        }
        return values;
    }
    /// The parts of all names before their first full stop.
    std::set<std::string> cases() const {
        std::set<std::string> names;
        for (std::size_t i = 0; i < file_->size(); ++i) {
            const std::string name(file_->info(i).name);
            names.insert(name.substr(0, name.find('.')));
        }
        return names;
    }

private:
    decltype(io::open_weights(std::filesystem::path())) file_;
};

template <class To>
std::vector<To> as(const std::vector<float>& values) {
    std::vector<To> out;
    for (const float v : values) out.push_back(static_cast<To>(v));
    return out;
}

/// The model of a folder with its weights, or with synthetic ones if the folder has none.
template <class Model>
std::optional<Model> load(typename Model::device_type& device, const std::filesystem::path& folder) {
    std::optional<Model> model;
    const auto take = [&](const auto& source) {
        auto loaded = Model::load(device, source);
        EXPECT_TRUE(loaded) << loaded.error().message;
        if (loaded) model.emplace(*std::move(loaded));
    };
    if (std::filesystem::exists(folder / "model.safetensors")) {
        const auto source = io::open_weights(folder);
        EXPECT_TRUE(source) << source.error().message;
        if (source) take(*source);
    } else {
        const tensor_list tensors(Model::config);
        take(io::synthetic_source(tensors.infos()));
    }
    return model;
}

/// [rows, tokens, width] -> [rows, 2, width]: the first and the last token, which wide cases have recorded.
inline std::vector<float> ends(const std::vector<float>& hidden, index_t tokens, index_t width) {
    std::vector<float> out;
    const index_t rows = static_cast<index_t>(hidden.size()) / (tokens * width);
    for (index_t r = 0; r < rows; ++r)
        for (const index_t t : {index_t{0}, tokens - 1})
            for (index_t i = 0; i < width; ++i)
                out.push_back(hidden[static_cast<std::size_t>((r * tokens + t) * width + i)]);
    return out;
}

/// How results may depend on the number of rows that are computed together: not by a bit, or by rounding.
enum class chunks { same_bits, within_rounding };

/// Checks a case for several numbers of rows at a time: `encode(rows)` returns hidden states and embeddings.
template <class Encode>
void check(const tensor_file& file, const std::string& name, index_t rows, index_t tokens, index_t width,
           chunks promise, Encode&& encode) {
    SCOPED_TRACE(name);
    const auto expected_hidden = file.read(name + ".out.last_hidden_state"), expected = file.read(name + ".out.embeds");
    ASSERT_FALSE(expected.empty());
    const auto [hidden, embeds] = encode(rows);
    const bool two = expected_hidden.size() < hidden.size();
    EXPECT_TRUE(within(worst_of(two ? ends(hidden, tokens, width) : hidden, expected_hidden)));
    EXPECT_TRUE(within(worst_of(embeds, expected)));
    for (const index_t at_once : {index_t{1}, index_t{2}}) {
        if (at_once >= rows) continue;
        const auto [part_hidden, part_embeds] = encode(at_once);
        if (promise == chunks::same_bits) {
            EXPECT_TRUE(same_bits(part_hidden, hidden)) << at_once << " rows at a time";
            EXPECT_TRUE(same_bits(part_embeds, embeds)) << at_once << " rows at a time";
        } else {
            EXPECT_TRUE(within(worst_of(part_embeds, expected))) << at_once << " rows at a time";
        }
    }
}

template <CLIPTextConfig C, class Device>
void check_text(Device& device, const std::string& folder, chunks promise) {
    const auto config = io::load_config<CLIPTextConfig>(folder_of_cases / folder);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config, C);
    const auto model = load<CLIPTextModelWithProjection<C, Device>>(device, folder_of_cases / folder);
    ASSERT_TRUE(model);
    const tensor_file file(folder_of_cases / folder / "cases.safetensors");
    const auto cases = file.cases();
    EXPECT_GE(cases.size(), 2U);
    for (const std::string& name : cases) {
        tensor_info shape;
        const auto ids = as<std::int32_t>(file.read(name + ".in.input_ids", &shape));
        const auto mask = as<std::uint8_t>(file.read(name + ".in.attention_mask"));
        check(file, name, shape.dims[0], shape.dims[1], C.hidden_size, promise, [&](index_t rows) {
            const auto y = model->encode(ids, shape.dims[0], mask, {.rows = rows});
            EXPECT_TRUE(y) << y.error().message;
            return std::pair(y->last_hidden_state, y->text_embeds);
        });
    }
}

template <CLIPVisionConfig C, class Device>
void check_vision(Device& device, const std::string& folder, chunks promise) {
    const auto config = io::load_config<CLIPVisionConfig>(folder_of_cases / folder);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config, C);
    const auto model = load<CLIPVisionModelWithProjection<C, Device>>(device, folder_of_cases / folder);
    ASSERT_TRUE(model);
    const tensor_file file(folder_of_cases / folder / "cases.safetensors");
    for (const std::string& name : file.cases()) {
        tensor_info shape;
        shape.dims[0] = 1;
        auto pixels = file.read(name + ".in.pixel_values", &shape);
        if (pixels.empty()) { // large images are not in the file
            pixels.resize(std::size_t{C.num_channels} * C.image_size * C.image_size);
            io::synthetic_normal(folder + ".pixel_values", pixels);
        }
        check(file, name, shape.dims[0], C.tokens(), C.hidden_size, promise, [&](index_t rows) {
            const auto y = model->encode(pixels, shape.dims[0], {.rows = rows});
            EXPECT_TRUE(y) << y.error().message;
            return std::pair(y->last_hidden_state, y->image_embeds);
        });
    }
    const auto expected_zero = file.read("zero.out.embeds");
    if (expected_zero.empty()) return;
    const auto zero = model->zero_image_embedding();
    ASSERT_TRUE(zero) << zero.error().message;
    EXPECT_TRUE(within(worst_of(*zero, expected_zero)));
}

/// The trained text encoder of examples/digits, on prompts that transformers has encoded with their masks.
template <class Device>
void check_digits(Device& device) {
    const std::filesystem::path digits = APRIORI_DIGITS;
    const auto config = io::load_config<CLIPTextConfig>(digits / "text_encoder");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config, presets::digits_text);
    using model_type = CLIPTextModelWithProjection<presets::digits_text, Device>;
    const auto model = load<model_type>(device, digits / "text_encoder");
    ASSERT_TRUE(model);
    const tensor_file file(digits / "conditions.safetensors");
    const auto text = io::mapped_file::open(digits.parent_path() / "text_cases.json");
    ASSERT_TRUE(text) << text.error().message;
    const auto cases = nlohmann::json::parse(text->text());
    EXPECT_GE(cases.size(), 30U);
    for (const auto& item : cases.items()) {
        const std::string name = item.key().empty() ? "unconditional" : item.key();
        SCOPED_TRACE(name);
        const auto ids = item.value().template get<std::vector<std::int32_t>>();
        const auto mask = as<std::uint8_t>(file.read(name + ".attention_mask"));
        const auto y = model->encode(ids, 1, mask);
        ASSERT_TRUE(y) << y.error().message;
        EXPECT_TRUE(within(worst_of(y->last_hidden_state, file.read(name + ".last_hidden_state"))));
        EXPECT_TRUE(within(worst_of(y->text_embeds, file.read(name + ".text_embeds"))));
    }
}

/// Registers the test clip.<folder> for every folder, on a default-constructed device; `why_not` says why to skip.
template <class Device, chunks Promise = chunks::same_bits>
class reference_tests {
public:
    explicit reference_tests(std::string why_not = {}) : why_not_(std::move(why_not)) {
        add("digits", [](Device& d) { check_digits(d); });
        text<configs::text_quick_gelu>("text_quick_gelu");
        text<configs::text_gelu>("text_gelu");
        text<configs::text_no_projection>("text_no_projection");
        text<configs::text_largest_id>("text_largest_id");
        text<configs::text_odd>("text_odd");
        text<configs::text_vit_l_14_wide>("text_vit_l_14_wide");
        text<configs::text_vit_big_g_14_wide>("text_vit_big_g_14_wide");
        vision<configs::vision_quick_gelu>("vision_quick_gelu");
        vision<configs::vision_gelu>("vision_gelu");
        vision<configs::vision_no_projection>("vision_no_projection");
        vision<configs::vision_vit_l_14_wide>("vision_vit_l_14_wide");
        vision<configs::vision_vit_big_g_14_wide>("vision_vit_big_g_14_wide");
    }

private:
    template <class Body>
    struct one : testing::Test {
        one(Body run, std::string why_not) : run_(run), why_not_(std::move(why_not)) {}
        void TestBody() override {
            if (!why_not_.empty()) GTEST_SKIP() << why_not_;
            Device device;
            run_(device);
        }
        Body run_;
        std::string why_not_;
    };
    template <class Body>
    void add(const char* name, Body run) {
        testing::RegisterTest("clip", name, nullptr, nullptr, __FILE__, __LINE__,
                              [run, why_not = why_not_]() -> testing::Test* { return new one<Body>(run, why_not); });
    }
    template <CLIPTextConfig C>
    void text(const char* name) {
        add(name, [name](Device& d) {
            if (sanitized && C.hidden_size > 1024)
                GTEST_SKIP() << "a minute under the address sanitizer; the narrower ones run the same code";
            check_text<C>(d, name, Promise);
        });
    }
    template <CLIPVisionConfig C>
    void vision(const char* name) {
        add(name, [name](Device& d) { check_vision<C>(d, name, Promise); });
    }
    std::string why_not_;
};

} // namespace clip_testing
