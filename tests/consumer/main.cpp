// SPDX-License-Identifier: Apache-2.0
// What a user's first program might do: know a model before any of it is loaded, and, with the components for it, run it.
#include "my_prior.hpp"

#include <apriori/core/version.hpp>
#include <apriori/models/prior_config.hpp>

#include <cstdio>

static_assert(my_prior.num_layers == 2 && my_prior.time_embed_act_fn == apriori::activation::gelu);

#ifdef CONSUMER_RUNS_MODEL
bool run_model();
#else
static bool run_model() { return true; }
#endif

int main() {
    std::printf("apriori %s: %d layers, %d wide\n", apriori::version::string, my_prior.num_layers,
                my_prior.inner_dim());
    if (!run_model()) return 2;
    return my_prior.inner_dim() == 256 ? 0 : 1;
}
