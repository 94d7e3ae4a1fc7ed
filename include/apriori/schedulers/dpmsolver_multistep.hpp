// SPDX-License-Identifier: Apache-2.0
// DPMSolverMultistepScheduler of diffusers 0.42.1: DPM-Solver++ of order 1 to 3, arXiv:2211.01095, and its SDE form.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/schedulers/ddpm.hpp"
#include "apriori/schedulers/sigmas.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// algorithm_type. dpmsolver and sde-dpmsolver, which are deprecated in diffusers, are missing.
/// DEISMultistepScheduler's value is read as in diffusers, and so are the solver types of that class and of
/// UniPCMultistepScheduler.
enum class dpm_algorithm : std::uint8_t { dpmsolver_pp, sde_dpmsolver_pp };
inline constexpr spelling dpm_algorithm_spellings[] = {{"dpmsolver++", dpm_algorithm::dpmsolver_pp},
                                                       {"sde-dpmsolver++", dpm_algorithm::sde_dpmsolver_pp},
                                                       {"deis", dpm_algorithm::dpmsolver_pp}};
/// solver_type of the second-order step.
enum class dpm_solver : std::uint8_t { midpoint, heun };
inline constexpr spelling dpm_solver_spellings[] = {{"midpoint", dpm_solver::midpoint},
                                                    {"heun", dpm_solver::heun},
                                                    {"logrho", dpm_solver::midpoint},
                                                    {"bh1", dpm_solver::midpoint},
                                                    {"bh2", dpm_solver::midpoint}};
/// final_sigmas_type: where the last step leads, x0 or the noise level of training step 0.
enum class final_sigma : std::uint8_t { zero, sigma_min };
inline constexpr spelling final_sigma_spellings[] = {{"zero", final_sigma::zero},
                                                     {"sigma_min", final_sigma::sigma_min}};

/// Fields and defaults of diffusers' DPMSolverMultistepScheduler, with the same names. Missing: trained_betas,
/// thresholding, learned variances, flow models (use_flow_sigmas, flow_shift, dynamic shifting) and use_beta_sigmas.
struct DPMSolverMultistepSchedulerConfig {
    int num_train_timesteps = 1000;
    double beta_start = 0.0001;
    double beta_end = 0.02;
    beta_kind beta_schedule = beta_kind::linear; ///< or scaled_linear, squaredcos_cap_v2
    int solver_order = 2;
    prediction_kind prediction_type = prediction_kind::epsilon;
    dpm_algorithm algorithm_type = dpm_algorithm::dpmsolver_pp;
    dpm_solver solver_type = dpm_solver::midpoint;
    bool lower_order_final = true;
    bool euler_at_final = false;
    bool use_karras_sigmas = false;
    bool use_exponential_sigmas = false;
    bool use_lu_lambdas = false;
    final_sigma final_sigmas_type = final_sigma::zero;
    float lambda_min_clipped = -std::numeric_limits<float>::infinity();
    spacing_kind timestep_spacing = spacing_kind::linspace;
    int steps_offset = 0;
    bool rescale_betas_zero_snr = false;

    static constexpr const char* class_name = "DPMSolverMultistepScheduler";
    static constexpr bool custom_timesteps = true, noises_at_training_steps = false;
    static constexpr int model_calls(int num_inference_steps) noexcept { return num_inference_steps; }

