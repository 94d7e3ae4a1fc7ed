// SPDX-License-Identifier: Apache-2.0
// What a sampler relies on: a scheduler is the list of steps that it has planned, and nothing else.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/step.hpp"

#include <concepts>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A planned schedule. One entry of steps() is one call of the model; `timesteps()[i] == steps()[i].timestep`.
///   timesteps()         the model's timesteps, descending (Heun has every inner timestep twice)
///   steps()             the scalars of each step, executed by apply_step or by a device's fused kernel
///   init_noise_sigma()  the factor of the first latents, which are standard normal
///   history_slots()     how many buffers of the sample's size live from step to step, 0 to max_history_slots
/// None of them allocates: only planning (set_timesteps) does.
template <class S>
concept scheduler = requires(const S& s) {
    { s.timesteps() } noexcept -> std::convertible_to<std::span<const float>>;
    { s.steps() } noexcept -> std::convertible_to<std::span<const step_coefficients>>;
    { s.init_noise_sigma() } noexcept -> std::same_as<float>;
    { s.history_slots() } noexcept -> std::same_as<int>;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
