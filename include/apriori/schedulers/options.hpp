// SPDX-License-Identifier: Apache-2.0
// The choices that the schedulers' configurations share, by diffusers' names.
#pragma once

#include <cstdint>

namespace apriori {

/// prediction_type: what the model's output is.
enum class prediction_kind : std::uint8_t { epsilon, sample, v_prediction };

/// beta_schedule. `exp` is Heun's; `sigmoid` and `laplace` are DDPM's.
enum class beta_kind : std::uint8_t { linear, scaled_linear, squaredcos_cap_v2, exp, sigmoid, laplace };

/// timestep_spacing: table 2 of arXiv:2305.08891.
enum class spacing_kind : std::uint8_t { linspace, leading, trailing };

/// variance_type: the variance of the noise that a step adds.
enum class variance_kind : std::uint8_t { fixed_small, fixed_small_log, fixed_large, learned_range };

/// A choice that is one of its enumerators: a cast may hold anything.
template <class Enum>
constexpr bool is_enumerator(Enum value, Enum last) noexcept {
    return static_cast<int>(value) >= 0 && static_cast<int>(value) <= static_cast<int>(last);
}

} // namespace apriori
