// SPDX-License-Identifier: Apache-2.0
// CLIP's published encoders at full size, with synthetic weights, compared with transformers. Takes 3 GB of memory.
#include "apriori/device/cpu/device.hpp"
#include "clip_cases.hpp"

using namespace apriori;
using namespace clip_testing;

TEST(clip_full, text_vit_l_14) {
    cpu<> device;
    check_text<presets::clip_vit_l_14>(device, "text_vit_l_14_full", chunks::same_bits);
}

TEST(clip_full, text_vit_big_g_14) {
    cpu<> device;
    check_text<presets::clip_vit_big_g_14>(device, "text_vit_big_g_14_full", chunks::same_bits);
}

TEST(clip_full, vision_vit_l_14) {
    cpu<> device;
    check_vision<presets::clip_vit_l_14_vision>(device, "vision_vit_l_14_full", chunks::same_bits);
}
