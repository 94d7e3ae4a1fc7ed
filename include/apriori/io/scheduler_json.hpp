// SPDX-License-Identifier: Apache-2.0
// Reading scheduler_config.json: diffusers' class and field names, its defaults for absent fields.
#pragma once

#include "apriori/io/json_fields.hpp"
#include "apriori/schedulers/any_scheduler.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace apriori::io {

namespace detail {

/// Python writes infinities and NaN bare, which is not JSON: they become strings. Lengths of everything else stay.
inline std::string quote_bare_infinities(std::string_view text) {
    std::string out;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size();) {
        if (!quoted) {
            std::string_view found;
            for (const std::string_view word : {"-Infinity", "Infinity", "NaN"})
                if (found.empty() && text.substr(i).starts_with(word)) found = word;
            if (!found.empty()) {
                out += '"' + std::string(found) + '"';
                i += found.size();
                continue;
            }
        }
        if (text[i] == '"') quoted = !quoted;
        if (text[i] == '\\' && quoted && i + 1 < text.size()) out += text[i++];
        out += text[i++];
    }
    return out;
}

inline constexpr choice<prediction_kind> prediction_choices[] = {{"epsilon", prediction_kind::epsilon},
                                                                 {"sample", prediction_kind::sample},
                                                                 {"v_prediction", prediction_kind::v_prediction}};
inline constexpr choice<spacing_kind> spacing_choices[] = {
    {"linspace", spacing_kind::linspace}, {"leading", spacing_kind::leading}, {"trailing", spacing_kind::trailing}};
inline constexpr choice<beta_kind> beta_choices[] = {{"linear", beta_kind::linear},
                                                     {"scaled_linear", beta_kind::scaled_linear},
                                                     {"squaredcos_cap_v2", beta_kind::squaredcos_cap_v2}};

/// A field of diffusers that must hold `value` (the class default), because nothing else is supported.
inline void only(json_fields& fields, const char* key, const json& value) {
    if (const json* got = fields.next(key); got != nullptr && *got != value)
        fields.refuse(key, *got, value.dump() + " (nothing else is supported)", errc::unsupported);
}

/// The fields of dynamic thresholding: it must be off, and then the others say nothing.
inline void no_thresholding(json_fields& fields) {
    only(fields, "thresholding", false);
    fields.next("dynamic_thresholding_ratio");
    fields.next("sample_max_value");
}

inline constexpr float largest = 1e30f; ///< of a range to clip to

template <class Config>
void read_betas(json_fields& f, Config& c, std::span<const choice<beta_kind>> kinds) {
    f.integer("num_train_timesteps", c.num_train_timesteps, 1, max_train_timesteps);
    f.number("beta_start", c.beta_start, 1e-7, 0.999999);
    f.number("beta_end", c.beta_end, 1e-7, 0.999999);
    f.one_of("beta_schedule", c.beta_schedule, kinds);
    only(f, "trained_betas", nullptr);
}

template <class Config>
void read_timesteps(json_fields& f, Config& c) {
    f.one_of("prediction_type", c.prediction_type, prediction_choices);
    f.one_of("timestep_spacing", c.timestep_spacing, spacing_choices);
    f.integer("steps_offset", c.steps_offset, 0, max_train_timesteps);
}

template <class Config>
void read_clipping(json_fields& f, Config& c) {
    f.boolean("clip_sample", c.clip_sample);
    f.number("clip_sample_range", c.clip_sample_range, 1e-30f, largest);
}

inline void read_fields(json_fields& f, UnCLIPSchedulerConfig& c) {
    static constexpr choice<variance_kind> variances[] = {{"fixed_small_log", variance_kind::fixed_small_log},
                                                          {"learned_range", variance_kind::learned_range}};
    f.integer("num_train_timesteps", c.num_train_timesteps, 1, max_train_timesteps);
    f.one_of("variance_type", c.variance_type, variances);
    read_clipping(f, c);
    f.one_of("prediction_type", c.prediction_type, std::span(prediction_choices).first(2));
    f.one_of("beta_schedule", c.beta_schedule, std::span(beta_choices).last(1));
}

inline void read_fields(json_fields& f, DDPMSchedulerConfig& c) {
    static constexpr choice<beta_kind> betas[] = {beta_choices[0],
                                                  beta_choices[1],
                                                  beta_choices[2],
                                                  {"sigmoid", beta_kind::sigmoid},
                                                  {"laplace", beta_kind::laplace}};
    static constexpr choice<variance_kind> variances[] = {{"fixed_small", variance_kind::fixed_small},
                                                          {"fixed_small_log", variance_kind::fixed_small_log},
                                                          {"fixed_large", variance_kind::fixed_large},
                                                          {"learned_range", variance_kind::learned_range}};
    read_betas(f, c, betas);
    f.one_of("variance_type", c.variance_type, variances);
    read_clipping(f, c);
    read_timesteps(f, c);
    no_thresholding(f);
    f.boolean("rescale_betas_zero_snr", c.rescale_betas_zero_snr);
}

inline void read_fields(json_fields& f, DDIMSchedulerConfig& c) {
    read_betas(f, c, beta_choices);
    read_clipping(f, c);
    f.boolean("set_alpha_to_one", c.set_alpha_to_one);
    read_timesteps(f, c);
    no_thresholding(f);
    f.boolean("rescale_betas_zero_snr", c.rescale_betas_zero_snr);
}

