// SPDX-License-Identifier: Apache-2.0
// apriori verify and info: small models of tests/reference on every device and instruction set, and wrong models.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "program_testing.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

namespace {

using namespace program_testing;

/// The tensors of a file of cases, which can be changed and written.
struct tensors {
    std::map<std::string, std::pair<std::vector<apriori::index_t>, std::vector<float>>> by_name;

    explicit tensors(const path& file) {
        const auto source = apriori::io::open_weights(file);
        if (!source) throw std::runtime_error(source.error().message);
        for (std::size_t i = 0; i < source->size(); ++i) {
            const auto info = source->info(i);
            auto& [shape, values] = by_name[std::string(info.name)];
            shape.assign(info.dims.begin(), info.dims.begin() + info.rank);
            values.resize(static_cast<std::size_t>(info.size()));
            EXPECT_TRUE(source->read(i, 0, values).ok());
        }
    }
    void write(const path& file) const {
        apriori::io::safetensors_writer out;
        for (const auto& [name, t] : by_name) EXPECT_TRUE(out.add(name, t.first, t.second).ok());
        EXPECT_TRUE(out.write(file).ok());
    }
};

/// cases/tiny with changed cases.
struct changed_tiny {
    temporary_folder folder;

    explicit changed_tiny(const std::function<void(tensors&)>& change) {
        for (const char* file : {"config.json", "diffusion_pytorch_model.safetensors"})
            std::filesystem::copy_file(cases / "tiny" / file, folder.path / file);
        tensors t(cases / "tiny" / "cases.safetensors");
        change(t);
        t.write(folder.path / "cases.safetensors");
    }
    outcome verify() const { return command(reference_program, {"verify", folder.path.string()}).run(); }
};

class every_model : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(every_model, is_within_its_tolerance) {
    const auto [build, model] = GetParam();
    const std::string name = build, device = name.substr(0, name.find('_'));
    std::vector<std::string> on{"--device", device};
    if (name != device) {
        const std::string arch = name.substr(device.size() + 1);
        on.insert(on.end(), {"--arch", arch});
        if (const outcome o = command(reference_program, {"info", "--arch", arch}).run(); o.code != 0) {
            expect_refused(o, "this machine does not run the build called " + arch);
            GTEST_SKIP() << "this machine has no " << arch;
        }
    }
    on.insert(on.begin(), {"verify", (cases / model).string()});
    const outcome o = command(reference_program, on).run();
    EXPECT_EQ(o.code, 0) << o.out << o.err;
    EXPECT_NE(o.out.find(" are within their tolerance"), std::string::npos) << o.out;
    EXPECT_EQ(o.out.find("OVER"), std::string::npos) << o.out;
    // one line before, one after, and one for each case: the forwards, and two for the sampling trace
    const tensors recorded(cases / model / "cases.safetensors");
    long expected = 2;
    for (const auto& item : recorded.by_name) expected += item.first.find(".out.") != std::string::npos ? 1 : 0;
    EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), expected) << o.out;
}

constexpr const char* models[] = {APRIORI_REFERENCE_MODELS};
constexpr const char* builds[] = {APRIORI_REFERENCE_BUILDS};
INSTANTIATE_TEST_SUITE_P(verify, every_model,
                         ::testing::Combine(::testing::ValuesIn(builds), ::testing::ValuesIn(models)),
                         [](const auto& info) {
                             return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
                         });

TEST(verify, says_where_a_number_is_wrong) {
    const changed_tiny model(
        [](tensors& t) { t.by_name["mask_ragged.out.predicted_image_embedding"].second[13] += 1; });
    const outcome o = model.verify();
    EXPECT_EQ(o.code, 1) << o.out << o.err;
    EXPECT_NE(o.out.find("mask_ragged              1.00e+00 at [1, 5]"), std::string::npos) << o.out;
    EXPECT_NE(o.out.find("1 of 8 comparisons are over their tolerance"), std::string::npos) << o.out;
}

TEST(verify, takes_a_number_that_is_none_for_wrong) {
    const changed_tiny model([](tensors& t) { t.by_name["sample.out.trace"].second[3] = NAN; });
    const outcome o = model.verify();
    EXPECT_EQ(o.code, 1) << o.out << o.err;
    EXPECT_NE(o.out.find("inf at [0, 0, 3]"), std::string::npos) << o.out;
}

