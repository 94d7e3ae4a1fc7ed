// SPDX-License-Identifier: Apache-2.0
// The peak rates of this machine, measured in the same run as the work that is compared with them: products in
// registers, of floats and of the types that weight formats use, and reads of memory past every cache.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/contraction.hpp"
#include "apriori/device/cpu/executor.hpp"
#include "apriori/device/cpu/simd.hpp"
#include "apriori/tensor/tensor.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace cpu_device {

/// A measurement of products: runs `steps` steps in enough chains to hide the latency of any x86 or Arm core. Each step
/// does `operations`, a multiply-add counting as two.
struct product_chains {
    float (*run)(long steps);
    double operations;
};

template <class Arch>
float multiply_add_chains(long steps) {
    using V = value_t<Arch>;
    constexpr int chains = 12;
    V a[chains];
    const V b = lanes<V>::set(0.999f), c = lanes<V>::set(0.001f);
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) a[i] = lanes<V>::set(0.5f + float(i));
    for (long s = 0; s < steps; ++s)
#pragma GCC unroll 12
        for (int i = 0; i < chains; ++i) a[i] = multiply_add(a[i], b, c);
    float sum = 0;
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sum += sum_lanes(a[i]);
    return sum;
}

/// The same for words of several inputs, by a Dot of word_product.hpp.
template <class Arch, class Dot>
float word_chains(long steps) {
    using words = int_lanes<value_t<Arch>>;
    constexpr int chains = 12;
    typename Dot::sums a[chains];
    const std::uint32_t left[2] = {0x3c003c01u, 0x3c003c01u};
    const auto right = Dot::prepare(words::set(0x3c013c02u));
#pragma GCC unroll 12
    for (auto& x : a) x = Dot::zero();
    for (long s = 0; s < steps; ++s)
#pragma GCC unroll 12
        for (auto& x : a) x = Dot::add(x, left, right);
    typename Dot::number sums[to_size(lanes<value_t<Arch>>::count)], all = 0;
    for (const auto& x : a) {
        Dot::store(sums, x);
        all += sums[0] / 16;
    }
    return float(all);
}

/// The same for tiles that stay in a matrix unit, four products a step.
template <class Unit, class Elements>
float tile_chains(long steps) {
    const typename Unit::session session;
    [&]<int... Ts>(std::integer_sequence<int, Ts...>) {
        (Unit::template zero<Ts>(), ...);
    }(std::make_integer_sequence<int, 8>{});
    for (long s = 0; s < steps; ++s) {
        Elements::template add<Unit, 0, 4, 6>();
        Elements::template add<Unit, 1, 4, 7>();
        Elements::template add<Unit, 2, 5, 6>();
        Elements::template add<Unit, 3, 5, 7>();
    }
    return 0;
}

/// The products that a format uses on this machine.
template <class Arch, class Format>
product_chains chains_of() {
    constexpr int L = lanes<value_t<Arch>>::count;
    constexpr bool bytes = std::is_same_v<Format, w8> || std::is_same_v<Format, w8a8>;
    constexpr bool nibbles = std::is_same_v<Format, w4> || std::is_same_v<Format, w4a8>;
    constexpr bool rounded = std::is_same_v<Format, bf16a16>;
    constexpr int digits = std::is_same_v<Format, w8> ? 4 : std::is_same_v<Format, w4> ? 3 : 1; // of grouped_rows
    if constexpr (has_matrix_unit<Arch> && (bytes || rounded || std::is_same_v<Format, bf16>))
        if (matrix_unit<Arch>::available()) {
            constexpr double of_tiles = 4 * 2 * tile_rows * tile_rows;
            if constexpr (bytes)
                return {tile_chains<matrix_unit<Arch>, byte_tiles<1>>, of_tiles * 64 / digits};
            else
                return {tile_chains<matrix_unit<Arch>, bfloat16_tiles<1>>, of_tiles * 32 / (rounded ? 1 : 3)};
        }
    if constexpr ((bytes || nibbles) && (digits == 1 || multiplies_bytes<Arch>))
        return {word_chains<Arch, byte_dot<value_t<Arch>, nibbles ? 4 : 8>>, 12.0 * 8 * L / digits};
    else if constexpr (rounded && has_bfloat16_dot<value_t<Arch>> && !has_matrix_unit<Arch>)
        return {word_chains<Arch, bfloat16_dot<value_t<Arch>>>, 12.0 * 4 * L};
    else
        return {multiply_add_chains<Arch>, 12.0 * 2 * L};
}

