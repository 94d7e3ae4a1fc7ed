// expect: config_error<.*time_embedding.*is.*false.*allowed.*added_emb_type.*prd
// SPDX-License-Identifier: Apache-2.0
// Without a time embedding the output is prd's row.
#include "apriori/models/prior_config.hpp"

#ifdef CONTROL
constexpr apriori::PriorConfig config{.additional_embeddings = 3, .time_embedding = false};
#else
constexpr apriori::PriorConfig config{
    .additional_embeddings = 2, .added_emb_type = apriori::added_emb::none, .time_embedding = false};
#endif

static_assert(apriori::validate<config>());
