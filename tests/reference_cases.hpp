// SPDX-License-Identifier: Apache-2.0
// The folders of tests/reference/cases, which diffusers computed: config.json, cases.safetensors and weights (synthetic
// ones if the folder has none). Every case is run on a device and compared.
#pragma once

#include "model_testing.hpp"

#include "apriori/io/safetensors.hpp"
#include "apriori/io/synthetic_source.hpp"

#include <cstdio>
#include <filesystem>

namespace model_testing {

inline const std::filesystem::path reference_cases = std::filesystem::path(APRIORI_TEST_DATA) / "cases";

/// The folder of a variant. ECLIPSE's model is not one of diffusers', and has its own folder.
inline std::filesystem::path folder_of(const std::string& variant) {
    return variant == "eclipse" ? std::filesystem::path(APRIORI_TEST_DATA) / variant : reference_cases / variant;
}

/// A case of a folder: its inputs, and diffusers' predicted_image_embedding.
struct reference_case {
    std::string name;
    prior_inputs in;
    std::vector<float> expected;
};

/// All cases of a folder that are a single forward.
inline std::vector<reference_case> read_cases(const std::filesystem::path& folder) {
    std::vector<reference_case> cases;
    const auto file = apriori::io::open_weights(folder / "cases.safetensors");
    if (!file) {
        ADD_FAILURE() << file.error().message;
        return cases;
    }
    const auto read = [&file](const std::string& name, apriori::tensor_info& shape) {
        std::vector<float> values;
        if (const auto i = file->find(name)) {
            shape = file->info(*i);
            values.resize(static_cast<std::size_t>(shape.size()));
            EXPECT_TRUE(file->read(*i, 0, values).ok()) << name;
        }
        return values;
    };
    constexpr std::string_view answer = ".out.predicted_image_embedding";
    for (std::size_t i = 0; i < file->size(); ++i) {
        const std::string name(file->info(i).name);
        if (!name.ends_with(answer)) continue;
        reference_case c{name.substr(0, name.size() - answer.size()), {}, {}};
        apriori::tensor_info hidden, proj, text, ignored;
        c.expected = read(name, ignored);
        c.in.hidden_states = read(c.name + ".in.hidden_states", hidden);
        c.in.proj_embedding = read(c.name + ".in.proj_embedding", proj);
        c.in.encoder_hidden_states = read(c.name + ".in.encoder_hidden_states", text);
        c.in.timestep = read(c.name + ".in.timestep", ignored);
        for (const float m : read(c.name + ".in.attention_mask", ignored))
            c.in.attention_mask.push_back(m != 0 ? 1 : 0);
        c.in.rows = hidden.dims[0];
        c.in.hidden_tokens = hidden.rank == 3 ? hidden.dims[1] : 1;
        c.in.proj_tokens = proj.rank == 3 ? proj.dims[1] : 1;
        c.in.text_tokens = text.rank == 3 ? text.dims[1] : 0;
        cases.push_back(std::move(c));
    }
    EXPECT_FALSE(cases.empty()) << folder;
    return cases;
}

/// Calls body(source) with the weights of a folder, or with synthetic ones if it has none.
template <class Body>
void with_weights(const std::filesystem::path& folder, const PriorConfig& config, Body&& body) {
    if (std::filesystem::exists(folder / "diffusion_pytorch_model.safetensors")) {
        const auto source = apriori::io::open_weights(folder);
        ASSERT_TRUE(source) << source.error().message;
        body(*source);
    } else {
        const apriori::tensor_list tensors(config);
        body(apriori::io::synthetic_source(tensors.infos()));
    }
}

/// The model of a folder with its weights; empty, and the test has failed, if it does not load.
template <class Model>
std::optional<Model> load_reference(typename Model::device_type& device, const std::string& variant) {
    std::optional<Model> model;
    with_weights(folder_of(variant), Model::config, [&](const auto& source) {
        auto loaded = Model::load(device, source);
        EXPECT_TRUE(loaded) << loaded.error().message;
        if (loaded) model.emplace(*std::move(loaded));
    });
    return model;
}

/// How a row's numbers may depend on the number of rows that are computed with it: not by a bit, or by rounding.
enum class chunks { same_bits, within_rounding };

/// Checks every case of a folder on a device: the results are within rounding of diffusers, and the same if its rows
/// are processed one by one, in pairs or together.
template <PriorConfig Config, class Device>
void check_variant(Device& device, const std::string& variant, chunks promise = chunks::same_bits) {
    using model_type = apriori::PriorTransformer<Config, Device>;
    const auto model = load_reference<model_type>(device, variant);
    ASSERT_TRUE(model);
    for (const reference_case& c : read_cases(folder_of(variant))) {
        SCOPED_TRACE(variant + "/" + c.name + " on " + Device::name);
        const outcome whole = forward(*model, c.in);
        ASSERT_TRUE(whole.state.ok()) << apriori::to_failure(whole.state).message;
        const worst_element w = worst_of(whole.values, c.expected);
        std::printf("%-7s %s/%s: off by %.1e at element %zu of %zu, %.0f %% of the tolerance\n", Device::name,
                    variant.c_str(), c.name.c_str(), w.error, w.index, c.expected.size(), 100 * w.of(tolerance));
        EXPECT_TRUE(within(w));
        for (const index_t at_once : {1, 2}) {
            if (at_once >= c.in.rows) continue;
            const outcome parts = forward(*model, c.in, c.in.limits(at_once));
            EXPECT_TRUE(parts.state.ok()) << apriori::to_failure(parts.state).message;
            if (promise == chunks::same_bits)
                EXPECT_TRUE(same_bits(parts.values, whole.values)) << at_once << " rows at a time";
            else
                EXPECT_TRUE(within(worst_of(parts.values, c.expected))) << at_once << " rows at a time";
        }
    }
}

} // namespace model_testing
