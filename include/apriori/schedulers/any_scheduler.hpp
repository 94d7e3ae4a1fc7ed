// SPDX-License-Identifier: Apache-2.0
// A scheduler whose class is known only at run time, for example from a pipeline folder or the command line.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/ddim.hpp"
#include "apriori/schedulers/ddpm.hpp"
#include "apriori/schedulers/dpmsolver_multistep.hpp"
#include "apriori/schedulers/heun.hpp"
#include "apriori/schedulers/unclip.hpp"

#include <variant>

namespace apriori {

/// The configuration of any scheduler.
using any_scheduler_config = std::variant<UnCLIPSchedulerConfig, DDPMSchedulerConfig, DDIMSchedulerConfig,
                                          HeunDiscreteSchedulerConfig, DPMSolverMultistepSchedulerConfig>;

/// The name of a configuration's class in diffusers.
inline const char* class_name(const any_scheduler_config& config) noexcept {
    return std::visit([](const auto& c) { return c.class_name; }, config);
}

/// Plans the schedule of any scheduler; the errors are those of its class. See basic_scheduler::set_timesteps.
status plan_schedule(const any_scheduler_config& config, const schedule_request& request, schedule& out);

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION status plan_schedule(const any_scheduler_config& config, const schedule_request& request,
                                      schedule& out) {
    return std::visit(
        [&](const auto& c) {
            const status s = validate(c);
            return s ? detail::plan_finite(c, make_noise_levels(c), request, out) : s;
        },
        config);
}
#endif

} // namespace apriori