inline void read_fields(json_fields& f, HeunDiscreteSchedulerConfig& c) {
    static constexpr choice<beta_kind> betas[] = {
        beta_choices[0], beta_choices[1], beta_choices[2], {"exp", beta_kind::exp}};
    read_betas(f, c, betas);
    read_timesteps(f, c);
    read_clipping(f, c);
    f.boolean("use_karras_sigmas", c.use_karras_sigmas);
    f.boolean("use_exponential_sigmas", c.use_exponential_sigmas);
    only(f, "use_beta_sigmas", false);
}

inline void read_fields(json_fields& f, DPMSolverMultistepSchedulerConfig& c) {
    static constexpr choice<dpm_algorithm> algorithms[] = {{"dpmsolver++", dpm_algorithm::dpmsolver_pp},
                                                           {"sde-dpmsolver++", dpm_algorithm::sde_dpmsolver_pp}};
    static constexpr choice<dpm_solver> solvers[] = {{"midpoint", dpm_solver::midpoint}, {"heun", dpm_solver::heun}};
    static constexpr choice<final_sigma> finals[] = {{"zero", final_sigma::zero},
                                                     {"sigma_min", final_sigma::sigma_min}};
    read_betas(f, c, beta_choices);
    f.integer("solver_order", c.solver_order, 1, 3);
    read_timesteps(f, c);
    no_thresholding(f);
    f.one_of("algorithm_type", c.algorithm_type, algorithms);
    f.one_of("solver_type", c.solver_type, solvers);
    f.boolean("lower_order_final", c.lower_order_final);
    f.boolean("euler_at_final", c.euler_at_final);
    f.boolean("use_karras_sigmas", c.use_karras_sigmas);
    f.boolean("use_exponential_sigmas", c.use_exponential_sigmas);
    f.boolean("use_lu_lambdas", c.use_lu_lambdas);
    only(f, "use_beta_sigmas", false);
    only(f, "use_flow_sigmas", false);
    only(f, "use_dynamic_shifting", false);
    // fixed variances, which configurations of other classes hold, change nothing here
    if (const json* v = f.next("variance_type"); v != nullptr && (*v == "learned" || *v == "learned_range"))
        f.refuse("variance_type", *v, "null (nothing else is supported)", errc::unsupported);
    f.next("flow_shift"); // read by diffusers with use_flow_sigmas alone
    f.next("time_shift_type");
    f.one_of("final_sigmas_type", c.final_sigmas_type, finals);
    const json* lambda = f.next("lambda_min_clipped");
    if (lambda != nullptr && *lambda != "-Infinity")
        f.number("lambda_min_clipped", c.lambda_min_clipped, -largest, largest);
    f.boolean("rescale_betas_zero_snr", c.rescale_betas_zero_snr);
}

/// One class after the other, until one has the name. `own` is the class that the file names: of another one's fields those
/// are read that the class has, too.
template <std::size_t I = 0>
result<any_scheduler_config> read_class(json_fields& fields, const json& name, const json& own,
                                        std::string_view where) {
    if constexpr (I < std::variant_size_v<any_scheduler_config>) {
        using config_type = std::variant_alternative_t<I, any_scheduler_config>;
        if (name != config_type::class_name) return read_class<I + 1>(fields, name, own, where);
        config_type config;
        // UnCLIPScheduler's betas are those also where its file does not say so
        if (own == UnCLIPSchedulerConfig::class_name) config.beta_schedule = UnCLIPSchedulerConfig{}.beta_schedule;
        read_fields(fields, config);
        if (auto done = name == own ? fields.finish(config_type::class_name) : fields.finish(); !done.ok())
            return done.error();
        if (const status s = validate(config); !s.ok()) return failure{s.code, cat(where, ": ", to_failure(s).message)};
        return any_scheduler_config(config);
    } else {
        std::string allowed;
        [&]<std::size_t... K>(std::index_sequence<K...>) {
            ((allowed += std::string(K == 0 ? "\"" : ", \"") +
                         std::variant_alternative_t<K, any_scheduler_config>::class_name + '"'),
             ...);
        }(std::make_index_sequence<std::variant_size_v<any_scheduler_config>>{});
        if (name != own) return failure{errc::unsupported, cat("scheduler ", shown(name), "; allowed: ", allowed)};
        return failure{errc::unsupported, cat(where, ": field '_class_name' is ", shown(name), "; allowed: ", allowed)};
    }
}

} // namespace detail

/// The scheduler in the text of a scheduler_config.json; `where` (a path) opens the messages. The field _class_name
/// says which one it is; absent fields take the class defaults; an error names file, field, value and what is allowed.
/// `as`, if it is not empty, is a class to make of it instead, as diffusers' from_config does: the fields that this class
/// has are taken, the others ignored.
inline result<any_scheduler_config> parse_scheduler_config(std::string_view text,
                                                           std::string_view where = "scheduler_config.json",
                                                           std::string_view as = {}) {
    auto fields = json_fields::parse(detail::quote_bare_infinities(text), where);
    if (!fields.ok()) return fields.error();
    const json* name = fields->next("_class_name");
    if (name == nullptr) return failure{errc::bad_format, cat(where, ": has no field '_class_name'")};
    return detail::read_class(*fields, as.empty() ? *name : json(as), *name, where);
}

/// The scheduler in a file, or in the scheduler_config.json of a folder.
inline result<any_scheduler_config> load_scheduler_config(const std::filesystem::path& path, std::string_view as = {}) {
    std::error_code error;
    const auto file_path = std::filesystem::is_directory(path, error) ? path / "scheduler_config.json" : path;
    const auto file = mapped_file::open(file_path);
    if (!file.ok()) return file.error();
    return parse_scheduler_config(file->text(), file_path.string(), as);
}

} // namespace apriori::io