    constexpr bool ends_of_sigmas() const noexcept { return use_karras_sigmas || use_exponential_sigmas; }
    constexpr bool own_sigmas() const noexcept { return ends_of_sigmas() || use_lu_lambdas; }
    static constexpr auto fields() noexcept {
        using c = DPMSolverMultistepSchedulerConfig;
        using f = field<c>;
        return detail::spaced_fields<c>(
            2, common_betas, f::integer<&c::solver_order>("solver_order", 1, 3), f::only("thresholding", "false"),
            f::ignored("dynamic_thresholding_ratio"), f::ignored("sample_max_value"),
            f::choice<&c::algorithm_type>("algorithm_type", dpm_algorithm_spellings),
            f::choice<&c::solver_type>("solver_type", dpm_solver_spellings),
            f::flag<&c::lower_order_final>("lower_order_final"), f::flag<&c::euler_at_final>("euler_at_final"),
            f::flag<&c::use_karras_sigmas>("use_karras_sigmas"),
            f::flag<&c::use_exponential_sigmas>("use_exponential_sigmas"),
            f::flag<&c::use_lu_lambdas>("use_lu_lambdas"), f::only("use_beta_sigmas", "false"),
            f::only("use_flow_sigmas", "false"), f::only("use_dynamic_shifting", "false"), f::ignored("flow_shift"),
            f::ignored("time_shift_type") /* of use_flow_sigmas */,
            // fixed variances, which configurations of other classes have, change nothing here
            f::only("variance_type", R"(null, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log")"),
            f::choice<&c::final_sigmas_type>("final_sigmas_type", final_sigma_spellings),
            f::real<&c::lambda_min_clipped>("lambda_min_clipped", "-Infinity", "1e+30"),
            f::flag<&c::rescale_betas_zero_snr>("rescale_betas_zero_snr"),
            // fields of other classes that are read here
            f::only("sigma_min", "null").where(&c::ends_of_sigmas),
            f::only("sigma_max", "null").where(&c::ends_of_sigmas));
    }
    constexpr status together() const noexcept {
        if (int{use_karras_sigmas} + int{use_exponential_sigmas} + int{use_lu_lambdas} > 1)
            return status::invalid(
                "only one of use_karras_sigmas, use_exponential_sigmas and use_lu_lambdas may be true");
        return detail::check_training_steps(*this);
    }

    constexpr bool operator==(const DPMSolverMultistepSchedulerConfig&) const = default;
};

constexpr noise_levels make_noise_levels(const DPMSolverMultistepSchedulerConfig& c) {
    noise_levels levels = make_noise_levels(detail::betas_of(c));
    if (c.rescale_betas_zero_snr) levels.alphas_cumprod.back() = 0x1p-24f; // the first sigma must be finite
    return levels;
}

namespace detail {

/// A noise level of the variance-preserving process: x = alpha x0 + sigma z, lambda = log(alpha / sigma).
struct dpm_level {
    float alpha, sigma, lambda;

    constexpr explicit dpm_level(float level) noexcept
        : alpha(1.0f / sqrt_f32(level * level + 1.0f)), sigma(level * alpha), lambda(log_f32(alpha) - log_f32(sigma)) {}
};

/// a / b as in IEEE 754, also if b is 0, which constant expressions do not allow.
constexpr float quotient(float a, float b) noexcept {
    if (b != 0.0f) return a / b;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    return a > 0.0f ? infinity : a < 0.0f ? -infinity : std::numeric_limits<float>::quiet_NaN();
}

/// The factors in x_t of the sample and of D0, D1, D2: the prediction and its divided differences in lambda.
struct dpm_factors {
    float sample, d0, d1 = 0.0f, d2 = 0.0f, noise = 0.0f;
};

/// The factors of a step of that order. `h` is the step in lambda. A step to x0, for which it is infinite, returns
/// early.
constexpr dpm_factors factors_of(const DPMSolverMultistepSchedulerConfig& c, const dpm_level& from, const dpm_level& to,
                                 int order) noexcept {
    const bool sde = c.algorithm_type == dpm_algorithm::sde_dpmsolver_pp;
    if (to.sigma == 0.0f) return {.sample = 0.0f, .d0 = to.alpha};
    const float h = to.lambda - from.lambda, ratio = to.sigma / from.sigma;
    // The SDE's integrals are the ODE's with 2 h instead of h, and its noise replaces what e^-h takes from the sample.
    const float span = sde ? 2.0f * h : h, decay = exp_f32(-span);
    dpm_factors f{.sample = sde ? ratio * exp_f32(-h) : ratio, .d0 = to.alpha * (1.0f - decay)};
    if (sde) f.noise = to.sigma * sqrt_f32(1.0f - decay);
    if (order == 2 && c.solver_type == dpm_solver::midpoint) {
        f.d1 = 0.5f * f.d0;
    } else if (order >= 2) {
        f.d1 = to.alpha * (quotient(decay - 1.0f, span) + 1.0f);
        const float tail = quotient(1.0f - decay - span, span * span); // -0.5 for the SDE, as in diffusers
        if (order == 3) f.d2 = to.alpha * (sde ? tail - 0.5f : tail + 0.5f);
    }
    return f;
}

/// Whether a step's factors are finite.
constexpr bool finite(const step_coefficients& s) noexcept {
    float sum = s.to_x0 + s.to_sample + s.noise;
    for (const float h : s.to_history) sum += h;
    return sum - sum == 0.0f;
}

} // namespace detail

