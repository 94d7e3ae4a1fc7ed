// SPDX-License-Identifier: Apache-2.0
// scheduler_config.json: defaults, every field, and one clear line for everything that cannot be read.
// (schedulers_reference_test.cpp reads configurations that diffusers wrote.)
#include "apriori/io/scheduler_json.hpp"
#include "io_testing.hpp"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace apriori {
namespace {

template <class Config>
Config read(const std::string& fields) {
    const auto got = io::parse_scheduler_config("{\"_class_name\": \"" + std::string(Config::class_name) + "\"" +
                                                (fields.empty() ? "" : ", ") + fields + "}");
    EXPECT_TRUE(got.ok()) << got.error().message;
    if (!got.ok()) return {};
    EXPECT_TRUE(std::holds_alternative<Config>(*got));
    return std::get<Config>(*got);
}

std::string error(const std::string& class_name, const std::string& fields) {
    const auto got = io::parse_scheduler_config("{\"_class_name\": \"" + class_name + "\", " + fields + "}", "s.json");
    EXPECT_FALSE(got.ok()) << fields;
    return got.ok() ? "" : got.error().message;
}

TEST(SchedulerJson, AbsentFieldsTakeTheClassDefaults) {
    EXPECT_EQ(read<UnCLIPSchedulerConfig>(""), UnCLIPSchedulerConfig{});
    EXPECT_EQ(read<DDPMSchedulerConfig>(""), DDPMSchedulerConfig{});
    EXPECT_EQ(read<DDIMSchedulerConfig>(""), DDIMSchedulerConfig{});
    EXPECT_EQ(read<HeunDiscreteSchedulerConfig>(""), HeunDiscreteSchedulerConfig{});
    EXPECT_EQ(read<DPMSolverMultistepSchedulerConfig>(""), DPMSolverMultistepSchedulerConfig{});
}

TEST(SchedulerJson, EveryFieldOfEveryClass) {
    EXPECT_EQ(read<UnCLIPSchedulerConfig>(R"("num_train_timesteps": 50, "variance_type": "learned_range",
                  "clip_sample": false, "clip_sample_range": 3.5, "prediction_type": "sample",
                  "beta_schedule": "squaredcos_cap_v2", "_diffusers_version": "0.42.1")"),
              (UnCLIPSchedulerConfig{50, variance_kind::learned_range, false, 3.5f, prediction_kind::sample}));
    EXPECT_EQ(read<DDPMSchedulerConfig>(R"("num_train_timesteps": 50, "beta_start": 0.001, "beta_end": 0.1,
                  "beta_schedule": "sigmoid", "trained_betas": null, "variance_type": "fixed_large", "clip_sample": false,
                  "prediction_type": "v_prediction", "thresholding": false, "dynamic_thresholding_ratio": 0.9,
                  "clip_sample_range": 2, "sample_max_value": 4.0, "timestep_spacing": "trailing", "steps_offset": 1,
                  "rescale_betas_zero_snr": true)"),
              (DDPMSchedulerConfig{50, 0.001, 0.1, beta_kind::sigmoid, variance_kind::fixed_large, false,
                                   prediction_kind::v_prediction, 2.0f, spacing_kind::trailing, 1, true}));
    EXPECT_EQ(
        read<DDIMSchedulerConfig>(R"("beta_schedule": "scaled_linear", "set_alpha_to_one": false, "steps_offset": 1,
                  "clip_sample": false, "prediction_type": "sample", "timestep_spacing": "linspace",
                  "rescale_betas_zero_snr": true)"),
        (DDIMSchedulerConfig{.beta_schedule = beta_kind::scaled_linear,
                             .clip_sample = false,
                             .set_alpha_to_one = false,
                             .steps_offset = 1,
                             .prediction_type = prediction_kind::sample,
                             .timestep_spacing = spacing_kind::linspace,
                             .rescale_betas_zero_snr = true}));
    EXPECT_EQ(read<HeunDiscreteSchedulerConfig>(R"("beta_schedule": "exp", "use_karras_sigmas": true,
                  "use_exponential_sigmas": false, "use_beta_sigmas": false, "clip_sample": true, "clip_sample_range": 2.0,
                  "timestep_spacing": "leading", "steps_offset": 2)"),
              (HeunDiscreteSchedulerConfig{.beta_schedule = beta_kind::exp,
                                           .use_karras_sigmas = true,
                                           .clip_sample = true,
                                           .clip_sample_range = 2.0f,
                                           .timestep_spacing = spacing_kind::leading,
                                           .steps_offset = 2}));
    EXPECT_EQ(read<DPMSolverMultistepSchedulerConfig>(R"("solver_order": 3, "algorithm_type": "sde-dpmsolver++",
                  "solver_type": "heun", "lower_order_final": false, "euler_at_final": true, "use_lu_lambdas": true,
                  "final_sigmas_type": "sigma_min", "lambda_min_clipped": -5.1, "variance_type": null, "flow_shift": 1.0)"),
              (DPMSolverMultistepSchedulerConfig{.solver_order = 3,
                                                 .algorithm_type = dpm_algorithm::sde_dpmsolver_pp,
                                                 .solver_type = dpm_solver::heun,
                                                 .lower_order_final = false,
                                                 .euler_at_final = true,
                                                 .use_lu_lambdas = true,
                                                 .final_sigmas_type = final_sigma::sigma_min,
                                                 .lambda_min_clipped = -5.1f}));
}

TEST(SchedulerJson, ValuesThatAFlagTurnsOffAreNotChecked) {
    EXPECT_EQ(read<HeunDiscreteSchedulerConfig>(R"("clip_sample_range": -1, "clip_sample": false)"),
              (HeunDiscreteSchedulerConfig{}));
    EXPECT_NE(
        error("HeunDiscreteScheduler", R"("clip_sample_range": -1, "clip_sample": true)").find("clip_sample_range"),
        std::string::npos);
}

TEST(SchedulerJson, PythonsBareInfinityIsRead) {
    EXPECT_EQ(read<DPMSolverMultistepSchedulerConfig>(R"("lambda_min_clipped": -Infinity)"),
              DPMSolverMultistepSchedulerConfig{});
    EXPECT_NE(error("DPMSolverMultistepScheduler", R"("lambda_min_clipped": NaN)").find("lambda_min_clipped"),
              std::string::npos);
    EXPECT_NE(error("UnCLIPScheduler", R"("clip_sample_range": Infinity)").find("clip_sample_range"),
              std::string::npos);
}

TEST(SchedulerJson, OneLineNamesFileFieldValueAndWhatIsAllowed) {
    EXPECT_EQ(error("UnCLIPScheduler", R"("variance_type": "fixed_large")"),
              "s.json: field 'variance_type' is \"fixed_large\"; allowed: \"fixed_small_log\", \"learned_range\"");
    EXPECT_EQ(error("UnCLIPScheduler", R"("beta_schedule": "linear")"),
              "s.json: field 'beta_schedule' is \"linear\"; allowed: \"squaredcos_cap_v2\"");
    EXPECT_EQ(error("UnCLIPScheduler", R"("prediction_type": "v_prediction")"),
              "s.json: field 'prediction_type' is \"v_prediction\"; allowed: \"epsilon\", \"sample\"");
    EXPECT_EQ(error("PNDMScheduler", R"("skip_prk_steps": true)"),
              "s.json: field '_class_name' is \"PNDMScheduler\"; allowed: \"UnCLIPScheduler\", \"DDPMScheduler\", "
              "\"DDIMScheduler\", \"HeunDiscreteScheduler\", \"DPMSolverMultistepScheduler\"");
    EXPECT_EQ(error("DDPMScheduler", R"("thresholding": true)"),
              "s.json: field 'thresholding' is true; allowed: false (nothing else is supported)");
    EXPECT_EQ(error("DDIMScheduler", R"("steps_offset": 1000)"),
              "s.json: steps_offset must be 0 to num_train_timesteps - 1 (got 1000, limit 1000)");
}

TEST(SchedulerJson, RefusesWhatIsNotSupported) {
    for (const std::string fields :
         {R"("num_train_timesteps": 0)", R"("num_train_timesteps": 1e9)", R"("beta_start": 0)",
          R"("trained_betas": [0.1, 0.2])", R"("variance_type": "learned")", R"("variance_type": "fixed_large_log")",
          R"("clip_sample": 1)", R"("clip_sample_range": -1)", R"("clip_sample_range": "big")",
          R"("timestep_spacing": "middle")", R"("beta_schedule": "exp")"})
        EXPECT_EQ(error("DDPMScheduler", fields).substr(0, 8), "s.json: ");
    for (const std::string fields :
         {R"("use_beta_sigmas": true)", R"("use_karras_sigmas": true, "use_exponential_sigmas": true)",
          R"("beta_schedule": "sigmoid")"})
        EXPECT_EQ(error("HeunDiscreteScheduler", fields).substr(0, 8), "s.json: ");
    for (const std::string fields :
         {R"("algorithm_type": "dpmsolver")", R"("solver_order": 4)", R"("use_flow_sigmas": true)",
          R"("prediction_type": "flow_prediction")", R"("variance_type": "learned")", R"("use_dynamic_shifting": true)",
          R"("solver_type": "bh3")", R"("algorithm_type": "ddim")"})
        EXPECT_EQ(error("DPMSolverMultistepScheduler", fields).substr(0, 8), "s.json: ");
}

TEST(SchedulerJson, FieldsOfOtherClassesAreIgnored) { // as from_config writes them to a file
    const io_testing::captured_warnings warnings;
    const std::string others =
        R"("sigma_min": 0.1, "skip_prk_steps": true, "predict_x0": true, "solver_p": null, "timestep_type": "discrete")";
    EXPECT_EQ(read<DDIMSchedulerConfig>(R"("variance_type": "fixed_small_log", "use_karras_sigmas": true, )" + others),
              DDIMSchedulerConfig{});
    EXPECT_EQ(read<DDPMSchedulerConfig>(R"("set_alpha_to_one": false, "lambda_min_clipped": -Infinity, )" + others),
              DDPMSchedulerConfig{});
    EXPECT_EQ(
        read<HeunDiscreteSchedulerConfig>(R"("variance_type": "fixed_small_log", "thresholding": true, )" + others),
        HeunDiscreteSchedulerConfig{});
    EXPECT_EQ(read<DPMSolverMultistepSchedulerConfig>(R"("clip_sample": true, "clip_sample_range": 5.0, )" + others),
              DPMSolverMultistepSchedulerConfig{});
    EXPECT_EQ(read<DDPMSchedulerConfig>(R"("variance_type": null)"), DDPMSchedulerConfig{}); // DPM-Solver's
    // solvers of DEIS and UniPC, for which diffusers uses these
    EXPECT_EQ(read<DPMSolverMultistepSchedulerConfig>(R"("algorithm_type": "deis", "solver_type": "logrho")"),
              DPMSolverMultistepSchedulerConfig{});
    for (const char* solver : {"bh1", "bh2"})
        EXPECT_EQ(
            read<DPMSolverMultistepSchedulerConfig>(std::string(R"("solver_type": ")") + solver + '"').solver_type,
            dpm_solver::midpoint);
    EXPECT_EQ(warnings.texts(), std::vector<std::string>());
}

TEST(SchedulerJson, FieldsOfOtherClassesThatChangeTheNumbersAreErrors) { // diffusers reads them nevertheless
    for (const char* name : {"HeunDiscreteScheduler", "DPMSolverMultistepScheduler"})
        for (const char* field : {"sigma_min", "sigma_max"})
            for (const char* sigmas : {R"("use_karras_sigmas": true, )", R"("use_exponential_sigmas": true, )"})
                EXPECT_EQ(error(name, std::string(sigmas) + '"' + field + R"(": 0.1)"),
                          std::string("s.json: field '") + field +
                              "' is 0.1; allowed: null (nothing else is supported)");
    EXPECT_TRUE(read<HeunDiscreteSchedulerConfig>(R"("use_karras_sigmas": true, "sigma_min": null)").use_karras_sigmas);
    EXPECT_TRUE(read<DPMSolverMultistepSchedulerConfig>(R"("sigma_max": 80.0, "use_lu_lambdas": true)").use_lu_lambdas);
}

TEST(SchedulerJson, FieldsOfNoClassAreAWarning) {
    const io_testing::captured_warnings warnings;
    EXPECT_EQ(read<DDPMSchedulerConfig>(R"("etaa": 1, "steps_offset": 1, "betas": [1, {"two": 3}])"),
              DDPMSchedulerConfig{.steps_offset = 1});
    // in diffusers UnCLIPScheduler is compatible with no other class, so diffusers warns of their fields
    EXPECT_EQ(read<UnCLIPSchedulerConfig>(R"("sigma_max": null, "timestep_type": "discrete")"),
              UnCLIPSchedulerConfig{});
    EXPECT_EQ(warnings.texts(),
              (std::vector<std::string>{
                  "scheduler_config.json: ignored: 'etaa', 'betas'; DDPMScheduler has no such field",
                  "scheduler_config.json: ignored: 'sigma_max', 'timestep_type'; UnCLIPScheduler has no such field"}));
}

TEST(SchedulerJson, DefaultsThatDiffusersMarkedAreThoseOfTheClass) {
    const std::string file =
        R"({"_class_name": "DDIMScheduler", "steps_offset": 1, "timestep_spacing": "leading", "beta_end": 0.5,)"
        R"( "_use_default_values": ["timestep_spacing", "beta_end", "sigma_min"]})";
    const auto heun = io::parse_scheduler_config(file, "s.json", "HeunDiscreteScheduler");
    ASSERT_TRUE(heun.ok()) << heun.error().message;
    EXPECT_EQ(std::get<HeunDiscreteSchedulerConfig>(*heun), HeunDiscreteSchedulerConfig{.steps_offset = 1});
}

TEST(SchedulerJson, RefusesWhatIsNoSchedulerConfig) {
    EXPECT_FALSE(io::parse_scheduler_config("").ok());
    EXPECT_FALSE(io::parse_scheduler_config("[]").ok());
    EXPECT_FALSE(io::parse_scheduler_config("{}").ok());
    EXPECT_FALSE(io::parse_scheduler_config(R"({"_class_name": 3})").ok());
    EXPECT_FALSE(io::parse_scheduler_config(R"({"_class_name": "UnCLIPScheduler")").ok());
    EXPECT_EQ(io::load_scheduler_config("no/such/file.json").error().code, errc::not_found);
}

TEST(SchedulerJson, ReadsAFolder) {
    const auto got = io::load_scheduler_config(std::string(APRIORI_DIGITS) + "/scheduler");
    ASSERT_TRUE(got.ok()) << got.error().message;
    EXPECT_EQ(std::get<UnCLIPSchedulerConfig>(*got),
              (UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample}));
}

TEST(SchedulerJson, MakesAnotherClassOfTheFieldsThatItHas) { // like diffusers' from_config
    const std::string file =
        R"({"_class_name": "UnCLIPScheduler", "num_train_timesteps": 500, "clip_sample_range": 5.0,)"
        R"( "variance_type": "fixed_small_log", "prediction_type": "sample"})";
    const auto as = [&](const char* name) { return io::parse_scheduler_config(file, "s.json", name); };
    constexpr beta_kind betas = beta_kind::squaredcos_cap_v2; // UnCLIPScheduler's, although its file does not name them
    const auto ddpm = as("DDPMScheduler"), ddim = as("DDIMScheduler"), heun = as("HeunDiscreteScheduler"),
               dpm = as("DPMSolverMultistepScheduler"), same = as("UnCLIPScheduler");
    for (const auto* r : {&ddpm, &ddim, &heun, &dpm, &same}) ASSERT_TRUE(r->ok()) << r->error().message;
    constexpr auto sample = prediction_kind::sample;
    EXPECT_EQ(std::get<DDPMSchedulerConfig>(*ddpm),
              (DDPMSchedulerConfig{.num_train_timesteps = 500,
                                   .beta_schedule = betas,
                                   .variance_type = variance_kind::fixed_small_log,
                                   .prediction_type = sample,
                                   .clip_sample_range = 5.0f}));
    EXPECT_EQ(
        std::get<DDIMSchedulerConfig>(*ddim),
        (DDIMSchedulerConfig{
            .num_train_timesteps = 500, .beta_schedule = betas, .prediction_type = sample, .clip_sample_range = 5.0f}));
    EXPECT_EQ(
        std::get<HeunDiscreteSchedulerConfig>(*heun),
        (HeunDiscreteSchedulerConfig{
            .num_train_timesteps = 500, .beta_schedule = betas, .prediction_type = sample, .clip_sample_range = 5.0f}));
    EXPECT_EQ(std::get<DPMSolverMultistepSchedulerConfig>(*dpm),
              (DPMSolverMultistepSchedulerConfig{
                  .num_train_timesteps = 500, .beta_schedule = betas, .prediction_type = sample}));
    EXPECT_EQ(std::get<UnCLIPSchedulerConfig>(*same).num_train_timesteps, 500);

    const auto refused = [](const std::string& text, const char* name) {
        const auto got = io::parse_scheduler_config(text, "s.json", name);
        return got.ok() ? std::string() : got.error().message;
    };
    EXPECT_TRUE(refused(file, "EulerDiscreteScheduler")
                    .starts_with("scheduler \"EulerDiscreteScheduler\"; allowed: \"UnCLIPScheduler\""));
    EXPECT_TRUE(refused(R"({"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"})", "UnCLIPScheduler")
                    .starts_with("s.json: field 'prediction_type' is \"v_prediction\"; allowed: "));
    // of an unknown class only the fields with known names count
    EXPECT_EQ(refused(R"({"_class_name": "PNDMScheduler", "skip_prk_steps": true})", "DDIMScheduler"), "");
}

} // namespace
} // namespace apriori
