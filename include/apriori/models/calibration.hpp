// SPDX-License-Identifier: Apache-2.0
// Rounds a prior's matrices to four bits for the inputs that they get when it samples: matrix by matrix, each for its
// inputs after those before it have been rounded, and so that its outputs are close to those of the exact model.
#pragma once

#include "apriori/core/compensated_rounding.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/expr/lower.hpp"
#include "apriori/models/calibration_inputs.hpp"
#include "apriori/models/nibble_source.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Options of calibrate.
struct calibration_options {
    double damping = 0.01; ///< see factored_moments
    int scales = 16;       ///< see round_to_nibbles
    /// Called before each of `count` matrices; returning false stops the calibration with errc::cancelled.
    std::function<bool(index_t done, index_t count, std::string_view slot)> on_matrix{};
};

namespace detail {

/// Rounds a model's matrices in the order in which a device `calibrating` (device/calibrating.hpp) runs them. Device is
/// the one that computes the rounding.
template <class Device>
class slot_rounding {
public:
    slot_rounding(Device& device, const packed_layout& layout, const parameter_table& table, const std::byte* base,
                  tensor_source_ref from, const calibration_inputs& inputs, index_t tokens, calibration_options options)
        : device_(device),
          layout_(layout),
          table_(table),
          base_(base),
          from_(from),
          inputs_(inputs),
          tokens_(tokens),
          options_(std::move(options)),
          rounded_(from) {
        for (std::size_t i = 0; i < from.size(); ++i) names_.emplace_back(from.info(i).name);
        for (const auto& p : layout.all()) count_ += p.packed ? (p.in_block ? table.layers : 1) : 0;
    }

    slot_rounding(const slot_rounding&) = delete; // its runner refers to it
    slot_rounding& operator=(const slot_rounding&) = delete;

    /// The rounded rows of the slot of a product; empty if it has none.
    result<std::span<const float>> operator()(const auto& product) {
        const auto [place, layer] = slot_at(product.weights - base_);
        if (place == nullptr) return std::span<const float>();
        if (options_.on_matrix && !options_.on_matrix(done_++, count_, place->slot))
            return failure{errc::cancelled, "the calibration was stopped"};
        const index_t n = product.n, k = product.k;
        keep_live(product);
        std::vector<float> h(to_size(k * k)), pull(to_size(n * k));
        if (const status s = add_products(h, x_, k, x_, k); !s) return to_failure(s);
        if (const status s = add_products(pull, lost_, n, x_, k); !s) return to_failure(s);
        const factored_moments m(std::vector<double>(h.begin(), h.end()), k, options_.damping, runner());
        h = {};
        if (!m.usable())
            return failure(errc::invalid_argument, "the inputs of ", place->slot,
                           " are not finite numbers: weights or prompts are out of range");
        rows_.assign(to_size(n * k), 0.0f);
        for (const parameter& p : table_)
            if (p.slot == place->slot)
                if (auto r = round(m, p, layer, k, pull); !r) return r.error();
        return std::span<const float>(rows_);
    }

    nibble_source& rounded() noexcept { return rounded_; }

private:
    struct found {
        const packed_layout::place* place;
        int layer;
    };
    found slot_at(std::ptrdiff_t offset) const {
        for (const auto& p : layout_.all())
            for (int layer = 0; p.packed && layer < (p.in_block ? table_.layers : 1); ++layer)
                if (index_t(layout_.offset(p, layer)) == offset) return {&p, layer};
        return {nullptr, 0};
    }
    range_runner runner() {
        if constexpr (requires { device_.concurrently(index_t{}, [](index_t, index_t) {}); })
            return on_device_;
        else
            return run_serially;
    }

    /// Copies the rows that are attended to: all but those of masked tokens.
    void keep_live(const auto& product) {
        const index_t k = product.k, n = product.n, text = inputs_.text_tokens;
        const bool masked = !inputs_.attention_mask.empty();
        const index_t of_row = !masked                                  ? 0
                               : product.rows == inputs_.rows * tokens_ ? tokens_
                               : product.rows == inputs_.rows * text    ? text
                                                                        : 0;
        x_.clear();
        lost_.clear();
        for (index_t r = 0; r < product.rows; ++r) {
            if (of_row != 0 && r % of_row < text && at(inputs_.attention_mask, r / of_row * text + r % of_row) == 0)
                continue;
            const auto x = part(product.x, r * k, k), lost = part(product.lost, r * n, n);
            x_.insert(x_.end(), x.begin(), x.end());
            lost_.insert(lost_.end(), lost.begin(), lost.end());
        }
    }
    /// to [m, n] += a^T b for rows a [rows, m] and b [rows, n].
    status add_products(std::vector<float>& to, const std::vector<float>& a, index_t m, const std::vector<float>& b,
                        index_t n) {
        constexpr index_t most = 1024; // rows at a time
        const index_t rows = std::ssize(b) / n;
        const auto sum = view<float, extents<dyn, dyn>>(to.data(), extents<dyn, dyn>(m, n));
        for (index_t r = 0; r < rows; r += most) {
            const extents<dyn, dyn> left((std::min)(most, rows - r), m), right(left[0], n);
            const view<const float, extents<dyn, dyn>> a_rows(a.data() + r * m, left), b_rows(b.data() + r * n, right);
            const auto add = [&](auto& in) { in(sum) = sum + matmul(transpose<0, 1>(a_rows), b_rows); };
            auto memory = device_.allocate(workspace_of<Device>(add) + buffer_alignment);
            if (memory.empty()) return {errc::device_error, "no memory for a calibration"};
            workspace w({memory.data(), memory.size()});
            context in(device_, w);
            add(in);
            if (!in.state) return in.state;
        }
        return {};
    }
    result<void> round(const factored_moments& m, const parameter& p, int layer, index_t k,
                       const std::vector<float>& pull) {
        const std::string name = parameter_name(p, layer);
        const auto i = to_size(std::find(names_.begin(), names_.end(), name) - names_.begin());
        if (i == names_.size()) return failure(errc::not_found, "there is no tensor ", name);
        std::vector<float> w(to_size(p.size()));
        if (const status s = from_.read(i, 0, w); !s) return failure(s.code, "tensor ", name, ": ", s.what);
        if (p.scale != 1.0f) // a power of two
            for (float& x : w) x *= p.scale;
        const auto q = part(rows_, p.row * k, p.size());
        round_to_nibbles(m, w, part(pull, p.row * k, p.size()), options_.scales, q, runner());
        for (std::size_t j = 0; j < w.size(); ++j) w[j] = q[j] / p.scale;
        rounded_.replace(i, nibble_matrix(w, k));
        return {};
    }

