// SPDX-License-Identifier: Apache-2.0
// LoRAs: the results of diffusers' fuse_lora for every form of file, errors, and removing a LoRA again.
#include "apriori/io/lora_source.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "io_testing.hpp"
#include "reference_cases.hpp"
#include "tiny.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <utility>

namespace {

using namespace apriori;
using io::lora_file;
using io::weighted_lora;
using io_testing::temporary_folder;

const std::filesystem::path lora_folder = io_testing::data / "lora";
using tiny_model = PriorTransformer<tiny, cpu<>>;

/// The weights of cases/tiny.
class LoraFiles : public testing::Test {
protected:
    void SetUp() override {
        auto opened = io::open_weights(model_testing::reference_cases / "tiny");
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        base.emplace(std::move(*opened));
    }
    using merged_source = io::lora_source<io::weights_source>;

    std::optional<io::weights_source> base;
};

/// A run of generate_lora.py.
struct fused_run {
    std::string name;
    std::vector<weighted_lora> loras;
};

std::vector<fused_run> read_runs(const io::safetensors_source& fused) {
    std::vector<fused_run> runs;
    const auto listed = nlohmann::json::parse(fused.metadata().at(0).second);
    for (const auto& run : listed.items()) {
        runs.push_back({run.key(), {}});
        for (const auto& l : run.value()) {
            const auto name = l[0].get<std::string>();
            auto file = lora_file::open(name == "peft" ? lora_folder / name : lora_folder / (name + ".safetensors"));
            EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message);
            if (file.ok()) runs.back().loras.push_back({std::move(*file), l[1].get<double>()});
        }
    }
    return runs;
}

/// How far two float32 computations of w + sum f (up @ down) may be apart, for each element, if each rounds every
/// operation once, with sums in any order. With u = 2^-24 and P = sum |up| |down|:
///   of a product of rank r                 at most r u P for one, and u P for the other, which sums in float64
///   times f                                u |f| P for each
///   added to the previous value x          u |x + f P| for each
/// and one percent for products of u.
std::vector<double> rounding_bound(std::string_view tensor, const std::vector<float>& w,
                                   const std::vector<weighted_lora>& loras) {
    std::vector<double> bound(w.size(), 0.0), largest(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) largest[i] = std::abs(static_cast<double>(w[i]));
    for (const weighted_lora& l : loras)
        for (const io::lora_term& t : l.file.terms()) {
            if (t.tensor != tensor) continue;
            const double f = std::abs(l.weight * t.scale.alpha / t.scale.divisor);
            for (std::size_t i = 0; i < w.size(); ++i) {
                const auto rank = static_cast<std::size_t>(t.rank), cols = static_cast<std::size_t>(t.cols);
                double p = 0;
                for (std::size_t j = 0; j < rank; ++j)
                    p += std::abs(static_cast<double>(t.up[i / cols * rank + j]) *
                                  static_cast<double>(t.down[j * cols + i % cols]));
                largest[i] += f * p;
                bound[i] += 1.01 * 0x1p-24 * ((static_cast<double>(rank) + 3) * f * p + 2 * largest[i]);
            }
        }
    return bound;
}

