// SPDX-License-Identifier: Apache-2.0
// The options and fields that the schedulers' configurations share, with diffusers' names.
#pragma once

#include "apriori/core/field.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace apriori {

/// prediction_type: what the model's output is.
enum class prediction_kind : std::uint8_t { epsilon, sample, v_prediction };
inline constexpr spelling prediction_spellings[] = {{"epsilon", prediction_kind::epsilon},
                                                    {"sample", prediction_kind::sample},
                                                    {"v_prediction", prediction_kind::v_prediction}};

/// beta_schedule. `exp` is Heun's; `sigmoid` and `laplace` are DDPM's.
enum class beta_kind : std::uint8_t { linear, scaled_linear, squaredcos_cap_v2, exp, sigmoid, laplace };
inline constexpr spelling beta_spellings[] = {{"exp", beta_kind::exp},
                                              {"linear", beta_kind::linear},
                                              {"scaled_linear", beta_kind::scaled_linear},
                                              {"squaredcos_cap_v2", beta_kind::squaredcos_cap_v2},
                                              {"sigmoid", beta_kind::sigmoid},
                                              {"laplace", beta_kind::laplace}};
inline constexpr std::span<const spelling> common_betas = std::span(beta_spellings).subspan(1, 3);

/// timestep_spacing: table 2 of arXiv:2305.08891.
enum class spacing_kind : std::uint8_t { linspace, leading, trailing };
inline constexpr spelling spacing_spellings[] = {
    {"linspace", spacing_kind::linspace}, {"leading", spacing_kind::leading}, {"trailing", spacing_kind::trailing}};

/// variance_type: the variance of the noise that a step adds. DDPMScheduler reads null, DPM-Solver's value, as
/// fixed_small.
enum class variance_kind : std::uint8_t { fixed_small, fixed_large, fixed_small_log, learned_range };
inline constexpr spelling variance_spellings[] = {{"fixed_small", variance_kind::fixed_small},
                                                  {nullptr, variance_kind::fixed_small},
                                                  {"fixed_large", variance_kind::fixed_large},
                                                  {"fixed_small_log", variance_kind::fixed_small_log},
                                                  {"learned_range", variance_kind::learned_range}};

/// Fields of diffusers' schedulers that some or all of the schedulers here lack. diffusers' from_config keeps what a
/// file had for another class, and the class that reads it ignores that.
inline constexpr std::string_view related_scheduler_fields[] = {"algorithm_type",
                                                                "clip_sample",
                                                                "clip_sample_range",
                                                                "disable_corrector",
                                                                "dynamic_thresholding_ratio",
                                                                "euler_at_final",
                                                                "final_sigmas_type",
                                                                "flow_shift",
                                                                "interpolation_type",
                                                                "lambda_min_clipped",
                                                                "lower_order_final",
                                                                "noise_sampler_seed",
                                                                "predict_x0",
                                                                "rescale_betas_zero_snr",
                                                                "rho",
                                                                "sample_max_value",
                                                                "set_alpha_to_one",
                                                                "shift_terminal",
                                                                "sigma_data",
                                                                "sigma_max",
                                                                "sigma_min",
                                                                "sigma_schedule",
                                                                "skip_prk_steps",
                                                                "solver_order",
                                                                "solver_p",
                                                                "solver_type",
                                                                "steps_offset",
                                                                "thresholding",
                                                                "time_shift_type",
                                                                "timestep_spacing",
                                                                "timestep_type",
                                                                "trained_betas",
                                                                "beta_start",
                                                                "beta_end",
                                                                "use_beta_sigmas",
                                                                "use_dynamic_shifting",
                                                                "use_exponential_sigmas",
                                                                "use_flow_sigmas",
                                                                "use_karras_sigmas",
                                                                "use_lu_lambdas",
                                                                "variance_type"};

/// Largest num_train_timesteps: above it, 1 - beta of the first training step rounds to 1.
inline constexpr int max_train_timesteps = 100'000;

namespace detail {

/// The fields of betas and timesteps, which all schedulers but UnCLIPScheduler have, followed by `own`.
template <class c, class... Own>
constexpr auto spaced_fields(int least_steps, std::span<const spelling> betas, const Own&... own) noexcept {
    using f = field<c>;
    return std::array{
        f::template integer<&c::num_train_timesteps>("num_train_timesteps", least_steps, max_train_timesteps),
        // below 1e-7, 1 - beta is 1 in float32 and the first step divides by zero
        f::template real<&c::beta_start>("beta_start", "1e-07", "0.999999"),
        f::template real<&c::beta_end>("beta_end", "1e-07", "0.999999"),
        f::template choice<&c::beta_schedule>("beta_schedule", betas), f::only("trained_betas", "null"),
        f::template choice<&c::prediction_type>("prediction_type", prediction_spellings),
        f::template choice<&c::timestep_spacing>("timestep_spacing", spacing_spellings),
        f::template integer<&c::steps_offset>("steps_offset", 0, max_train_timesteps), own...};
}

} // namespace detail

} // namespace apriori
