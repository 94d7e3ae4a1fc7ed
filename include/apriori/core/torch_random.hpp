// SPDX-License-Identifier: Apache-2.0
// The normal numbers that torch draws on the CPU, so that a seed gives the same picture here and in diffusers.
#pragma once

#include "apriori/core/macros.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// torch.Generator() on the CPU: the Mersenne twister MT19937, and torch.randn's two ways of filling a float32 tensor.
/// Values agree with torch's to about 1e-6, because torch's vector code approximates logarithm, sine and cosine.
class torch_generator {
public:
    /// manual_seed. Like torch, it uses only the lower 32 of the 64 bits.
    explicit torch_generator(std::uint64_t seed) noexcept { manual_seed(seed); }

    void manual_seed(std::uint64_t seed) noexcept {
        state_[0] = std::uint32_t(seed);
        for (std::uint32_t i = 1; i < size; ++i) state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
        next_ = size;
        kept_.reset();
    }

    /// 32 random bits.
    std::uint32_t bits() noexcept {
        if (next_ == size) twist();
        std::uint32_t y = state_[next_++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680U;
        y ^= (y << 15) & 0xefc60000U;
        return y ^ (y >> 18);
    }

    /// torch.randn(out.size(), generator=...). As in torch, the numbers depend on how many are drawn at once.
    void randn(std::span<float> out) noexcept;

private:
    static constexpr std::uint32_t size = 624, shift = 397;
    static constexpr std::size_t block = 16;

    void twist() noexcept {
        for (std::uint32_t i = 0; i < size; ++i) {
            const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % size] & 0x7fffffffU);
            state_[i] = state_[(i + shift) % size] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
        }
        next_ = 0;
    }

    /// [0, 1) in steps of 2^-24.
    float uniform() noexcept { return float(bits() & 0xffffffU) * 0x1p-24f; }
    /// [0, 1) in steps of 2^-53.
    double uniform_double() noexcept {
        const std::uint64_t high = bits(), low = bits();
        return double(((high << 32) | low) & 0x1fffffffffffffULL) * 0x1p-53;
    }

    /// The Box-Muller transform in double, one pair at a time; the second number of a pair is kept for the next call.
    double normal() noexcept {
        if (kept_) {
            const double x = *kept_;
            kept_.reset();
            return x;
        }
        const double angle = two_pi * uniform_double(), radius = std::sqrt(-2.0 * std::log1p(-uniform_double()));
        kept_ = radius * std::sin(angle);
        return radius * std::cos(angle);
    }

    /// The Box-Muller transform of 16 uniform numbers: 0 to 7 give radii, 8 to 15 angles.
    static void to_normal(std::span<float, block> x) noexcept {
        for (std::size_t i = 0; i < block / 2; ++i) {
            const float radius = std::sqrt(-2.0f * std::log(1.0f - x[i]));
            const float angle = float(two_pi) * x[i + block / 2];
            x[i] = radius * std::cos(angle);
            x[i + block / 2] = radius * std::sin(angle);
        }
    }

    static constexpr double two_pi = 6.283185307179586;

    std::array<std::uint32_t, size> state_{};
    std::uint32_t next_ = size;
    std::optional<double> kept_;
};

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION void torch_generator::randn(std::span<float> out) noexcept {
    if (out.size() < block) {
        for (float& x : out) x = static_cast<float>(normal());
        return;
    }
    for (float& x : out) x = uniform();
    for (std::size_t i = 0; i + block <= out.size(); i += block) to_normal(out.subspan(i).first<block>());
    if (out.size() % block != 0) { // the last 16 are drawn again, overwriting some
        const auto tail = out.last<block>();
        for (float& x : tail) x = uniform();
        to_normal(tail);
    }
}
#endif

} // namespace apriori
APRIORI_END_EXACT_MATH
