// SPDX-License-Identifier: Apache-2.0
// Pipeline folders of the tiny models, for the program's commands that take words, and diffusers' recorded calls of
// these pipelines (tests/reference/pipelines).
#pragma once

#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "program_testing.hpp"

#include <algorithm>
#include <cmath>

namespace program_testing {

using apriori::index_t;

inline const path models = path(APRIORI_TEST_DATA) / "pipelines";
inline const std::string seven = "a bold handwritten seven leaning left", two = "a handwritten two";

inline std::vector<float> tensor_of(const path& file, const std::string& name) {
    const auto source = apriori::io::open_weights(file);
    if (!source) throw std::runtime_error(source.error().message);
    auto values = apriori::io::read_tensor(*source, name);
    if (!values) throw std::runtime_error(values.error().message);
    return std::move(*values);
}
inline std::vector<float> recorded(const std::string& name) { return tensor_of(models / "recorded.safetensors", name); }

/// Within the float rounding of the pipelines' own tests: 2e-5 of the largest.
inline void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    float largest = 1;
    for (const float x : wanted) largest = std::max(largest, std::fabs(x));
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 2e-5f * largest) << i;
}

/// A pipeline folder of the tiny models, as diffusers would write it. With an image encoder it is Kandinsky's.
class Words : public testing::Test {
protected:
    void SetUp() override {
        for (const char* kind : {"unclip", "kandinsky"}) {
            const path model = folder.path / kind;
            std::filesystem::create_directories(model);
            const auto link = [&](const path& to, const char* name) {
                std::filesystem::create_directory_symlink(to, model / name);
            };
            for (const char* part : {"prior", "prior_scheduler", "text_encoder"}) link(models / part, part);
            link(digits / "tokenizer", "tokenizer");
        }
        std::filesystem::create_directory_symlink(models / "image_encoder",
                                                  folder.path / "kandinsky" / "image_encoder");
    }
    /// Runs a command of the program on one of the two folders, with --out e.safetensors.
    outcome run_on(const std::string& kind, const std::string& name, std::vector<std::string> more) {
        std::vector<std::string> all{name, "--model", (folder.path / kind).string(), "--out", out.string()};
        all.insert(all.end(), more.begin(), more.end());
        return command(reference_program, std::move(all)).run();
    }
    void expect_call(const outcome& o, const std::string& call, bool negative) {
        ASSERT_EQ(o.code, 0) << o.err;
        expect_near(tensor_of(out, "image_embeds"), recorded(call + ".image_embeds"));
        if (negative) expect_near(tensor_of(out, "negative_image_embeds"), recorded(call + ".negative_image_embeds"));
    }
    path embeds_file(const std::vector<float>& values, std::vector<index_t> shape) const {
        apriori::io::safetensors_writer writer;
        EXPECT_TRUE(writer.add("image_embeds", shape, values).ok());
        const path file = folder.path / "image.safetensors";
        EXPECT_TRUE(writer.write(file).ok());
        return file;
    }

    const temporary_folder folder;
    const path out = folder.path / "e.safetensors";
};

} // namespace program_testing