TEST_F(LoraFiles, AddWhatDiffusersFuses) {
    const auto fused = io::safetensors_source::open(lora_folder / "fused.safetensors");
    ASSERT_TRUE(fused.ok()) << fused.error().message;
    const auto runs = read_runs(*fused);
    ASSERT_EQ(runs.size(), 13U);
    for (const fused_run& run : runs) {
        SCOPED_TRACE(run.name);
        const auto merged = merged_source::make(*base, run.loras);
        ASSERT_TRUE(merged.ok()) << merged.error().message;
        ASSERT_EQ(merged->size(), base->size());
        double worst = 0;
        std::vector<std::string> changed;
        for (std::size_t i = 0; i < merged->size(); ++i) {
            const std::string name(merged->info(i).name);
            const auto was = io_testing::values(*base, name);
            std::vector<float> got(was.size());
            ASSERT_TRUE(merged->read(i, 0, got).ok());
            const auto expected = io_testing::values(*fused, run.name + "." + name);
            if (expected.empty()) {
                EXPECT_TRUE(model_testing::same_bits(got, was)) << name;
                continue;
            }
            changed.push_back(name);
            ASSERT_EQ(got.size(), expected.size());
            const auto bound = rounding_bound(name, was, run.loras);
            double moved = 0;
            for (std::size_t k = 0; k < got.size(); ++k) {
                const double error = std::abs(static_cast<double>(got[k]) - static_cast<double>(expected[k]));
                ASSERT_LE(error, bound[k]) << name << " element " << k;
                worst = std::max(worst, error / bound[k]);
                moved = std::max(moved, std::abs(static_cast<double>(got[k]) - static_cast<double>(was[k])));
            }
            EXPECT_GT(moved, 1e-3) << name;
        }
        EXPECT_EQ(merged->touched(), changed);
        EXPECT_FALSE(changed.empty());
        std::printf("%-9s %2zu tensors, %.0f %% of the bound\n", run.name.c_str(), changed.size(), 100 * worst);
    }
}

TEST_F(LoraFiles, GiveTheForwardsOfFusedModels) {
    const auto fused = io::safetensors_source::open(lora_folder / "fused.safetensors");
    ASSERT_TRUE(fused.ok()) << fused.error().message;
    const auto cases = model_testing::read_cases(model_testing::reference_cases / "tiny");
    const auto used = std::find_if(cases.begin(), cases.end(), [](const auto& c) { return c.name == "mask_ragged"; });
    ASSERT_NE(used, cases.end());
    cpu<> device;
    for (const fused_run& run : read_runs(*fused)) {
        SCOPED_TRACE(run.name);
        const auto merged = merged_source::make(*base, run.loras);
        ASSERT_TRUE(merged.ok()) << merged.error().message;
        const auto model = tiny_model::load(device, *merged);
        ASSERT_TRUE(model.ok()) << model.error().message;
        const auto got = model_testing::forward(*model, used->in);
        ASSERT_TRUE(got.state.ok());
        const auto expected = io_testing::values(*fused, run.name + ".out");
        EXPECT_TRUE(model_testing::within(model_testing::worst_of(got.values, expected)));
        EXPECT_FALSE(model_testing::within(model_testing::worst_of(got.values, used->expected), 1e-3));
    }
}

/// Merges LoRAs into loaded weights and removes them again, in a weight format.
template <class Format>
void check_merging(const io::weights_source& base, const std::vector<weighted_lora>& loras) {
    SCOPED_TRACE(Format::name);
    using weights = typename PriorTransformer<tiny, cpu<>, Format>::weights;
    const auto bytes = [](const auto& w) {
        const auto b = w->packed_bytes();
        return std::string(reinterpret_cast<const char*>(b.data()), b.size());
    };
    cpu<> device;
    const auto merged = io::lora_source<io::weights_source>::make(base, loras);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    const auto plain = weights::load(device, base), fresh = weights::load(device, *merged);
    ASSERT_TRUE(plain.ok() && fresh.ok());
    const std::string before = bytes(*plain);

    const auto with = (*plain)->repack(device, *merged, merged->touched());
    ASSERT_TRUE(with.ok()) << with.error().message;
    EXPECT_EQ(bytes(*with), bytes(*fresh));
    EXPECT_EQ((*with)->hash(), (*fresh)->hash());
    EXPECT_NE(bytes(*with), before);
    EXPECT_NE((*with)->hash(), (*plain)->hash());
    EXPECT_EQ(bytes(*plain), before); // models that share the weights are not changed

    const auto without = (*with)->repack(device, base, merged->touched());
    ASSERT_TRUE(without.ok()) << without.error().message;
    EXPECT_EQ(bytes(*without), before);
    EXPECT_EQ((*without)->hash(), (*plain)->hash());
}

