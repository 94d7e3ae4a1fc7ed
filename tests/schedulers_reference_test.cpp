// SPDX-License-Identifier: Apache-2.0
// Every recorded run of diffusers' schedulers: read from its scheduler_config.json and run step by step.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace apriori {
namespace {

struct tensor {
    std::vector<index_t> dims;
    std::vector<float> values;
};

const std::string folder = std::string(APRIORI_TEST_DATA) + "/cases/";

tensor read(const io::weights_source& source, const std::string& name) {
    const auto at = source.find(name);
    EXPECT_TRUE(at.has_value()) << name;
    tensor t;
    if (!at) return t;
    const tensor_info info = source.info(*at);
    for (int d = 0; d < info.rank; ++d) t.dims.push_back(info.dims[static_cast<std::size_t>(d)]);
    t.values.resize(static_cast<std::size_t>(info.size()));
    EXPECT_TRUE(source.read(*at, 0, t.values).ok()) << name;
    return t;
}

std::span<const float> row(const tensor& t, std::size_t i) {
    const std::size_t width = t.values.size() / static_cast<std::size_t>(t.dims.at(0));
    return std::span(t.values).subspan(i * width, width);
}

float largest(std::span<const float> values) {
    float out = 0.0f;
    for (const float v : values) out = std::max(out, std::abs(v));
    return out;
}

struct recorded_case {
    std::string file, name;
    friend std::ostream& operator<<(std::ostream& out, const recorded_case& c) { return out << c.name; }
};

std::string text_of(const std::string& file) {
    const auto opened = io::mapped_file::open(folder + file + ".json");
    EXPECT_TRUE(opened.ok());
    return std::string(opened->text());
}

/// The recorded data besides the tensors; Python's -Infinity, which is not JSON, becomes null.
nlohmann::json meta_of(const std::string& file) {
    std::string text = text_of(file);
    constexpr std::string_view infinity = "-Infinity";
    for (std::size_t at = 0; (at = text.find(infinity, at)) != std::string::npos;)
        text.replace(at, infinity.size(), "null");
    return nlohmann::json::parse(text);
}

std::vector<recorded_case> all_cases() {
    std::vector<recorded_case> out;
    for (const char* file : {"schedulers", "schedulers_more"}) {
        const nlohmann::json meta = meta_of(file);
        for (const auto& item : meta.items()) out.push_back({file, item.key()});
    }
    return out;
}

class Recorded : public testing::TestWithParam<recorded_case> {};

// A step has the error of a few roundings of its largest term, and a third-order step divides differences of
// predictions by small steps in lambda. 64 units in the last place of the trace's largest value are a bound for both;
// any wrong term exceeds it.
TEST_P(Recorded, TraceMatches) {
    const auto& [file, name] = GetParam();
    const nlohmann::json meta = meta_of(file)[name];
    const std::string text = text_of(file);
    constexpr auto python = json_reader::dialect::python;
    const auto described = json_member(json_member(text, name, python).text, "config", python).text;
    const auto class_name = "{\"_class_name\": " + meta["class"].dump() + ", ";
    auto config = io::parse_scheduler_config(class_name + std::string(described.substr(1)), name);
    ASSERT_TRUE(config.ok()) << config.error().message;

    if (auto* ddim = std::get_if<DDIMSchedulerConfig>(&*config)) {
        ddim->eta = meta.value("eta", 0.0f);
        ddim->use_clipped_model_output = meta.value("use_clipped_model_output", false);
    }
    const auto custom = meta.value("timesteps", std::vector<float>{});
    schedule plan;
    const status planned = plan_schedule(
        *config, {.num_inference_steps = meta["steps"].get<int>(), .custom = custom, .begin = meta.value("begin", 0)},
        plan);
    ASSERT_TRUE(planned.ok()) << planned.what;

    const auto source = io::weights_source::open_file(folder + file + ".safetensors");
    ASSERT_TRUE(source.ok()) << source.error().message;
    const tensor outputs = read(*source, name + ".in.model_output"), noise = read(*source, name + ".in.noise");
    const tensor timesteps = read(*source, name + ".timesteps"), trace = read(*source, name + ".out.trace");
    const tensor inputs = read(*source, name + ".out.model_input");
    const float sigma = read(*source, name + ".init_noise_sigma").values.at(0);

    ASSERT_EQ(plan.timesteps().size(), timesteps.values.size());
    if (source->find(name + ".out.noised")) {
        const tensor noised = read(*source, name + ".out.noised");
        for (std::size_t i = 0; i < plan.steps().size(); ++i)
            for (std::size_t j = 0; j < row(noised, i).size(); ++j)
                ASSERT_NEAR(plan.steps()[i].signal + plan.steps()[i].level * row(noise, 0)[j], row(noised, i)[j],
                            4e-7f * std::max(1.0f, largest(row(noised, i))))
                    << "add_noise at step " << i;
    }
    EXPECT_NEAR(plan.init_noise_sigma(), sigma, 2e-7f * sigma);
    std::vector<float> sample(row(trace, 0).begin(), row(trace, 0).end());
    const auto dim = static_cast<index_t>(sample.size());
    std::array<std::vector<float>, max_history_slots> history;
    for (int k = 0; k < plan.history_slots(); ++k) history[static_cast<std::size_t>(k)].resize(sample.size());
    const float tolerance = 64.0f * 6e-8f * std::max(1.0f, largest(trace.values));
    float largest_share = 0.0f;
    for (std::size_t i = 0; i < plan.steps().size(); ++i) {
        const step_coefficients& c = plan.steps()[i];
        EXPECT_NEAR(plan.timesteps()[i], timesteps.values[i], 1e-6f * timesteps.values[i]) << "step " << i;
        for (std::size_t j = 0; j < sample.size(); ++j)
            ASSERT_NEAR(c.input_scale * sample[j], row(inputs, i)[j], tolerance) << "input of step " << i << ", " << j;
        const status s = apply_step(c,
                                    {.output = row(outputs, i),
                                     .sample = sample,
                                     .noise = row(noise, i),
                                     .next = sample,
                                     .history = {history[0], history[1]}},
                                    dim);
        ASSERT_TRUE(s.ok()) << s.what;
        float worst = 0.0f;
        for (std::size_t j = 0; j < sample.size(); ++j)
            worst = std::max(worst, std::abs(sample[j] - row(trace, i + 1)[j]));
        ASSERT_LE(worst, tolerance) << "after step " << i;
        largest_share = std::max(largest_share, worst / tolerance);
    }
    RecordProperty("worst_in_tolerances", std::to_string(largest_share));
}

INSTANTIATE_TEST_SUITE_P(Diffusers, Recorded, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return info.param.name; });

} // namespace
} // namespace apriori
