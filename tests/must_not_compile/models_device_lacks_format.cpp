// expect: format_of_device<.*f32_alone, apriori::w8
// lines: 25
// SPDX-License-Identifier: Apache-2.0
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_transformer.hpp"

using namespace apriori;

struct f32_alone : cpu<> {
    template <std::same_as<f32> Format>
    using packed = cpu<>::packed<Format>;
};

#ifdef CONTROL
using format = f32;
#else
using format = w8;
#endif

auto load(f32_alone& device) {
    return PriorTransformer<presets::digits, f32_alone, format>::load(
        device, io::synthetic_source(tensor_list(presets::digits).infos()));
}
