// SPDX-License-Identifier: Apache-2.0
// One step of any scheduler as a short list of scalars, and its plain execution on the host.
//
// A scheduler is arithmetic on scalars that are known before sampling starts. For each element only one fixed formula
// is left, so one fused kernel per device executes every scheduler:
//
//     input = input_scale * sample                                        the input of the model, at `timestep`
//     x0    = clamp((x0_sample * sample - x0_output * output) / x0_divisor, -clip_range, clip_range)
//     next  = x0 * to_x0 + sample * to_sample + output * to_output + history[k] * to_history[k] + z * noise
//     history[k] = keep[k].x0 * x0 + keep[k].sample * sample + keep[k].output * output      where keep[k].active
//
// where `output` is the model's output and z is standard normal noise. Histories are read before they are written.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The most buffers that any scheduler keeps between steps (DPM-Solver++ of order 3 and Heun keep two).
inline constexpr int max_history_slots = 2;

/// What a history buffer holds after a step; if not active, it is unchanged.
struct history_write {
    bool active = false;
    float x0 = 0.0f, sample = 0.0f, output = 0.0f;

    constexpr bool operator==(const history_write&) const = default;
};

/// The scalars of one step; the formulas are at the top of this file.
struct step_coefficients {
    float timestep = 0.0f;    ///< the model's timestep, in training steps; Heun's may be fractional
    float input_scale = 1.0f; ///< scale_model_input

    float x0_sample = 0.0f, x0_output = -1.0f, x0_divisor = 1.0f; ///< from (sample, output) to the predicted x0
    float clip_range = std::numeric_limits<float>::infinity();    ///< infinity: x0 is not clipped

    float to_x0 = 0.0f, to_sample = 0.0f, to_output = 0.0f;
    std::array<float, max_history_slots> to_history{};
    std::array<history_write, max_history_slots> keep{};

    bool draws_noise = false; ///< the step draws noise from the generator, even if `noise` is 0
    float noise = 0.0f;       ///< standard deviation of the added noise; see learned_variance
    /// The model's output has 2 * dim columns; the second half, v, sets the deviation of each element:
    /// exp(0.5 * (f * max_log + (1 - f) * min_log)) with f = (v + 1) / 2, in place of `noise`.
    bool learned_variance = false;
    float min_log = 0.0f, max_log = 0.0f;

    /// Noising to the level at which this step starts (add_noise): signal * x0 + level * z.
    float signal = 1.0f, level = 0.0f;

    constexpr bool operator==(const step_coefficients&) const = default;
};

/// The buffers that a step reads and writes, row-major on the host. `next` may be `sample` itself.
struct step_buffers {
    std::span<const float> output; ///< [rows, dim]; [rows, 2 * dim] with learned_variance
    std::span<const float> sample; ///< [rows, dim]
    std::span<const float> noise;  ///< [rows, dim] standard normal; may be empty where draws_noise is false
    std::span<float> next;         ///< [rows, dim]
    std::array<std::span<float>, max_history_slots> history{}; ///< [rows, dim] each, as many as history_slots()
    std::span<float> x0{};                                     ///< [rows, dim], or empty if x0 is not needed
};

/// Checks the extents of a step's buffers for rows of `dim` elements.
inline status check_step(const step_coefficients& c, const step_buffers& b, index_t dim) noexcept {
    const index_t count = std::ssize(b.sample);
    if (dim < 1) return status::invalid("scheduler step: dim must be 1 or more", dim, 1);
    if (count % dim != 0) return status::shape("scheduler step: sample is not whole rows of dim elements", count, dim);
    status first;
    const auto expect = [&first](std::span<const float> s, index_t size, const char* what) {
        if (first && std::ssize(s) != size) first = status::shape(what, std::ssize(s), size);
    };
    expect(b.output, c.learned_variance ? 2 * count : count,
           "scheduler step: model_output has another size than the sample asks for (twice as wide with a learned "
           "variance)");
    if (c.draws_noise) expect(b.noise, count, "scheduler step: noise has another size than sample");
    expect(b.next, count, "scheduler step: next has another size than sample");
    if (!b.x0.empty()) expect(b.x0, count, "scheduler step: x0 has another size than sample");
    for (std::size_t k = 0; k < b.history.size(); ++k)
        if (c.keep[k].active || c.to_history[k] != 0.0f)
            expect(b.history[k], count, "scheduler step: a history buffer has another size than sample");
    return first;
}

/// Executes a step on the host, rounding in the same order as diffusers. Writes nothing if an extent is wrong.
APRIORI_NOINLINE inline status apply_step(const step_coefficients& c, const step_buffers& b, index_t dim) noexcept {
    if (const status s = check_step(c, b, dim); !s) return s;
    const auto columns = to_size(dim), rows = b.sample.size() / columns;
    const std::size_t stride = c.learned_variance ? 2 * columns : columns;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < columns; ++column) {
            const std::size_t i = row * columns + column;
            const float sample = b.sample[i], output = b.output[row * stride + column];
            float x0 = (c.x0_sample * sample - c.x0_output * output) / c.x0_divisor;
            if (x0 > c.clip_range) x0 = c.clip_range; // these comparisons keep a NaN, which must not pass for a number
            if (x0 < -c.clip_range) x0 = -c.clip_range;
            float next = c.to_x0 * x0 + c.to_sample * sample;
            if (c.to_output != 0.0f) next += c.to_output * output;
            for (std::size_t k = 0; k < b.history.size(); ++k)
                if (c.to_history[k] != 0.0f) next += c.to_history[k] * b.history[k][i];
            if (c.draws_noise) {
                float deviation = c.noise;
                if (c.learned_variance) {
                    const float f = (b.output[row * stride + columns + column] + 1.0f) / 2.0f;
                    deviation = std::exp(0.5f * (f * c.max_log + (1.0f - f) * c.min_log));
                }
                next += deviation * b.noise[i];
            }
            for (std::size_t k = 0; k < b.history.size(); ++k)
                if (const history_write& w = c.keep[k]; w.active)
                    b.history[k][i] = w.x0 * x0 + w.sample * sample + w.output * output;
            b.next[i] = next;
            if (!b.x0.empty()) b.x0[i] = x0;
        }
    return {};
}

} // namespace apriori
APRIORI_END_EXACT_MATH