TEST(verify, goes_through_a_folder_of_models) {
    const temporary_folder folder;
    for (const char* model : {"tiny", "shap_e_like"})
        std::filesystem::copy(cases / model, folder.path / model, std::filesystem::copy_options::recursive);
    const outcome o = command(reference_program, {"verify", folder.path.string()}).run();
    EXPECT_EQ(o.code, 0) << o.out << o.err;
    EXPECT_LT(o.out.find("shap_e_like"), o.out.find("tiny on"));
    EXPECT_NE(o.out.find("all 11 comparisons"), std::string::npos) << o.out;
}

TEST(verify, says_each_failure_in_one_line) {
    const temporary_folder folder;
    for (const char* model : {"a\nb", "c\nd"}) {
        std::filesystem::create_directory(folder.path / model);
        folder.write(std::string(model) + "/cases.safetensors", "");
    }
    const outcome o = command(reference_program, {"verify", folder.path.string()}).run();
    EXPECT_EQ(o.code, 2);
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 2) << o.err;
    EXPECT_NE(o.err.find("a\\x0ab"), std::string::npos) << o.err;
}

TEST(verify, makes_synthetic_weights_where_there_are_none) {
    const changed_tiny model([](tensors&) {});
    std::filesystem::remove(model.folder.path / "diffusion_pytorch_model.safetensors");
    const outcome o = model.verify(); // tiny's weights are synthetic
    EXPECT_EQ(o.code, 0) << o.out << o.err;
    EXPECT_NE(o.out.find("synthetic weights"), std::string::npos) << o.out;
}

TEST(verify, refuses_cases_that_cannot_be_run) {
    const auto refused = [](const char* part, const std::function<void(tensors&)>& change) {
        const outcome o = changed_tiny(change).verify();
        EXPECT_EQ(o.code, 2) << o.out << o.err;
        EXPECT_NE(o.err.find(part), std::string::npos) << o.err << "lacks " << part;
        EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
    };
    refused("timestep[0] is nan", [](tensors& t) { t.by_name["no_mask.in.timestep"].second[0] = NAN; });
    refused("timestep[2] is -inf", [](tensors& t) { t.by_name["mask_ragged.in.timestep"].second[2] = -INFINITY; });
    refused("hidden_states is [1, 2, 4]; the configuration takes [rows, 8] or [rows, tokens, 8]",
            [](tensors& t) { t.by_name["mask_ones.in.hidden_states"].first = {1, 2, 4}; });
    refused("proj_embedding is not there", [](tensors& t) { t.by_name.erase("no_mask.in.proj_embedding"); });
    refused("attention_mask[0, 3] is 0.5",
            [](tensors& t) { t.by_name["mask_ones.in.attention_mask"].second[3] = 0.5F; });
    refused("encoder_hidden_states: as many rows as hidden_states", [](tensors& t) {
        auto& [shape, values] = t.by_name["no_mask.in.encoder_hidden_states"];
        shape = {1, 7, 8};
        values.resize(56);
    });
    refused("sample.in.noise is [1, 6, 8]; it must be [6, 1, 8]",
            [](tensors& t) { t.by_name["sample.in.noise"].first = {1, 6, 8}; });
    refused("sample.timesteps are not those", [](tensors& t) { t.by_name["sample.timesteps"].second[1] = 801; });
    refused("holds no cases", [](tensors& t) {
        std::erase_if(t.by_name, [](const auto& item) { return item.first.find(".out.") != std::string::npos; });
    });
}

TEST(info, says_what_a_model_costs) {
    const outcome o = run({"info", "digits", "--rows", "2"});
    ASSERT_EQ(o.code, 0) << o.err;
    for (const char* part : {"preset digits", "862,400", "29 launches", "workspace", "3 times:", "attention",
                             "[layer_norm, multiply, add] contraction [add, gelu]"})
        EXPECT_NE(o.out.find(part), std::string::npos) << o.out << "lacks " << part;
    // a folder with the same configuration
    const outcome folder = run({"info", digits.string(), "--rows", "2"});
    EXPECT_EQ(o.out.substr(o.out.find('\n')), folder.out.substr(folder.out.find('\n')));
}

TEST(info, lists_what_is_compiled_in) {
    const outcome o = run({"info"});
    ASSERT_EQ(o.code, 0) << o.err;
    for (const char* part : {"devices: cpu", "digits", "862,400 parameters",
                             "instruction sets of cpu: ", "; here: ", "weight formats of cpu: f32"})
        EXPECT_NE(o.out.find(part), std::string::npos) << o.out << "lacks " << part;
}

} // namespace
