// SPDX-License-Identifier: Apache-2.0
// A model whose configuration comes from its config.json: examples/CMakeLists.txt has the line
//
//     apriori_add_config(example_config_from_json digits_prior digits/digits-unclip/prior/config.json)
//
// which writes digits_prior.hpp. The compiler then knows the contents of the file.
#include "digits_prior.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/io/config_json.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <cstdio>
#include <type_traits>

using namespace apriori;

// The file describes the preset, so it is the same type: nothing is compiled twice.
using Model = PriorTransformer<digits_prior, cpu<>>;
static_assert(std::is_same_v<Model, PriorTransformer<presets::digits, cpu<>>>);
// Configurations with the same meaning are one type too: a null dimension and the number that it stands for, swish and
// silu.
static_assert(std::is_same_v<Model, PriorTransformer<PriorConfig{.num_attention_heads = 4,
                                                                 .attention_head_dim = 32,
                                                                 .num_layers = 4,
                                                                 .embedding_dim = 64,
                                                                 .num_embeddings = 16,
                                                                 .time_embed_act_fn = activation::swish,
                                                                 .time_embed_dim = 128,
                                                                 .clip_embed_dim = 64},
                                                     cpu<>>>);
// Sizes are constants, so a caller can reserve the memory before the program starts.
alignas(buffer_alignment) std::byte workspace_memory[Model::workspace_bytes({.rows = 4})];

int main() {
    // The same file, read at run time, for a program that has several compiled models and looks for the right one.
    const auto config = io::load_config<PriorConfig>("examples/digits/digits-unclip/prior");
    if (!config || canonical(*config) != Model::config) return 1;
    cpu<> device;
    const auto weights = io::open_weights("examples/digits/digits-unclip/prior");
    if (!weights || !Model::load(device, *weights)) return 1;
    std::printf("%s\n", io::to_json_text(*config).c_str());
    std::printf("%zu bytes of packed weights, %zu of workspace for 4 rows\n", Model::weights::bytes(),
                sizeof workspace_memory);
    std::printf("%s", describe(Model::plan({.rows = 4})).c_str());
}