/// The step at index i of `sigmas` (float32, one more than there are steps) with the given order, 1 to 3. The
/// predictions of earlier steps are kept in a ring of solver_order - 1 history buffers.
constexpr step_coefficients dpm_coefficients(const DPMSolverMultistepSchedulerConfig& c,
                                             const std::vector<float>& sigmas, std::size_t i, int order) noexcept {
    const detail::dpm_level from(sigmas[i]), to(sigmas[i + 1]);
    step_coefficients s;
    detail::set_prediction(s, c.prediction_type, from.alpha, from.sigma);
    const detail::dpm_factors f = detail::factors_of(c, from, to, order);
    const float h = to.lambda - from.lambda;
    s.to_x0 = f.d0;
    s.to_sample = f.sample;
    s.draws_noise = c.algorithm_type == dpm_algorithm::sde_dpmsolver_pp;
    s.noise = f.noise;
    const auto ring = to_size(c.solver_order - 1);
    if (order >= 2) { // D1_0 = (m0 - m1) / r0; D1_1 = (m1 - m2) / r1
        const detail::dpm_level before(sigmas[i - 1]);
        const float r0 = detail::quotient(from.lambda - before.lambda, h);
        float first = f.d1, second = 0.0f, r1 = 1.0f; // the factors of D1_0 and D1_1
        if (order == 3) { // D1 = D1_0 + r0 / (r0 + r1) (D1_0 - D1_1); D2 = (D1_0 - D1_1) / (r0 + r1)
            r1 = detail::quotient(before.lambda - detail::dpm_level(sigmas[i - 2]).lambda, h);
            second = detail::quotient(-(f.d1 * r0 + f.d2), r0 + r1);
            first -= second;
            s.to_history[(i - 2) % ring] = detail::quotient(-second, r1);
        }
        s.to_x0 += detail::quotient(first, r0);
        s.to_history[(i - 1) % ring] = detail::quotient(second, r1) - detail::quotient(first, r0);
    }
    if (ring > 0) s.keep[i % ring] = {.active = true, .x0 = 1.0f};
    s.signal = from.alpha;
    s.level = from.sigma;
    return s;
}