TEST_F(LoraFiles, AreTakenOutToTheVeryBits) {
    std::vector<weighted_lora> loras;
    for (const auto& [name, weight] : {std::pair{"plain", 0.75}, {"patterns", -0.5}, {"bias", 2.0}}) {
        auto file = lora_file::open(lora_folder / (std::string(name) + ".safetensors"));
        ASSERT_TRUE(file.ok()) << file.error().message;
        loras.push_back({std::move(*file), weight});
    }
    check_merging<f32>(*base, loras);
    check_merging<bf16>(*base, loras);
    check_merging<w8>(*base, loras);
    check_merging<w8a8>(*base, loras);
    check_merging<w4>(*base, loras);
}

/// Builds the tensors of a LoRA file for a test.
class lora_tensors {
public:
    lora_tensors& add(const std::string& name, std::vector<index_t> shape, float value = 0.5F) {
        std::size_t size = 1;
        for (const index_t n : shape) size *= static_cast<std::size_t>(n);
        tensors_[name] = {std::move(shape), std::vector<float>(size, value)};
        return *this;
    }
    /// Adds lora_A and lora_B of a module.
    lora_tensors& matrices(const std::string& module, index_t rows, index_t rank, index_t cols, float value = 0.5F) {
        return add(module + ".lora_A.weight", {rank, cols}, value).add(module + ".lora_B.weight", {rows, rank}, value);
    }
    lora_tensors& metadata(std::string text) {
        metadata_ = std::move(text);
        return *this;
    }
    std::filesystem::path write(const temporary_folder& folder, const std::string& name = "l.safetensors") const {
        io::safetensors_writer writer;
        for (const auto& [tensor, content] : tensors_)
            EXPECT_TRUE(writer.add(tensor, content.first, content.second).ok());
        if (!metadata_.empty()) {
            EXPECT_TRUE(writer.metadata("lora_adapter_metadata", metadata_).ok());
        }
        EXPECT_TRUE(writer.write(folder.path / name).ok());
        return folder.path / name;
    }

private:
    std::map<std::string, std::pair<std::vector<index_t>, std::vector<float>>> tensors_;
    std::string metadata_;
};

const std::string to_q = "transformer_blocks.0.attn1.to_q";

TEST_F(LoraFiles, GiveTheSameBitsInAnyPieces) {
    // wider than a chunk of add_product, with a length that is not a multiple of a piece
    const temporary_folder folder;
    const index_t rows = 37, cols = 151, rank = 5;
    std::mt19937 engine(7);
    const auto numbers = [&](index_t n) {
        std::vector<float> v(static_cast<std::size_t>(n));
        for (float& x : v) x = static_cast<float>(engine() >> 8) * 0x1p-23F - 1.0F;
        return v;
    };
    const auto w = numbers(rows * cols), up = numbers(rows * rank), down = numbers(rank * cols);
    io::safetensors_writer weights, lora;
    ASSERT_TRUE(weights.add("m.weight", {rows, cols}, w).ok());
    ASSERT_TRUE(weights.write(folder.path / "w.safetensors").ok());
    ASSERT_TRUE(lora.add("m.lora_A.weight", {rank, cols}, down).ok());
    ASSERT_TRUE(lora.add("m.lora_B.weight", {rows, rank}, up).ok());
    ASSERT_TRUE(lora.write(folder.path / "l.safetensors").ok());
    const auto source = io::open_weights(folder.path / "w.safetensors");
    auto file = lora_file::open(folder.path / "l.safetensors");
    ASSERT_TRUE(source.ok() && file.ok());
    const std::vector<weighted_lora> loras{{*file, 0.7}, {*file, -0.2}};
    const auto merged = merged_source::make(*source, loras);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    std::vector<float> whole(w.size());
    ASSERT_TRUE(merged->read(0, 0, whole).ok());
    EXPECT_FALSE(model_testing::same_bits(whole, w));
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{151}, std::size_t{1000}}) {
        std::vector<float> got(w.size());
        for (std::size_t at = 0; at < got.size(); at += piece) {
            const std::size_t n = std::min(piece, got.size() - at);
            ASSERT_TRUE(merged->read(0, static_cast<std::int64_t>(at), std::span(got).subspan(at, n)).ok());
        }
        EXPECT_TRUE(model_testing::same_bits(got, whole)) << "pieces of " << piece;
    }
    EXPECT_FALSE(merged->read(0, 1, whole).ok());
    EXPECT_FALSE(merged->read(1, 0, whole).ok());
}

