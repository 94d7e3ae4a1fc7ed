// SPDX-License-Identifier: Apache-2.0
// The slow oracle of the property tests is itself compared with diffusers' numbers.
#include "prior_oracle.hpp"
#include "reference_cases.hpp"

#include "apriori/io/config_json.hpp"

using namespace model_testing;

TEST(models_oracle, is_diffusers) {
    for (const char* variant : {"tiny", "tiny_dims", "tiny_gelu", "tiny_mish", "tiny_no_prd", "tiny_no_text",
                                "tiny_norms", "tiny_relu", "unclip_like", "shap_e_image_like"}) {
        const auto folder = reference_cases / variant;
        const auto config = apriori::io::load_config<PriorConfig>(folder / "config.json");
        ASSERT_TRUE(config) << config.error().message;
        with_weights(folder, *config, [&](const auto& source) {
            const prior_oracle oracle(*config, source);
            for (const reference_case& c : read_cases(folder)) {
                const auto y = oracle(c.in);
                EXPECT_TRUE(within(worst_of(std::vector<float>(y.begin(), y.end()), c.expected)))
                    << variant << "/" << c.name;
            }
        });
    }
}
