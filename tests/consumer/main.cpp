// SPDX-License-Identifier: Apache-2.0
// What a user's first program might do with the core alone: know a model before any of it is loaded.
#include "my_prior.hpp"

#include <apriori/core/version.hpp>
#include <apriori/models/prior_config.hpp>

#include <cstdio>

static_assert(my_prior.num_layers == 2 && my_prior.time_embed_act_fn == apriori::activation::gelu);

int main() {
    std::printf("apriori %s: %d layers, %d wide\n", apriori::version::string, my_prior.num_layers, my_prior.inner_dim());
    return my_prior.inner_dim() == 2048 ? 0 : 1;
}