TEST_F(LoraFiles, OfWeightZeroTouchNothing) {
    auto file = lora_file::open(lora_folder / "plain.safetensors");
    ASSERT_TRUE(file.ok());
    const std::vector<weighted_lora> loras{{std::move(*file), 0.0}};
    const auto merged = merged_source::make(*base, loras);
    ASSERT_TRUE(merged.ok());
    EXPECT_TRUE(merged->touched().empty());
}

TEST_F(LoraFiles, RefuseWhatDoesNotFitTheModel) {
    const temporary_folder folder;
    const auto made = [&](const lora_tensors& tensors, double weight = 1) -> result<merged_source> {
        auto file = lora_file::open(tensors.write(folder));
        if (!file) return file.error();
        const std::vector<weighted_lora> loras{{std::move(*file), weight}};
        return merged_source::make(*base, loras);
    };
    const std::string path = (folder.path / "l.safetensors").string();
    EXPECT_TRUE(made(lora_tensors().matrices(to_q, 8, 2, 8)).ok());
    EXPECT_FAILS(made(lora_tensors().matrices("transformer_blocks.2.attn1.to_q", 8, 2, 8)), errc::not_found, path,
                 "tensor 'transformer_blocks.2.attn1.to_q.lora_B.weight'",
                 "no tensor 'transformer_blocks.2.attn1.to_q.weight'", "another model");
    EXPECT_FAILS(made(lora_tensors().matrices(to_q, 16, 2, 8)), errc::shape_mismatch, path, to_q + ".lora_B.weight",
                 "is one for [16, 8], the model's '" + to_q + ".weight' is [8, 8]");
    EXPECT_FAILS(made(lora_tensors().matrices("transformer_blocks.0.norm1", 8, 2, 8)), errc::shape_mismatch,
                 "'transformer_blocks.0.norm1.weight' is [8]");
    EXPECT_FAILS(made(lora_tensors().matrices(to_q, 8, 2, 8), 1e300), errc::invalid_argument, path, "not a finite");
    EXPECT_FAILS(made(lora_tensors().matrices(to_q, 8, 2, 8), std::numeric_limits<double>::quiet_NaN()),
                 errc::invalid_argument, "not a finite");
}

TEST_F(LoraFiles, RefuseWeightsThatOverflow) {
    const temporary_folder folder;
    auto file = lora_file::open(lora_tensors().matrices(to_q, 8, 2, 8, 1e19F).write(folder));
    ASSERT_TRUE(file.ok());
    const std::vector<weighted_lora> loras{{std::move(*file), 4.0}};
    const auto merged = merged_source::make(*base, loras);
    ASSERT_TRUE(merged.ok());
    cpu<> device;
    EXPECT_FAILS(tiny_model::load(device, *merged), errc::invalid_argument, "tensor " + to_q + ".weight",
                 "out of float32's range");
}

TEST(LoraFile, TakesThePriorsPartOfAFileForSeveralModels) { // like load_lora_adapter with its prefix
    const temporary_folder folder;
    const auto terms = [&](const lora_tensors& tensors) {
        std::vector<std::string> names;
        const auto file = lora_file::open(tensors.write(folder));
        EXPECT_TRUE(file.ok()) << file.error().message;
        if (file.ok())
            for (const io::lora_term& t : file->terms()) names.push_back(t.tensor);
        return names;
    };
    const io_testing::captured_warnings warnings;
    const std::string path = (folder.path / "l.safetensors").string();
    const std::vector<std::string> one{to_q + ".weight"};
    EXPECT_EQ(terms(lora_tensors().matrices("prior." + to_q, 8, 2, 8).matrices("text_encoder.q_proj", 8, 2, 8)), one);
    EXPECT_EQ(
        terms(lora_tensors().matrices("prior." + to_q, 8, 2, 8).matrices("unet.down", 8, 2, 8).add("movq.a", {2})),
        one);
    EXPECT_EQ(terms(lora_tensors().matrices(to_q, 8, 2, 8).matrices("text_encoder_2.q_proj", 8, 2, 8)), one);
    EXPECT_EQ(terms(lora_tensors().matrices("transformer." + to_q, 8, 2, 8)), one);
    const std::string end = "; a LoRA is merged into the prior alone";
    EXPECT_EQ(warnings.texts(),
              (std::vector<std::string>{path + ": ignored: 2 tensors of 'text_encoder'" + end,
                                        path + ": ignored: 1 tensor of 'movq', 2 tensors of 'unet'" + end,
                                        path + ": ignored: 2 tensors of 'text_encoder_2'" + end}));
}

