// SPDX-License-Identifier: Apache-2.0
// Prefixes and kv caches in files: one that is read gives the same steps as the one that was stored, and invalid files
// are refused.
#include "apriori/io/stored_kv_cache.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "io_testing.hpp"
#include "model_testing.hpp"

#include <filesystem>
#include <limits>

using namespace apriori;

namespace {

constexpr PriorConfig config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 6};
using device_type = cpu<>;
template <class Format = f32>
using model = PriorTransformer<config, device_type, Format>;

class StoredCondition : public testing::Test {
protected:
    void SetUp() override {
        file = folder.path / "kv_cache.safetensors";
        m.emplace(load<f32>());
        const prior_prompt prompts[] = {{pooled, text, ends}, {pooled, text, holes}};
        const auto prefix = m->prefix(prompts);
        ASSERT_TRUE(prefix) << prefix.error().message;
        const auto made = m->kv_cache(*prefix, std::vector<float>{999, 500.5f, 0});
        ASSERT_TRUE(made) << made.error().message;
        kv_cache = *made;
        const auto r = io::write_kv_cache(*m, *kv_cache, file);
        ASSERT_TRUE(r) << r.error().message;
    }

    template <class Format>
    model<Format> load() {
        const tensor_list tensors(config);
        auto loaded = model<Format>::load(device, io::synthetic_source(tensors.infos()));
        EXPECT_TRUE(loaded.ok());
        return std::move(*loaded);
    }
    std::vector<float> step(const prior_kv_cache<device_type>& c) {
        const step_limits l{.rows = 2};
        const host_buffer memory(model<>::step_workspace_bytes(l));
        const prior_step<device_type> steps[] = {{&c, 0, 0, 1}, {&c, 1, 0, 2}};
        const std::vector<float> latents(10, 0.7f);
        std::vector<float> out(20);
        const view<const float, extents<dyn, 10>> x(latents.data(), extents<dyn, 10>(1));
        EXPECT_TRUE(m->step(x, steps, out, memory.span(), l).ok());
        return out;
    }
    /// The error message for a changed file.
    std::string refusal(const std::string& bytes) {
        const auto read = io::read_kv_cache(*m, folder.write("changed.safetensors", bytes));
        EXPECT_FALSE(read.ok());
        return read.ok() ? "" : read.error().message;
    }
    std::string stored() const { return io_testing::read_all(file); }
    /// The stored bytes with `from` replaced by `to`, which has the same length.
    std::string changed(const std::string& from, const std::string& to) const {
        std::string bytes = stored();
        const auto at = bytes.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        EXPECT_EQ(from.size(), to.size());
        return bytes.replace(at, from.size(), to);
    }

    device_type device;
    io_testing::temporary_folder folder;
    std::filesystem::path file;
    std::optional<model<>> m;
    std::shared_ptr<const prior_kv_cache<device_type>> kv_cache;
    const std::vector<float> pooled = std::vector<float>(10, 0.3f), text = std::vector<float>(60, -0.2f);
    const std::vector<std::uint8_t> ends{1, 1, 0, 0, 0, 1}, holes{0, 1, 0, 1, 1, 0};
};

TEST_F(StoredCondition, StepsAsBefore) {
    const auto read = io::read_kv_cache(*m, file);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ((*read)->timesteps, kv_cache->timesteps);
    EXPECT_EQ(step(**read), step(*kv_cache));
}

TEST_F(StoredCondition, PrefixServesOtherTimesteps) {
    const auto alone = folder.path / "prefix.safetensors";
    const auto written = io::write_prefix(*m, *kv_cache->prefix, alone);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_FALSE(io::read_kv_cache(*m, alone).ok());
    for (const auto& path : {alone, file}) { // a kv cache contains its prefix too
        const auto prefix = io::read_prefix(*m, path);
        ASSERT_TRUE(prefix) << prefix.error().message;
        const auto made = m->kv_cache(*prefix, kv_cache->timesteps);
        ASSERT_TRUE(made) << made.error().message;
        EXPECT_EQ(step(**made), step(*kv_cache));
    }
}

TEST_F(StoredCondition, OtherWeightsAreRefused) {
    const auto other = load<bf16>();
    const auto read = io::read_kv_cache(other, file);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, errc::invalid_argument);
    EXPECT_NE(read.error().message.find("other weights"), std::string::npos);
    EXPECT_NE(read.error().message.find(file.string()), std::string::npos);
    EXPECT_FALSE(io::read_prefix(other, file).ok());
    EXPECT_FALSE(io::write_kv_cache(other, *kv_cache, folder.path / "not.safetensors").ok());
    EXPECT_FALSE(std::filesystem::exists(folder.path / "not.safetensors"));
}

TEST_F(StoredCondition, NothingElseIsBelieved) {
    EXPECT_NE(refusal("").find("changed.safetensors"), std::string::npos);
    EXPECT_NE(refusal(stored().substr(0, stored().size() - 4)).find("changed.safetensors"), std::string::npos);
    EXPECT_NE(refusal(changed("weights_hash\":\"", "weights_hush\":\"")).find("no metadata"), std::string::npos);
    EXPECT_NE(refusal(changed("proj_tokens\":\"1\"", "proj_tokens\":\"x\"")).find("not a number"), std::string::npos);
    EXPECT_NE(refusal(changed("proj_tokens\":\"1\"", "proj_tokens\":\"9\"")).find("proj_tokens"), std::string::npos);
    EXPECT_NE(refusal(changed("\"prefix\"", "\"profix\"")).find("no tensor"), std::string::npos);
    EXPECT_NE(refusal(changed("\"kv_cache\"", "\"kv_cachf\"")).find("no tensor"), std::string::npos);
    EXPECT_NE(refusal(changed("\"timesteps\"", "\"timestaps\"")).find("no tensor"), std::string::npos);
    const auto floats = [](float a, float b) {
        std::string s(8, '\0');
        std::memcpy(s.data(), &a, 4);
        std::memcpy(s.data() + 4, &b, 4);
        return s;
    };
    // 3 tokens and the pooled row for each prompt
    EXPECT_NE(refusal(changed(floats(4, 4), floats(4, 5))).find("another shape"), std::string::npos);
    EXPECT_NE(refusal(changed(floats(4, 4), floats(4, 0.5f))).find("prompt_rows"), std::string::npos);
    EXPECT_NE(refusal(changed(floats(4, 4), floats(4, -1))).find("prompt_rows"), std::string::npos);
    EXPECT_NE(refusal(changed(floats(4, 4), floats(4, 0))).find("prompt_rows"), std::string::npos);
    // at most 6 tokens and 1 pooled row
    EXPECT_NE(refusal(changed(floats(4, 4), floats(4, 8))).find("prompt_rows"), std::string::npos);
    // so many pooled rows that there are none left for time, latents and prd
    EXPECT_NE(refusal(changed("proj_tokens\":\"1\"", "proj_tokens\":\"4\"")).find("proj_tokens"), std::string::npos);
    EXPECT_NE(refusal(changed("proj_tokens\":\"1\"", "proj_tokens\":\"2\"")).find("proj_tokens"), std::string::npos);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    EXPECT_NE(refusal(changed(floats(999, 500.5f), floats(999, nan))).find("timesteps"), std::string::npos);
}

} // namespace
