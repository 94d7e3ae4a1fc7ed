// SPDX-License-Identifier: Apache-2.0
// The sampling loop of unCLIP priors: at every step the denoiser answers, classifier-free guidance (Ho and
// Salimans 2022) combines its branches, and the scheduler's coefficients give the next latents, all
// element-wise and in one launch.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/function_ref.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/pipelines/denoiser.hpp"
#include "apriori/schedulers/concept.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The argument of a callback after a step.
struct sampling_step {
    int index = 0, count = 0; ///< step `index` of `count` is done
    float timestep = 0;
    std::span<const float> latents{}; ///< [samples, tokens * embedding_dim] on the host; empty unless requested
};

/// Options of `sample`.
struct sampling_options {
    float guidance_scale = 4.0f;                         ///< 1 and less: no guidance, only the conditional branch
    bool scale_latents = true;                           ///< multiply by init_noise_sigma; false if already noised
    bool latents_for_callback = false;                   ///< copy latents to the host for `on_step`
    std::function<bool(const sampling_step&)> on_step{}; ///< returning false stops the sampling
};

/// True if guidance needs an unconditional branch, as diffusers decides it.
inline bool uses_guidance(float guidance_scale) noexcept { return guidance_scale > 1.0f; }

namespace detail {

using latents_view = view<float, extents<dyn, dyn>>; ///< [rows, embedding_dim]
using answers_view = view<const float, extents<dyn, dyn>>;

/// A model, its denoiser and its noise, as the loop sees them. Depends only on the device, so that all
/// models of a device share one loop.
template <class Device>
struct sampled_model {
    Device& device;
    bool time_embedding = true;
    index_t width = 0, clip = 0;    ///< embedding_dim, clip_embed_dim
    index_t rows = 0, branches = 0; ///< of the denoiser
    function_ref<result<answers_view>(const latents_view& x, float timestep)> denoise;
    function_ref<status(const latents_view&)> post_process;
    function_ref<void(std::span<float>)> noise;
};

/// The combined answers of the branches, columns `column` to `column + width`: u + g (c - u), or only c.
constexpr auto guided(const answers_view& answers, index_t rows, float scale, index_t column, index_t width) {
    const auto half = slice<1>(answers, column, width);
    const auto u = slice<0>(half, 0, rows);
    const auto c = slice<0>(half, answers.ext()[0] - rows, rows);
    return u + (c - u) * scale;
}

/// The prediction of x0 from the latents x and the answer y; the formulas are those of schedulers/step.hpp.
constexpr auto predicted_x0(const step_coefficients& c, const auto& x, const auto& y) {
    return clamp((x * c.x0_sample - y * c.x0_output) / c.x0_divisor, -c.clip_range, c.clip_range);
}

/// next = x0 * to_x0 + x * to_sample + y * to_output + history * to_history + z * noise.
template <class Context>
void write_next(Context& to, const latents_view& next, const step_coefficients& c, const latents_view& x, const auto& y,
                const latents_view& z, std::span<const latents_view> history, const auto& deviation) {
    const auto mean = predicted_x0(c, x, y) * c.to_x0 + x * c.to_sample + y * c.to_output;
    const auto noised = [&](const auto& m) {
        if (c.draws_noise)
            to(next) = m + z * deviation;
        else
            to(next) = m;
    };
    if (history.empty())
        noised(mean);
    else if (history.size() == 1)
        noised(mean + history[0] * c.to_history[0]);
    else
        noised(mean + history[0] * c.to_history[0] + history[1] * c.to_history[1]);
}

/// Checks the arguments of `sample`.
template <class Device>
result<void> check_sampling(const sampled_model<Device>& m, std::span<const step_coefficients> steps,
                            std::span<const float> latents, std::span<const float> out, float guidance_scale) {
    const index_t branches = uses_guidance(guidance_scale) ? 2 : 1, count = m.rows * m.width;
    if (!m.time_embedding)
        return failure{errc::unsupported,
                       "a model without time_embedding takes one pass, not a scheduler's steps; use eclipse_prior"};
    if (!apriori::is_finite(guidance_scale))
        return failure{errc::invalid_argument, "guidance_scale must be a finite number"};
    if (m.branches != branches)
        return failure(errc::invalid_argument, "guidance_scale ", guidance_scale, " needs ", branches,
                       " branch(es), the denoiser has ", m.branches);
    if (std::ssize(latents) != count || std::ssize(out) != count)
        return failure(errc::shape_mismatch, "latents and out must hold samples * tokens * embedding_dim = ", count,
                       " floats");
    if (m.clip == m.width && std::any_of(steps.begin(), steps.end(), [](const auto& c) { return c.learned_variance; }))
        return failure{
            errc::invalid_argument,
            "the scheduler's variance_type is learned_range, which needs a model whose clip_embed_dim is twice "
            "its embedding_dim"};
    return {};
}

/// The noise of a sampling's steps. If the host works in the device's memory, it is drawn at its step. Otherwise all of
/// it is drawn and copied before the first step, so that no step waits for the host.
template <class Device>
class step_noise {
public:
    step_noise(device_staging<Device>& on, const sampled_model<Device>& m, std::span<const step_coefficients> steps,
               std::span<float> host)
        : rows_(m.rows), width_(m.width) {
        index_t draws = std::count_if(steps.begin(), steps.end(), [](const auto& c) { return c.draws_noise; });
        if (in_host_memory<Device>) draws = (std::min)(draws, index_t{1});
        memory_ = on.floats(draws * std::ssize(host));
        if constexpr (!in_host_memory<Device>)
            for (index_t i = 0; i < draws && on.state; ++i) {
                m.noise(host);
                on.write(memory_, std::span<const float>(host), i * std::ssize(host));
            }
    }