TEST(LoraFile, RefusesTensorsThatAreNoLora) {
    const temporary_folder folder;
    const auto opened = [&](const lora_tensors& tensors) { return lora_file::open(tensors.write(folder)); };
    const std::string path = (folder.path / "l.safetensors").string(), a = to_q + ".lora_A.weight",
                      b = to_q + ".lora_B.weight";
    EXPECT_FAILS(opened(lora_tensors().add(a, {2, 8}).add(b, {8, 3})), errc::shape_mismatch, path,
                 "'" + a + "' is [2, 8]", "'" + b + "' is [8, 3]", "ranks, 2 and 3, disagree");
    EXPECT_FAILS(opened(lora_tensors().add(a, {2, 8})), errc::bad_format, path, a, "no up (lora_B)");
    EXPECT_FAILS(opened(lora_tensors().add(b, {8, 2})), errc::bad_format, path, b, "no down (lora_A)");
    EXPECT_FAILS(opened(lora_tensors().add(to_q + ".alpha", {})), errc::bad_format, path, "alpha", "no down and up");
    EXPECT_FAILS(opened(lora_tensors().add(a, {2, 8, 1}).add(b, {8, 2})), errc::shape_mismatch, a, "[2, 8, 1]");
    EXPECT_FAILS(opened(lora_tensors().add(a, {0, 8}).add(b, {8, 1})), errc::shape_mismatch,
                 "[0, 8]; allowed: a matrix");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(b, {8, 2}, std::nanf(""))), errc::bad_format, path,
                 b, "not finite");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(to_q + ".alpha", {2})), errc::shape_mismatch, path,
                 to_q + ".alpha", "is [2]; allowed: one number");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(to_q + ".alpha", {}, INFINITY)), errc::bad_format,
                 to_q + ".alpha", "not finite");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(to_q + ".alpha", {}).matrices("m", 8, 2, 8)),
                 errc::bad_format, path, "'m' has none");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(to_q + ".lora_B.bias", {4})), errc::shape_mismatch,
                 to_q + ".lora_B.bias", "is [4]; allowed: [8]");
    EXPECT_FAILS(opened(lora_tensors().matrices(to_q, 8, 2, 8).add(to_q + ".lora.down.weight", {2, 8})),
                 errc::bad_format, "are the same part of '" + to_q + "'");
    EXPECT_FAILS(opened(lora_tensors().matrices("prior." + to_q, 8, 2, 8).matrices("down", 8, 2, 8)), errc::unsupported,
                 path, "of two models", "begin with 'prior.'");
    EXPECT_FAILS(opened(lora_tensors().matrices("transformer." + to_q, 8, 2, 8).matrices("unet.down", 8, 2, 8)),
                 errc::unsupported, path, "of two models");
    EXPECT_FAILS(opened(lora_tensors().matrices("text_encoder.q_proj", 8, 2, 8)), errc::unsupported, path,
                 "'text_encoder.q_proj.lora_A.weight', are of another model");
    for (const auto& [name, what] : {std::pair{".lora_magnitude_vector", "DoRA"},
                                     {".lokr_w1", "LoKr"},
                                     {".hada_w1_a", "LoHa"},
                                     {".lora_embedding_A", "embedding"},
                                     {".lora_linear_layer.up.weight", "text encoders"},
                                     {".lora_down.weight", "kohya"},
                                     {".weight", "no part of a LoRA"},
                                     {".lora_A.default.weight", "no part of a LoRA"}})
        EXPECT_FAILS(opened(lora_tensors().add(to_q + name, {8})), errc::unsupported, path, to_q + name, what,
                     "allowed: <module>.lora_A.weight");
}

