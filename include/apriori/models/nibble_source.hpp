// SPDX-License-Identifier: Apache-2.0
// A model's weights as a tensor source, some of them rounded to w4.
#pragma once

#include "apriori/core/half.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/core/tensor_source.hpp"

#include <cstdint>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A matrix [n, k] of integers -8 .. 7 with a scale for each row and 32 columns: four and a half bits a weight.
class nibble_matrix {
public:
    nibble_matrix() = default;
    /// From numbers that are exactly of this form, such as those of round_to_nibbles.
    nibble_matrix(std::span<const float> values, index_t k) : k_(k), groups_(ceil_div(k, index_t{w4::group})) {
        const index_t n = std::ssize(values) / k;
        scales_.resize(to_size(n * groups_));
        nibbles_.resize(to_size(n * groups_ * w4::group / 2));
        for (index_t r = 0; r < n; ++r)
            for (index_t g = 0; g < groups_; ++g) {
                const index_t first = g * w4::group, count = (std::min)(k - first, index_t{w4::group});
                const float* x = values.data() + r * k + first;
                const float scale = detail::nibble_scale(x, count);
                at(scales_, r * groups_ + g) = float_to_bfloat16(scale);
                for (index_t i = 0; i < count; ++i) {
                    const auto nibble = std::uint32_t(detail::nearest_nibble(x[i], scale) + 8);
                    auto& byte = at(nibbles_, ((r * groups_ + g) * w4::group + i) / 2);
                    byte = std::uint8_t(byte | nibble << (i % 2 * 4));
                }
            }
    }

    bool empty() const noexcept { return scales_.empty(); }
    /// Copies elements first .. first + out.size(), row-major.
    void read(std::int64_t first, std::span<float> out) const noexcept {
        for (index_t i = 0; i < std::ssize(out); ++i) {
            const index_t row = (first + i) / k_, column = (first + i) % k_, group = row * groups_ + column / w4::group;
            const int byte = at(nibbles_, (group * w4::group + column % w4::group) / 2);
            at(out, i) = float((byte >> (column % 2 * 4) & 15) - 8) * bfloat16_to_float(at(scales_, group));
        }
    }

private:
    index_t k_ = 0, groups_ = 0;
    std::vector<std::uint16_t> scales_;
    std::vector<std::uint8_t> nibbles_;
};

/// The tensors of another source, which must outlive it, with some replaced by matrices.
class nibble_source {
public:
    explicit nibble_source(tensor_source_ref base) : base_(base), rounded_(base.size()) {}

    /// Replaces tensor i.
    void replace(std::size_t i, nibble_matrix m) { rounded_[i] = std::move(m); }

    std::size_t size() const { return base_.size(); }
    tensor_info info(std::size_t i) const { return base_.info(i); }
    status read(std::size_t i, std::int64_t first, std::span<float> out) const {
        if (rounded_[i].empty()) return base_.read(i, first, out);
        if (first < 0 || std::ssize(out) > info(i).size() - first)
            return status::invalid("read beyond the end of a tensor", first, info(i).size());
        rounded_[i].read(first, out);
        return {};
    }
    bool concurrent_reads() const noexcept { return base_.concurrent_reads(); }

private:
    tensor_source_ref base_;
    std::vector<nibble_matrix> rounded_; ///< of each tensor; empty: not replaced
};

static_assert(tensor_source<nibble_source>);

} // namespace apriori
APRIORI_END_EXACT_MATH
