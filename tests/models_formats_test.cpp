// SPDX-License-Identifier: Apache-2.0
// Models with narrow weights: f16 and bf16 are the float32 model with rounded matrices; the integer formats stay close
// to it.
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "model_testing.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

using namespace apriori;
using namespace model_testing;

namespace {

constexpr PriorConfig config{
    .num_attention_heads = 4, .attention_head_dim = 32, .num_layers = 3, .embedding_dim = 48, .num_embeddings = 10};

/// x rounded to `digits` binary digits, ties to even, or to a multiple of `least` if that is coarser.
float to_digits(float x, int digits, double least) {
    if (x == 0) return x;
    int e;
    std::frexp(x, &e);
    const double step = std::fmax(std::ldexp(1.0, e - digits), least);
    return static_cast<float>(std::nearbyint(x / step) * step);
}

/// `source`, with the tensors that a format packs rounded as in the format.
template <class Format>
struct rounded_source {
    const io::synthetic_source& source;
    std::size_t size() const { return source.size(); }
    tensor_info info(std::size_t i) const { return source.info(i); }
    status read(std::size_t i, std::int64_t first, std::span<float> to) const {
        const status s = source.read(i, first, to);
        const tensor_info t = source.info(i);
        if (t.rank == 2 && t.name.ends_with(".weight"))
            for (float& x : to) x = std::is_same_v<Format, bf16> ? to_digits(x, 8, 0) : to_digits(x, 11, 0x1p-24);
        return s;
    }
};

template <class Format, class Source>
std::vector<float> answer(const Source& source) {
    using model_type = PriorTransformer<config, cpu<>, Format>;
    constexpr limits l{.rows = 3};
    cpu<> device;
    const auto model = model_type::load(device, source);
    EXPECT_TRUE(model.ok());
    const prior_inputs x = randomize(config, {.rows = 3, .text_tokens = 10}, mask_kind::holes, 11);
    const device_inputs<model_type> in(device, x);
    const host_buffer memory(model_type::workspace_bytes(l));
    std::vector<float> out(3 * 48);
    EXPECT_TRUE(model->forward(*in, out, memory.span(), l).state.ok());
    return out;
}

double largest_error(const std::vector<float>& a, const std::vector<float>& b) {
    double error = 0;
    for (std::size_t i = 0; i < a.size(); ++i) error = std::fmax(error, std::fabs(a[i] - b[i]));
    return error;
}

template <class Format>
void is_the_model_of_rounded_weights() {
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    const auto expected = answer<f32>(rounded_source<Format>{source}), got = answer<Format>(source);
    double top = 1;
    for (const float x : expected) top = std::fmax(top, std::fabs(x));
    EXPECT_LE(largest_error(got, expected), 2e-5 * top);
    EXPECT_GT(largest_error(got, answer<f32>(source)), 2e-5 * top) << "rounding makes no difference: nothing is tested";
}
TEST(ModelFormats, F16IsTheModelOfRoundedWeights) { is_the_model_of_rounded_weights<f16>(); }
TEST(ModelFormats, Bf16IsTheModelOfRoundedWeights) { is_the_model_of_rounded_weights<bf16>(); }

/// The cosine of the angle between two results.
double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
    }
    return ab / std::sqrt(aa * bb);
}

// Rounding activations to bfloat16 changes each by up to 2^-9, like rounding weights: less than a percent of the result
// together.
TEST(ModelFormats, RoundedActivationsStayNear) {
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    const auto exact = answer<f32>(source), got = answer<bf16a16>(source);
    EXPECT_GT(cosine(got, exact), 1 - 0.5 * 0.01 * 0.01);
    EXPECT_GT(largest_error(got, answer<bf16>(source)), 0) << "activations are not rounded";
}

// Rounding to 127 steps gives each weight an error of about 1 / (127 * sqrt(12)) * (largest / typical weight): less
// than two percent of the result. The 7 steps of a group give about a sixth.
TEST(ModelFormats, IntegersStayNear) {
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    const auto exact = answer<f32>(source);
    EXPECT_GT(cosine(answer<w8>(source), exact), 1 - 0.5 * 0.02 * 0.02);
    EXPECT_GT(cosine(answer<w8a8>(source), exact), 1 - 0.5 * 0.04 * 0.04);
    EXPECT_GT(cosine(answer<w4>(source), exact), 1 - 0.5 * 0.3 * 0.3);
}

// ---- numbers that formats cannot represent ----

/// `source` with one element of one tensor replaced.
struct spoilt_source {
    const io::synthetic_source& source;
    std::string_view name;
    std::int64_t element;
    float value;

    std::size_t size() const { return source.size(); }
    tensor_info info(std::size_t i) const { return source.info(i); }
    status read(std::size_t i, std::int64_t first, std::span<float> to) const {
        const status s = source.read(i, first, to);
        const std::int64_t at = element - first;
        if (source.info(i).name == name && at >= 0 && at < std::ssize(to)) to[static_cast<std::size_t>(at)] = value;
        return s;
    }
};

template <class Format>
class EveryFormat : public testing::Test {};
using formats = testing::Types<f32, f16, bf16, bf16a16, w8, w8a8, w4, w4a8>;
TYPED_TEST_SUITE(EveryFormat, formats);

TYPED_TEST(EveryFormat, NamesAWeightThatIsNotFinite) {
    using model_type = PriorTransformer<config, cpu<>, TypeParam>;
    const tensor_list tensors(config);
    const io::synthetic_source good(tensors.infos());
    cpu<> device;
    const auto loaded = model_type::load(device, good);
    ASSERT_TRUE(loaded.ok());
    struct place {
        const char *name, *text;
        std::int64_t element;
    };
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const auto& [name, text, element] : {place{"transformer_blocks.1.ff.net.2.weight", "[3, 5]", 3 * 512 + 5},
                                              place{"transformer_blocks.0.attn1.to_q.bias", "[7]", 7},
                                              place{"positional_embedding", "[0, 2, 1]", 2 * 128 + 1}})
        for (const auto& [value, number] : {std::pair{nan, "NaN"}, {-nan, "NaN"}, {inf, "inf"}, {-inf, "-inf"}}) {
            const spoilt_source bad{good, name, element, value};
            const std::string message = std::string("tensor ") + name + ": " + text + " is " + number +
                                        "; a model's weights must be finite numbers";
            const auto refused = model_type::load(device, bad);
            ASSERT_FALSE(refused.ok()) << message;
            EXPECT_EQ(refused.error().message, message);
            EXPECT_EQ(refused.error().code, errc::invalid_argument);
            const std::string names[] = {name};
            const auto repacked = loaded->shared_weights()->repack(device, bad, names);
            ASSERT_FALSE(repacked.ok()) << message;
            EXPECT_EQ(repacked.error().message, message);
        }
}

TEST(ModelFormats, AWeightThatIsTooLargeForTheFormatIsNamed) {
    const tensor_list tensors(config);
    const io::synthetic_source good(tensors.infos());
    const spoilt_source large{good, "transformer_blocks.1.ff.net.2.weight", 3 * 512 + 5, -70000.0F};
    cpu<> device;
    EXPECT_TRUE((PriorTransformer<config, cpu<>>::load(device, large).ok()));
    EXPECT_TRUE((PriorTransformer<config, cpu<>, bf16>::load(device, large).ok()));
    const auto refused = PriorTransformer<config, cpu<>, f16>::load(device, large);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message,
              "tensor transformer_blocks.1.ff.net.2.weight: pack: a weight is past 65504, which f16 cannot hold; use "
              "bf16 or f32; the largest here: [3, 5] is -70000.0");
}

} // namespace
