// SPDX-License-Identifier: Apache-2.0
// What a user's first program might do: describe a model before it is loaded, and run it if the components for that are
// built.
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

#ifdef CONSUMER_RUNS_RANKS
int run_ranks(int& argc, char**& argv);
#else
static int run_ranks(int&, char**&) { return 0; }
#endif

#ifdef CONSUMER_LINKS_FILE
extern "C" const unsigned char linked_config[], linked_config_end[];
static bool has_its_file() { // with or without a newline at the end
    return linked_config_end - linked_config > 100 && (linked_config_end[-1] == '}' || linked_config_end[-2] == '}');
}
#else
static bool has_its_file() { return true; }
#endif

int main(int argc, char** argv) {
    std::printf("apriori %s: %d layers, %d wide\n", apriori::version::string, my_prior.num_layers,
                my_prior.inner_dim());
    if (!run_model()) return 2;
    if (!has_its_file()) return 3;
    if (run_ranks(argc, argv) != 0) return 4;
    return my_prior.inner_dim() == 256 ? 0 : 1;
}