/// The first steps have lower orders because they have no history, and the last ones as in diffusers.
constexpr status plan_schedule(const DPMSolverMultistepSchedulerConfig& c, const noise_levels& levels,
                               const schedule_request& request, schedule& out) {
    const int n = request.num_inference_steps, train = c.num_train_timesteps;
    if (const status s = check_request(c, request); !s) return s;
    const std::vector<float> training = detail::training_sigmas(levels), logs = detail::log_of(training);

    std::vector<double> timesteps;
    if (!request.custom.empty()) {
        if (c.own_sigmas())
            return status::invalid(
                "custom timesteps cannot be used with use_karras_sigmas, use_exponential_sigmas or use_lu_lambdas");
        if (const status s = detail::check_custom_timesteps(request.custom, train, false); !s) return s;
        timesteps.assign(request.custom.begin(), request.custom.end());
    } else {
        int last = train; // training steps whose lambda is below lambda_min_clipped are left out
        const auto log_root = [](float x) { return detail::log_f32(detail::sqrt_f32(x)); };
        for (; last > 0; --last) {
            const float alpha = at(levels.alphas_cumprod, last - 1);
            if (!(log_root(alpha) - log_root(1.0f - alpha) < c.lambda_min_clipped)) break;
        }
        if (n > last)
            return status::invalid("lambda_min_clipped leaves fewer training steps than num_inference_steps", n, last);
        if (c.timestep_spacing == spacing_kind::trailing) {
            timesteps = detail::trailing_range(last, train, n);
        } else {
            if (c.timestep_spacing == spacing_kind::linspace)
                timesteps = detail::descending_linspace(last - 1, n + 1);
            else
                timesteps = detail::descending_multiples(last / (n + 1), n + 1, c.steps_offset);
            timesteps.pop_back();
            for (double& t : timesteps) t = math::round_half_even(t);
        }
    }

    std::vector<double> levels_at;
    if (c.own_sigmas()) {
        const double first = training.back(), end = training.front();
        if (c.use_karras_sigmas)
            levels_at = detail::karras_sigmas(first, end, n);
        else if (c.use_exponential_sigmas)
            levels_at = detail::exponential_sigmas(math::log(first), math::log(end), n);
        else
            levels_at = detail::exponential_sigmas(logs.back(), logs.front(), n);
        timesteps.clear();
        const bool rounded = !c.use_exponential_sigmas && c.beta_schedule != beta_kind::squaredcos_cap_v2;
        for (const double sigma : levels_at) {
            const double t = detail::sigma_to_timestep(sigma, logs);
            timesteps.push_back(rounded ? math::round_half_even(t) : double(int(t)));
        }
    } else {
        for (const double t : timesteps) levels_at.push_back(detail::interpolate(training, t));
    }
    std::vector<float> sigmas;
    for (const double sigma : levels_at) sigmas.push_back(float(sigma));
    sigmas.push_back(c.final_sigmas_type == final_sigma::zero ? 0.0f : training.front());

    const int steps = int(timesteps.size());
    if (request.begin < 0 || request.begin >= steps)
        return status::invalid("begin must be 0 to num_inference_steps - 1", request.begin, steps);
    std::vector<step_coefficients> planned;
    for (int i = request.begin; i < steps; ++i) {
        const bool few = c.lower_order_final && steps < 15;
        int order = (std::min)(c.solver_order, i - request.begin + 1); // the first steps have no history
        if (i == steps - 1 && (c.euler_at_final || few || c.final_sigmas_type == final_sigma::zero)) order = 1;
        if (i == steps - 2 && few) order = (std::min)(order, 2);
        step_coefficients s = dpm_coefficients(c, sigmas, to_size(i), order);
        s.timestep = float(at(timesteps, i));
        // A step between two equal noise levels changes nothing, such as Karras's last one, which starts and ends at
        // sigma_min. But solvers that divide by the distance of levels have no number for it.
        if (!detail::finite(s))
            return status::invalid(
                "two steps share a noise level, and this solver divides by their distance; take fewer "
                "num_inference_steps, final_sigmas_type zero, or solver_order 1",
                n, train);
        planned.push_back(s);
    }
    out.reset(1.0f, c.solver_order - 1);
    for (const step_coefficients& s : planned) out.push(s);
    return {};
}

/// diffusers' DPMSolverMultistepScheduler. Accepts custom timesteps.
using DPMSolverMultistepScheduler = basic_scheduler<DPMSolverMultistepSchedulerConfig>;

} // namespace apriori
APRIORI_END_EXACT_MATH
