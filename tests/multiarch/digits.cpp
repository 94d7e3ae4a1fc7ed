// SPDX-License-Identifier: Apache-2.0
// One model, compiled for several instruction sets by apriori_add_multiarch: a forward with synthetic weights.
#include "digits.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <vector>

namespace {

using namespace apriori;
using Model = PriorTransformer<presets::digits, cpu<>>;

bool forward(float* out) {
    cpu<> device;
    const tensor_list tensors(Model::config);
    const auto model = Model::load(device, io::synthetic_source(tensors.infos()));
    if (!model) return false;
    std::vector<float> x(64), pooled(64), text(16 * 64);
    io::synthetic_normal("x", x);
    io::synthetic_normal("pooled", pooled);
    io::synthetic_normal("text", text);
    const std::vector<std::uint8_t> mask(16, 1);
    const float time = 400;
    Model::input in;
    in.hidden_states = {x.data(), 1, 1};
    in.timestep = {&time, extents<dyn>(1)};
    in.proj_embedding = {pooled.data(), 1, 1};
    in.encoder_hidden_states = {text.data(), 1, 16};
    in.attention_mask = {mask.data(), extents<dyn, dyn>(1, 16)};
    const host_buffer memory(Model::workspace_bytes({}));
    return model->forward(in, {out, 64}, memory.span()).state.ok();
}

const digits_table table{default_arch::name(), lanes<cpu_device::value_t<default_arch>>::count, forward};

} // namespace

extern "C" const void* apriori_test_digits() { return &table; }
