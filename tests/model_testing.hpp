// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of models: inputs on the host, a forward on any device, and the worst element of a result.
#pragma once

#include "apriori/models/prior_transformer.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace model_testing {

using apriori::index_t;
using apriori::PriorConfig;

/// The arguments of one forward, on the host. An empty vector means an argument that is not given. Rows of tokens are
/// dense.
struct prior_inputs {
    index_t rows = 1, hidden_tokens = 1, proj_tokens = 1, text_tokens = 0;
    std::vector<float> hidden_states{}, timestep{}, proj_embedding{}, encoder_hidden_states{};
    std::vector<std::uint8_t> attention_mask{};

    /// The limits for `at_once` rows of these inputs at a time.
    apriori::limits limits(index_t at_once) const {
        return {
            .rows = at_once, .hidden_tokens = hidden_tokens, .proj_tokens = proj_tokens, .text_tokens = text_tokens};
    }
    apriori::limits limits() const { return limits(rows); }
};

/// Values of the host, copied to a device's memory.
template <class Device, class T>
class on_device {
public:
    on_device(Device& device, const std::vector<T>& values) : size_(static_cast<index_t>(values.size())) {
        if (values.empty()) return;
        memory_ = device.allocate(values.size() * sizeof(T));
        EXPECT_FALSE(memory_.empty());
        EXPECT_TRUE(device.upload(memory_.data(), values.data(), values.size() * sizeof(T)).ok());
    }
    T* data() const { return size_ == 0 ? nullptr : reinterpret_cast<T*>(memory_.data()); }
    index_t size() const { return size_; }

private:
    typename Device::buffer memory_;
    index_t size_ = 0;
};

/// Inputs in a device's memory, as forward takes them.
template <class Model>
class device_inputs {
public:
    using device = typename Model::device_type;

    device_inputs(device& d, const prior_inputs& x)
        : hidden_(d, x.hidden_states),
          timestep_(d, x.timestep),
          proj_(d, x.proj_embedding),
          text_(d, x.encoder_hidden_states),
          mask_(d, x.attention_mask) {
        in_.hidden_states = {hidden_.data(), x.rows, x.hidden_tokens};
        in_.timestep = {timestep_.data(), apriori::extents<apriori::dyn>(timestep_.size())};
        in_.proj_embedding = {proj_.data(), x.rows, x.proj_tokens};
        if (text_.size() > 0) in_.encoder_hidden_states = {text_.data(), x.rows, x.text_tokens};
        if (mask_.size() > 0)
            in_.attention_mask = {mask_.data(),
                                  apriori::extents<apriori::dyn, apriori::dyn>(x.rows, mask_.size() / x.rows)};
    }
    const typename Model::input& operator*() const { return in_; }

private:
    on_device<device, float> hidden_, timestep_, proj_, text_;
    on_device<device, std::uint8_t> mask_;
    typename Model::input in_;
};

/// The result of forward, on the host: [rows, tokens, clip_embed_dim].
struct outcome {
    apriori::status state;
    std::vector<float> values;
};

/// Forward on the model's device. The output is filled with NaN first, so that elements that are not written show.
template <class Model>
outcome forward(const Model& model, const prior_inputs& x, const apriori::limits& l) {
    auto& device = model.device();
    const device_inputs<Model> in(device, x);
    const auto count = static_cast<std::size_t>((*in).rows() * (*in).output_tokens() * Model::clip);
    outcome y{{}, std::vector<float>(count, std::numeric_limits<float>::quiet_NaN())};
    const on_device<typename Model::device_type, float> out(device, y.values);
    auto memory = device.allocate(Model::workspace_bytes(l));
    const auto result = model.forward(*in, {out.data(), count}, std::span<std::byte>(memory.data(), memory.size()), l);
    y.state = result.state;
    if (const apriori::status s = device.synchronize(); !s.ok()) y.state = s;
    if (const apriori::status s = device.download(y.values.data(), out.data(), count * sizeof(float)); !s.ok())
        y.state = s;
    EXPECT_EQ(result.predicted_image_embedding.data, out.data());
    EXPECT_EQ(static_cast<std::size_t>(result.predicted_image_embedding.size()), count);
    return y;
}
template <class Model>
outcome forward(const Model& model, const prior_inputs& x) {
    return forward(model, x, x.limits());
}

/// The element that is furthest off. A NaN or an infinity counts as infinitely far.
struct worst_element {
    double error = 0, largest = 0; ///< largest: of the expected values
    std::size_t index = 0;
    double got = 0, expected = 0;

