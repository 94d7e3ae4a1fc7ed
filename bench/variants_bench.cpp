// SPDX-License-Identifier: Apache-2.0
// The project's own variants, one line each.
#include "variants.hpp"

using namespace apriori;
using namespace apriori::bench;

namespace {

constexpr PriorConfig of(int heads, int dim, int layers) {
    return {.num_attention_heads = heads, .attention_head_dim = dim, .num_layers = layers};
}

} // namespace

int main(int argc, char** argv) {
    variant<presets::digits>("digits 4x32x4 f32");
    variant<presets::digits, bf16>("digits 4x32x4 bf16");
    variant<of(8, 64, 4)>("8x64x4 f32");
    variant<of(16, 32, 4)>("16x32x4 f32");
    variant<of(4, 128, 4)>("4x128x4 f32");
    variant<of(8, 64, 8)>("8x64x8 f32");
    variant<of(32, 64, 2)>("32x64x2 f32");
    variant<of(32, 64, 2), bf16>("32x64x2 bf16");
    variant<of(32, 64, 2), w8>("32x64x2 w8");
    variant<of(32, 64, 2), w4>("32x64x2 w4");
    return run(argc, argv);
}