    Device& device_;
    const packed_layout& layout_;
    const parameter_table& table_;
    const std::byte* base_;
    tensor_source_ref from_;
    const calibration_inputs& inputs_;
    index_t tokens_;
    calibration_options options_;
    nibble_source rounded_;
    std::vector<std::string> names_;
    index_t done_ = 0, count_ = 0;
    std::vector<float> x_, lost_, rows_; ///< of the matrix that is being rounded
    std::function<void(index_t, function_ref<void(index_t, index_t)>)> on_device_ =
        [this](index_t count, function_ref<void(index_t, index_t)> body) {
            if constexpr (requires { device_.concurrently(count, body); }) device_.concurrently(count, body);
        };
};

/// x twice, one after the other along the rows.
template <class T>
std::vector<T> doubled(const std::vector<T>& x) {
    std::vector<T> two(x);
    two.insert(two.end(), x.begin(), x.end());
    return two;
}

} // namespace detail

/// Returns the weights of `source`, from which `model` was loaded, with all matrices rounded for w4 and w4a8. One
/// forward of all inputs at once rounds each matrix when it is used.
///   Calibrating  calibrating<Device> (device/calibrating.hpp) of the model's device
/// The result refers to the source. Besides the model it needs memory for that forward, and for a matrix of
/// k inputs 8 k^2 bytes and a little more. shape_mismatch if the inputs do not fit the model;
/// errc::cancelled if on_matrix stopped it.
template <class Calibrating, class Model>
result<nibble_source> calibrate(const Model& model, tensor_source_ref source, const calibration_inputs& inputs,
                                calibration_options options = {}) {
    using device_type = typename Model::device_type;
    using calibrated = detail::prior_transformer<Model::config, Calibrating, f32, every_layer<>>;
    using input_type = typename calibrated::input;
    static_assert(std::is_same_v<typename Model::format, f32>, "apriori: calibrate: the model's weights must be f32");
    const index_t rows = inputs.rows, count = 2 * rows;
    const auto wrong = [rows](const auto& values, index_t of_row) { return std::ssize(values) != rows * of_row; };
    if (rows < 1 || wrong(inputs.latents, Model::config.embedding_dim) || wrong(inputs.timesteps, 1) ||
        wrong(inputs.text_embeds, inputs.proj_tokens * Model::config.embedding_proj_dim) ||
        wrong(inputs.last_hidden_state, inputs.text_tokens * input_type::text_width) ||
        (!inputs.attention_mask.empty() && wrong(inputs.attention_mask, inputs.text_tokens)))
        return failure(errc::shape_mismatch, "calibrate: the inputs are not those of ", rows,
                       " forwards of this model, one at least");
    const auto latents = detail::doubled(inputs.latents), timesteps = detail::doubled(inputs.timesteps),
               pooled = detail::doubled(inputs.text_embeds), text = detail::doubled(inputs.last_hidden_state);
    const auto mask = detail::doubled(inputs.attention_mask);
    input_type in;
    in.hidden_states = {latents.data(), count, 1};
    in.timestep = {timesteps.data(), extents<dyn>(count)};
    in.proj_embedding = {pooled.data(), count, inputs.proj_tokens};
    if (!text.empty()) in.encoder_hidden_states = {text.data(), count, inputs.text_tokens};
    if (!mask.empty()) in.attention_mask = {mask.data(), extents<dyn, dyn>(count, inputs.text_tokens)};

    static constexpr parameter_table table = parameters_of(Model::config);
    detail::slot_rounding<device_type> rounding(model.device(), Model::weights::operands_type::layout, table,
                                                model.weights_block().base, source, inputs, in.tokens(),
                                                std::move(options));
    Calibrating device(model.device(), rounding);
    const limits l =
        limits{.rows = count, .proj_tokens = inputs.proj_tokens, .text_tokens = inputs.text_tokens}.filled_in(
            Model::config);
    device_staging on(model.device(), "no memory for a calibration; give fewer inputs");
    const auto memory = on.bytes(calibrated::workspace_bytes(l));
    auto answer = on.floats(count * in.output_tokens() * Model::clip);
    if (!on.state) return to_failure(on.state);
    const status s = calibrated(device, model.weights_block()).forward(in, answer.span(), memory.bytes(), l).state;
    if (device.failed.code != errc::ok) return device.failed;
    if (!s) return to_failure(s);
    return std::move(rounding.rounded());
}

} // namespace apriori
APRIORI_END_EXACT_MATH
