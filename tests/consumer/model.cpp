// SPDX-License-Identifier: Apache-2.0
// Runs one forward of the model of config.json on the CPU, with synthetic weights.
#include "my_prior.hpp"

#include <apriori/device/cpu/device.hpp>
#include <apriori/io/synthetic_source.hpp>
#include <apriori/models/prior_transformer.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

bool run_model();
bool run_model() {
    using namespace apriori;
    using Prior = PriorTransformer<my_prior, cpu<>>;
    cpu<> device;
    const tensor_list tensors(my_prior);
    const auto prior = Prior::load(device, io::synthetic_source(tensors.infos()));
    if (!prior) {
        std::fprintf(stderr, "%s\n", prior.error().message.c_str());
        return false;
    }
    std::vector<float> x(64), pooled(64), text(7 * 64), answer(64);
    io::synthetic_normal("x", x);
    io::synthetic_normal("pooled", pooled);
    io::synthetic_normal("text", text);
    const float timestep = 500;
    Prior::input in;
    in.hidden_states = {x.data(), 1, 1};
    in.timestep = {&timestep, extents<dyn>(1)};
    in.proj_embedding = {pooled.data(), 1, 1};
    in.encoder_hidden_states = {text.data(), 1, 7};
    const host_buffer memory(Prior::workspace_bytes({}));
    const auto out = prior->forward(in, answer, memory.span());
    if (!out.state.ok()) return false;
    float largest = 0;
    for (const float v : answer) largest = std::fmax(largest, std::fabs(v));
    std::printf("a prediction of magnitude %g\n", static_cast<double>(largest));
    return largest > 0 && std::isfinite(largest);
}