    /// The noise of the next step that draws noise; `host` may be overwritten.
    status next(const sampled_model<Device>& m, std::span<float> host) {
        ++drawn_;
        if constexpr (!in_host_memory<Device>) return {};
        m.noise(host);
        return memory_.write(host);
    }
    latents_view now() const noexcept {
        const index_t i = in_host_memory<Device> || drawn_ == 0 ? 0 : drawn_ - 1;
        return {memory_.data() + i * rows_ * width_, extents<dyn, dyn>(rows_, width_)};
    }

private:
    index_t rows_, width_, drawn_ = 0;
    device_array<float, Device> memory_{};
};

template <class Device>
result<void> run_sampling(const sampled_model<Device>& m, std::span<const step_coefficients> steps, int histories,
                          float initial_scale, std::span<const float> latents, std::span<float> out,
                          const sampling_options& options) {
    if (auto r = check_sampling(m, steps, latents, out, options.guidance_scale); !r) return r;

    device_staging<Device> on(m.device, "no memory for the latents; ask for fewer samples");
    std::array<device_array<float, Device>, 3 + max_history_slots> memory;
    std::array<latents_view, 3 + max_history_slots>
        views; // latents, model input; with histories next latents, histories
    std::vector<float> host(latents.size(), 0.0f);
    for (std::size_t i = 0; i < (histories > 0 ? 3 + to_size(histories) : 2); ++i) {
        memory[i] = on.copy(host); // histories that are not yet written count as zero
        views[i] = latents_view(memory[i].data(), extents<dyn, dyn>(m.rows, m.width));
    }
    const auto x = views[0], scaled = views[1], next = views[2];
    const std::span<const latents_view> history(views.data() + 3, to_size(histories));
    step_noise<Device> noise(on, m, steps, host);
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = latents[i] * initial_scale;
    on.write(memory[0], std::span<const float>(host));
    if (!on.state) return on.state;

    const auto download = [&](std::span<float> values) {
        const status s = m.device.synchronize();
        return s ? m.device.download(values.data(), x.data, values.size_bytes()) : s;
    };
    workspace no_temporaries;
    context to(m.device, no_temporaries);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const step_coefficients& c = steps[i];
        if (c.input_scale != 1.0f) to(scaled) = x * c.input_scale;
        if (!to.state) return to.state;
        const auto answers = m.denoise(c.input_scale != 1.0f ? scaled : x, c.timestep);
        if (!answers) return answers.error();
        const auto y = guided(*answers, m.rows, options.guidance_scale, 0, m.width);
        if (c.draws_noise) to.check(noise.next(m, host));
        const latents_view z = noise.now();
        // The model has already read x: a step without histories overwrites it.
        const latents_view& to_next = history.empty() ? x : next;
        if (c.learned_variance) {
            // the second half of the answer gives each element's deviation: exp(((v + 1) / 2 (max - min) + min) / 2)
            const auto v = guided(*answers, m.rows, options.guidance_scale, m.width, m.width);
            write_next(to, to_next, c, x, y, z, {},
                       exp(affine(v, (c.max_log - c.min_log) / 4, (c.max_log + c.min_log) / 4)));
        } else
            write_next(to, to_next, c, x, y, z, history, c.noise);
        for (std::size_t k = 0; k < history.size(); ++k)
            if (const history_write& w = c.keep[k]; w.active)
                to(history[k]) = predicted_x0(c, x, y) * w.x0 + x * w.sample + y * w.output;
        if (!history.empty()) to(x) = next;
        if (!to.state) return to.state;
        if (options.on_step) {
            sampling_step done{int(i), int(steps.size()), c.timestep};
            if (const status s = options.latents_for_callback ? download(host) : m.device.synchronize(); !s) return s;
            if (options.latents_for_callback) done.latents = host;
            if (!options.on_step(done)) return failure(errc::cancelled, "sampling was stopped after step ", i + 1);
        }
    }
    if (m.clip == m.width) to.check(m.post_process(x));
    if (!to.state) return to.state;
    return download(out);
}

} // namespace detail

