// SPDX-License-Identifier: Apache-2.0
// The calls of tests/reference/eclipse: words to embeddings in one pass, on any device.
#pragma once

#include "pipeline_cases.hpp"

#include "apriori/io/synthetic_source.hpp"
#include "apriori/pipelines/eclipse_prior.hpp"

namespace pipeline_testing {

inline const std::filesystem::path eclipse_folder = std::filesystem::path(APRIORI_TEST_DATA) / "eclipse";
inline constexpr PriorConfig eclipse_config{.num_attention_heads = 2,
                                            .attention_head_dim = 8,
                                            .num_layers = 2,
                                            .embedding_dim = 12,
                                            .num_embeddings = 16,
                                            .additional_embeddings = 3,
                                            .time_embedding = false};

/// The pipeline, with the tokenizer and the text encoder of the other pipelines.
template <class Device>
auto eclipse_pipeline(models<Device>& m) {
    using prior_type = PriorTransformer<eclipse_config, Device>;
    const tensor_list tensors(eclipse_config);
    return eclipse_prior(m.tokenizer, m.text_encoder,
                         value_of(prior_type::load(m.device, io::synthetic_source(tensors.infos()))));
}

template <class Device>
void check_eclipse() {
    models<Device> m;
    const auto pipeline = eclipse_pipeline(m);
    const auto recorded = value_of(io::open_weights(eclipse_folder / "recorded.safetensors"));
    const auto text = value_of(io::mapped_file::open(eclipse_folder / "calls.json"));
    const auto calls = nlohmann::json::parse(text.text());
    EXPECT_EQ(calls.size(), 3U);
    for (const auto& item : calls.items()) {
        SCOPED_TRACE(item.key());
        const call c{item.key(), item.value()};
        auto random = c.generator();
        const auto texts = c.texts("prompt");
        const auto made =
            value_of(pipeline(views(texts), random, {.num_images_per_prompt = c.options().num_images_per_prompt}));
        EXPECT_TRUE(within(worst_of(made.image_embeds, value_of(io::read_tensor(recorded, c.name + ".image_embeds")))));
        std::vector<float> next(16);
        random.randn(next);
        EXPECT_TRUE(within(worst_of(next, value_of(io::read_tensor(recorded, c.name + ".next"))))) << "was drawn";
    }
}

} // namespace pipeline_testing
