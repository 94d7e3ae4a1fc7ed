// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured in the same run as what is held against it: multiply-adds of registers, and
// reading memory past every cache.
#pragma once

#include "apriori/core/macros.hpp"
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

/// Multiply-adds of registers of an architecture: chains enough to hide the latency of any x86 or Arm core.
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

/// Sums floats: a stream of loads and nothing else that costs.
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

/// Measures with as many threads as the executor runs at once; each call is one measurement, to be taken between those of
/// the work that is held against it.
template <class Arch, executor Executor>
class ceiling_meter {
public:
    explicit ceiling_meter(Executor& e) : executor_(&e) {}

    /// 1e9 floating-point operations a second, a multiply-add being two.
    double gflops() {
        constexpr long steps = 4'000'000;
        const int threads = executor_->concurrency();
        std::atomic<float> sink = 0;
        const auto chains = [&](int) { sink = cpu_device::multiply_add_chains<Arch>(steps); };
        const double spent = cpu_device::seconds_of([&] { executor_->run(threads, chains); });
        return 2e-9 * 12 * lanes<cpu_device::value_t<Arch>>::count * double(steps) * threads / spent;
    }

    /// 1e9 bytes read a second, over and over the same `bytes`: of the cache that they fit into, or of memory.
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

struct ceilings {
    double gflops = 0, gbytes = 0;
};

/// The best of five measurements of each.
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