/// Samples image embeddings, [samples, tokens * embedding_dim] floats into `out` on the host, post-processed.
///   scheduler  planned: its steps are run in order
///   latents    standard normal, [samples, tokens * embedding_dim]; scaled by init_noise_sigma here (see scale_latents)
///   noise      `void(std::span<float>)` fills [samples, tokens * embedding_dim] standard normals, once for each step
///              that draws noise, in order; all of them before the first step if the device has its own memory
/// With guidance the denoiser's branches are [unconditional, conditional], otherwise it has one.
/// Errors: shape_mismatch; invalid_argument for a guidance_scale that does not fit the branches;
/// cancelled if on_step stopped it.
template <class Model, class Denoiser, scheduler Scheduler, class Noise>
result<void> sample(const Model& model, Denoiser& denoiser, const Scheduler& schedule, std::span<const float> latents,
                    Noise&& noise, std::span<float> out, const sampling_options& options = {}) {
    constexpr index_t width = Model::config.embedding_dim, clip = Model::config.clip_embed_dim;
    static_assert(clip == width || clip == 2 * width,
                  "apriori: sampling needs clip_embed_dim = embedding_dim, or twice that");
    const auto denoise = [&](const detail::latents_view& x, float timestep) -> result<detail::answers_view> {
        const auto y =
            denoiser(view<const float, extents<dyn, width>>(x.data, extents<dyn, width>(x.ext()[0])), timestep);
        if (!y) return y.error();
        return detail::answers_view(y->data, extents<dyn, dyn>(y->ext()[0], clip));
    };
    const auto post_process = [&](const detail::latents_view& x) -> status {
        if constexpr (clip == width)
            return model.post_process_latents(
                view<float, extents<dyn, width>>(x.data, extents<dyn, width>(x.ext()[0])));
        else
            return {};
    };
    return detail::run_sampling<typename Model::device_type>(
        {model.device(), Model::config.time_embedding, width, clip, denoiser.rows(), denoiser.branches(), denoise,
         post_process, noise},
        schedule.steps(), schedule.history_slots(), options.scale_latents ? schedule.init_noise_sigma() : 1.0f, latents,
        out, options);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