TEST(LoraFile, RefusesFilesThatAreNone) {
    const temporary_folder folder;
    EXPECT_FAILS(lora_file::open(folder.path / "absent.safetensors"), errc::not_found, "absent.safetensors");
    EXPECT_FAILS(lora_file::open(folder.path), errc::not_found, folder.path.string(), "holds no LoRA",
                 "pytorch_lora_weights.safetensors");
    EXPECT_FAILS(lora_file::open(folder.write("l.bin", "x")), errc::unsupported, "l.bin", "pickle");
    EXPECT_FAILS(lora_file::open(folder.write("empty.safetensors", io_testing::image("{}"))), errc::bad_format,
                 "empty.safetensors", "holds no tensors");
    const std::string integers = R"({"m.lora_A.weight":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})";
    EXPECT_FAILS(lora_file::open(folder.write("i.safetensors", io_testing::image(integers, "abcd"))), errc::bad_format,
                 "i.safetensors", "'m.lora_A.weight' is stored as I32", "BF16");
    folder.write("pytorch_lora_weights.bin", "x");
    EXPECT_FAILS(lora_file::open(folder.path), errc::unsupported, "pytorch_lora_weights.bin", "pickle");
    lora_tensors().matrices(to_q, 8, 2, 8).write(folder, "pytorch_lora_weights.safetensors");
    EXPECT_TRUE(lora_file::open(folder.path).ok());
}

TEST(LoraFile, ReadsEveryForm) {
    const temporary_folder folder;
    const std::string attention = "transformer_blocks.3.attn1";
    for (const std::string prefix : {"", "prior.", "transformer.", "unet."}) {
        auto file = lora_file::open(lora_tensors()
                                        .matrices(prefix + "proj_in", 4, 1, 3)
                                        .add(prefix + attention + ".to_k.lora.down.weight", {2, 8})
                                        .add(prefix + attention + ".to_k.lora.up.weight", {8, 2})
                                        .add(prefix + attention + ".processor.to_out_lora.down.weight", {2, 8})
                                        .add(prefix + attention + ".processor.to_out_lora.up.weight", {8, 2})
                                        .add(prefix + attention + ".to_v_lora.down.weight", {2, 8})
                                        .add(prefix + attention + ".to_v_lora.up.weight", {8, 2})
                                        .write(folder));
        ASSERT_TRUE(file.ok()) << file.error().message;
        std::vector<std::string> tensors;
        for (const auto& t : file->terms()) {
            tensors.push_back(t.tensor);
            EXPECT_EQ(t.scale.alpha / t.scale.divisor, 1.0);
        }
        EXPECT_EQ(tensors, (std::vector<std::string>{"proj_in.weight", attention + ".to_k.weight",
                                                     attention + ".to_out.0.weight", attention + ".to_v.weight"}));
    }
}

TEST(LoraFile, TakesPeftsAlphasFromItsConfiguration) {
    const temporary_folder folder;
    const auto path =
        lora_tensors().matrices("base_model.model." + to_q, 8, 2, 8).write(folder, "adapter_model.safetensors");
    EXPECT_FAILS(lora_file::open(path), errc::not_found, path.string(), "adapter_config.json");
    const auto config = folder.write("adapter_config.json", R"({"r": 2, "lora_alpha": 5, "peft_type": "LORA"})");
    const auto file = lora_file::open(folder.path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->terms().at(0).scale.alpha, 5.0);
    EXPECT_EQ(file->terms().at(0).scale.divisor, 2.0);
    folder.write("adapter_config.json", R"({"r": 2, "lora_alpha": "5"})");
    EXPECT_FAILS(lora_file::open(folder.path), errc::invalid_argument, config.string(), "lora_alpha");
}

