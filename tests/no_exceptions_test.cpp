// SPDX-License-Identifier: Apache-2.0
// Without exceptions and type information the library gives the same numbers, and returns errors as values.
#include "no_exceptions.hpp"
#include "prior_oracle.hpp"

using namespace model_testing;

namespace {

class no_exceptions_model : public testing::Test {
protected:
    const prior_inputs x = randomize(no_exceptions::config, {.rows = 2, .text_tokens = 5}, mask_kind::holes, 1);
    const no_exceptions::arguments a{x.hidden_states, x.timestep, x.proj_embedding, x.encoder_hidden_states,
                                     x.attention_mask};
    const std::vector<double> expected = prior_oracle(no_exceptions::config, no_exceptions::ramp_source{})(x);
};

TEST_F(no_exceptions_model, forward) { EXPECT_TRUE(within(worst_of(no_exceptions::forward(a), expected))); }

TEST_F(no_exceptions_model, forward_on_threads) {
    EXPECT_TRUE(within(worst_of(no_exceptions::forward_on_threads(a), expected)));
}

TEST_F(no_exceptions_model, incremental) { EXPECT_TRUE(within(worst_of(no_exceptions::incremental(a), expected))); }

TEST_F(no_exceptions_model, errors_are_values) {
    EXPECT_NE(no_exceptions::load_incomplete().find("missing tensors: "), std::string::npos);
    EXPECT_NE(no_exceptions::forward_without_workspace(a).find("workspace: the span holds fewer bytes"),
              std::string::npos);
}

} // namespace