/// Sums floats: a stream of loads that nothing else slows down.
template <class Arch>
float sum_stream(const float* p, index_t n) {
    using V = value_t<Arch>;
    constexpr int streams = 8, L = lanes<V>::count;
    V s[streams];
#pragma GCC unroll 8
    for (int i = 0; i < streams; ++i) s[i] = lanes<V>::set(0.0f);
    for (index_t at = 0; at + streams * L <= n; at += streams * L)
#pragma GCC unroll 8
        for (int i = 0; i < streams; ++i) s[i] = s[i] + lanes<V>::load(p + at + i * L);
    float sum = 0;
#pragma GCC unroll 8
    for (int i = 0; i < streams; ++i) sum += sum_lanes(s[i]);
    return sum;
}

double seconds_of(auto&& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace cpu_device

/// Measures with as many threads as the executor runs at once. Each call is one measurement; call it between those of
/// the work that is compared with it.
template <class Arch, executor Executor>
class ceiling_meter {
public:
    explicit ceiling_meter(Executor& e) : executor_(&e) {}

    /// Products of a format in 1e9 operations per second, a multiply-add counting as two.
    template <class Format = f32>
    double gflops() {
        constexpr double seconds = 0.02;
        const cpu_device::product_chains chains = cpu_device::chains_of<Arch, Format>();
        const int threads = executor_->concurrency();
        std::atomic<float> sink = 0;
        const auto time = [&](long steps) {
            const auto run = [&](int) { sink = chains.run(steps); };
            return cpu_device::seconds_of([&] { executor_->run(threads, run); });
        };
        constexpr long few = 20'000;
        const long steps = long(few * seconds / (std::max)(time(few), 1e-6)) + few;
        return 1e-9 * chains.operations * double(steps) * threads / time(steps);
    }

    /// Reads of the same `bytes` over and over, in 1e9 bytes per second: of the cache that they fit into, or of memory.
    double gbytes(std::size_t bytes = std::size_t{1} << 29) {
        constexpr std::size_t most = std::size_t{1} << 29;
        const int threads = executor_->concurrency();
        const index_t part = index_t((std::min)(bytes, most) / sizeof(float)) / threads / 1024 * 1024 + 1024;
        const index_t passes = index_t{most} / 2 / (4 * part * threads) + 1;
        if (!memory_ || memory_->size() != part * threads) memory_.emplace(extents<dyn>(part * threads));
        std::atomic<float> sink = 0;
        const auto read = [&](int i) {
            for (index_t p = 0; p < passes; ++p) sink = cpu_device::sum_stream<Arch>(memory_->data() + i * part, part);
        };
        const double spent = cpu_device::seconds_of([&] { executor_->run(threads, read); });
        return 4e-9 * double(part * threads) * double(passes) / spent;
    }

private:
    Executor* executor_;
    std::optional<tensor<float, extents<dyn>>> memory_;
};

/// Peak rates in 1e9 operations and 1e9 bytes per second.
struct ceilings {
    double gflops = 0, gbytes = 0;
};

/// The best of five measurements of each rate.
template <class Arch, executor Executor>
ceilings measure_ceilings(Executor& e) {
    ceiling_meter<Arch, Executor> meter(e);
    ceilings best;
    for (int i = 0; i < 5; ++i) {
        best.gflops = (std::max)(best.gflops, meter.gflops());
        best.gbytes = (std::max)(best.gbytes, meter.gbytes());
    }
    return best;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