    /// Above 1: off by more than `tolerance` x max(1, largest).
    double of(double tolerance) const { return error / (tolerance * std::max(1.0, largest)); }
};

template <class T>
worst_element worst_of(const std::vector<float>& got, const std::vector<T>& expected) {
    worst_element w;
    if (got.size() != expected.size()) {
        ADD_FAILURE() << got.size() << " elements instead of " << expected.size();
        w.error = std::numeric_limits<double>::infinity();
        return w;
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double a = got[i], b = static_cast<double>(expected[i]);
        const double error = std::isfinite(a) ? std::abs(a - b) : std::numeric_limits<double>::infinity();
        w.largest = std::max(w.largest, std::abs(b));
        if (!(error <= w.error)) w.error = error, w.index = i, w.got = a, w.expected = b;
    }
    return w;
}

/// Float32 rounding: the tolerance of comparisons with the reference.
inline constexpr double tolerance = 2e-5;

inline testing::AssertionResult within(const worst_element& w, double limit = tolerance) {
    if (w.of(limit) <= 1) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "element " << w.index << " is " << w.got << ", expected " << w.expected
                                       << ": off by " << w.error << " where the largest is " << w.largest;
}

inline testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size() << " elements";
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
            return testing::AssertionFailure() << "element " << i << " is " << a[i] << " and " << b[i];
    return testing::AssertionSuccess();
}

/// Which text tokens a mask keeps.
enum class mask_kind { absent, ones, prefix, holes, first_masked, none_left };
inline constexpr mask_kind mask_kinds[] = {mask_kind::absent, mask_kind::ones,         mask_kind::prefix,
                                           mask_kind::holes,  mask_kind::first_masked, mask_kind::none_left};

/// Reproducible random inputs, the same on every platform.
class random_inputs {
public:
    explicit random_inputs(unsigned seed) : engine_(seed) {}

    /// Roughly normal: the sum of four uniform numbers.
    float number() {
        float sum = 0;
        for (int i = 0; i < 4; ++i) sum += static_cast<float>(engine_() >> 8) * 0x1p-23f - 1.0f;
        return sum * 0.8660254f;
    }
    index_t below(index_t n) { return static_cast<index_t>(engine_() % static_cast<unsigned>(n)); }
    std::vector<float> numbers(index_t n) {
        std::vector<float> v(static_cast<std::size_t>(n));
        for (float& x : v) x = number();
        return v;
    }
    std::vector<std::uint8_t> mask(mask_kind kind, index_t rows, index_t tokens) {
        std::vector<std::uint8_t> m;
        if (kind == mask_kind::absent) return m;
        for (index_t r = 0; r < rows; ++r) {
            const index_t keep = 1 + below(tokens);
            for (index_t t = 0; t < tokens; ++t) {
                bool on = true;
                if (kind == mask_kind::prefix) on = t < keep;
                if (kind == mask_kind::holes) on = below(3) != 0;
                if (kind == mask_kind::first_masked) on = t > 0;
                if (kind == mask_kind::none_left) on = false;
                m.push_back(on ? 1 : 0);
            }
        }
        return m;
    }
    /// Timesteps 0 .. 999, whole or fractional, one for all rows or one for each.
    std::vector<float> timesteps(index_t rows) {
        std::vector<float> t(static_cast<std::size_t>(below(2) == 0 ? 1 : rows));
        const bool fractional = below(2) == 0;
        for (float& x : t)
            x = static_cast<float>(below(1000)) + (fractional ? static_cast<float>(below(8)) * 0.125f : 0);
        return t;
    }

private:
    std::mt19937 engine_;
};

/// Random arguments for a configuration, with the sizes of `shape`.
inline prior_inputs randomize(const PriorConfig& config, prior_inputs shape, mask_kind mask, unsigned seed) {
    const PriorConfig c = apriori::canonical(config);
    random_inputs random(seed);
    const bool projected = c.encoder_hid_proj_type == apriori::hid_proj_type::linear;
    const index_t text_width = projected ? c.embedding_dim : c.inner_dim();
    shape.hidden_states = random.numbers(shape.rows * shape.hidden_tokens * c.embedding_dim);
    shape.proj_embedding = random.numbers(shape.rows * shape.proj_tokens * c.embedding_proj_dim);
    shape.encoder_hidden_states = random.numbers(shape.rows * shape.text_tokens * text_width);
    shape.timestep = random.timesteps(shape.rows);
    shape.attention_mask = random.mask(mask, shape.rows, c.num_embeddings);
    return shape;
}

} // namespace model_testing