TEST(LoraFile, RefusesConfigurationsThatSayMore) {
    const temporary_folder folder;
    const auto opened = [&](const std::string& metadata, const std::string& module = to_q) {
        return lora_file::open(lora_tensors().matrices(module, 8, 2, 8).metadata(metadata).write(folder));
    };
    const std::string path = (folder.path / "l.safetensors").string();
    EXPECT_TRUE(opened(R"({"r": 2, "lora_alpha": 4.5, "use_dora": false, "arrow_config": null, "rank_pattern": {},
                          "init_lora_weights": "gaussian", "alora_invocation_tokens": []})")
                    .ok());
    EXPECT_FAILS(opened("{"), errc::bad_format, path, "lora_adapter_metadata");
    EXPECT_FAILS(opened(R"({"r": 2})"), errc::bad_format, path, "lora_adapter_metadata: has no field 'lora_alpha'");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4})", "prior." + to_q), errc::bad_format, "no field 'prior.r'");
    EXPECT_FAILS(opened(R"({"r": 0, "lora_alpha": 4})"), errc::invalid_argument, path, "'r' is 0");
    EXPECT_FAILS(opened(R"({"r": 4, "lora_alpha": 4})"), errc::bad_format, path, "'" + to_q + "' have rank 2",
                 "says 4");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "use_dora": true})"), errc::unsupported, path,
                 "'use_dora' is true");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "kasa_config": {"beta": 1}})"), errc::unsupported, "kasa_config");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "init_lora_weights": "pissa_niter_4"})"), errc::unsupported, path,
                 "pissa_niter_4");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "rank_pattern": {"to_[qk]": 2}})"), errc::invalid_argument, path,
                 "rank_pattern", "'to_[qk]' is a pattern");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "alpha_pattern": {"to_q": "2"}})"), errc::invalid_argument,
                 "alpha_pattern", "'to_q' is \"2\"");
    EXPECT_FAILS(opened(R"({"r": 2, "lora_alpha": 4, "alpha_pattern": [1]})"), errc::invalid_argument, "alpha_pattern");
    EXPECT_FAILS(lora_file::open(lora_tensors()
                                     .matrices(to_q, 8, 2, 8)
                                     .add(to_q + ".alpha", {})
                                     .metadata(R"({"r": 2, "lora_alpha": 4})")
                                     .write(folder)),
                 errc::bad_format, path, "tensors .alpha, and its LoraConfig");
}

TEST(LoraConfig, MatchesNamesAsPeftDoes) {
    const auto config = io::lora_config::parse(R"({"r": 4, "lora_alpha": 8, "use_rslora": true,
        "rank_pattern": {"to_q": 2, "^proj_in": 3},
        "alpha_pattern": {"0.attn1.to_q": 5, "attn1.to_q": 6, "ff.net.0.proj$": 7, "to.k": 1}})",
                                               "c");
    ASSERT_TRUE(config.ok()) << config.error().message;
    const auto alpha = [&](const std::string& module, index_t rank) {
        const auto s = config->scale(module, rank);
        EXPECT_TRUE(s.ok()) << module;
        if (!s.ok()) return -1.0;
        EXPECT_EQ(s->divisor, std::sqrt(static_cast<double>(rank)));
        return s->alpha;
    };
    EXPECT_EQ(alpha("transformer_blocks.0.attn1.to_q", 2), 5.0);
    EXPECT_EQ(alpha("transformer_blocks.10.attn1.to_q", 2), 6.0); // "0.attn1.to_q" matches at the start or after a dot
    EXPECT_EQ(alpha("transformer_blocks.0.attn1.to_k", 4), 1.0);  // a dot is any character
    EXPECT_EQ(alpha("transformer_blocks.0.ff.net.0.proj", 4), 7.0);
    EXPECT_EQ(alpha("proj_in", 3), 8.0);
    EXPECT_EQ(alpha("other.proj_in", 4), 8.0); // `^` matches only the start of the name
    EXPECT_EQ(alpha("into_q", 4), 8.0);
    EXPECT_FALSE(config->scale("proj_in", 4).ok());
}

} // namespace
