// SPDX-License-Identifier: Apache-2.0
// A scheduler_config.json, read as its own class and as another one. If it is accepted, it can be planned, and its
// steps are finite numbers.
#include "apriori/io/scheduler_json.hpp"
#include "fuzzing.hpp"

#include <cmath>

using namespace apriori;
using namespace fuzzing;

namespace {

bool finite(const step_coefficients& c) {
    const float sum = c.timestep + c.input_scale + c.x0_sample + c.x0_output + c.x0_divisor + c.to_x0 + c.to_sample +
                      c.to_output + c.noise + c.min_log + c.max_log + c.signal + c.level;
    return std::isfinite(sum) && !std::isnan(c.clip_range);
}

void check(std::string_view text, std::string_view as) {
    const auto config = io::parse_scheduler_config(text, "scheduler_config.json", as);
    if (!config) {
        refused(config.error());
        return;
    }
    require(as.empty() || as == class_name(*config), "it is of the class that was asked for");
    std::visit([](const auto& c) { require(validate(c).ok(), "what is accepted is valid"); }, *config);
    // Tables of many training steps take time and test nothing new.
    const int most = std::visit([](const auto& c) { return c.num_train_timesteps; }, *config);
    if (most > 1200) return;
    for (const int steps : {1, 2, 7, most}) {
        schedule plan;
        if (const status s = plan_schedule(*config, {.num_inference_steps = steps}, plan); !s) {
            refused(s);
            continue;
        }
        require(!plan.steps().empty() && plan.steps().size() == plan.timesteps().size(), "a plan has steps");
        for (const step_coefficients& c : plan.steps()) require(finite(c), "a step is numbers");
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check(text(data, size), "");
    check(text(data, size), "DDIMScheduler");
    return 0;
}
