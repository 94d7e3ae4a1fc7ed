// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured in the same run as what is held against it: multiply-adds of registers, and
// reading memory past every cache.
#pragma once

#include "apriori/device/cpu/executor.hpp"
#include "apriori/device/cpu/simd.hpp"
#include "apriori/tensor/tensor.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

namespace apriori::bench {

inline double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The best of `repeats` runs of body, in seconds.
template <class Body>
double best_of(int repeats, Body&& body) {
    double best = 1e300;
    for (int i = 0; i < repeats; ++i) {
        const double start = seconds();
        body();
        best = std::min(best, seconds() - start);
    }
    return best;
}

/// Multiply-adds of registers of an architecture: chains enough to hide the latency of any x86 or Arm core.
template <class Arch>
float multiply_add_chains(long steps) {
    using V = value_t<Arch>;
    constexpr int chains = 12;
    V a[chains];
    const V b = lanes<V>::set(0.999f), c = lanes<V>::set(0.001f);
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) a[i] = lanes<V>::set(0.5f + static_cast<float>(i));
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

struct ceilings {
    double gflops = 0; ///< 1e9 floating-point operations a second, a multiply-add being two
    double gbytes = 0; ///< 1e9 bytes read a second
};

/// Both ceilings with as many threads as the executor runs at once; half a GiB is read.
template <class Arch, executor Executor>
ceilings measure_ceilings(Executor& e) {
    const int threads = e.concurrency();
    volatile float sink = 0;
    constexpr long steps = 4'000'000;
    const auto chains = [&](int) { sink = multiply_add_chains<Arch>(steps); };
    ceilings c;
    c.gflops = 2e-9 * 12 * lanes<value_t<Arch>>::count * static_cast<double>(steps) * threads /
               best_of(5, [&] { e.run(threads, chains); });
    constexpr index_t count = index_t{1} << 27;
    static tensor<float, extents<dyn>> memory{extents<dyn>(count)};
    const auto read = [&](int i) {
        const index_t part = count / threads;
        sink = sum_stream<Arch>(memory.data() + i * part, part);
    };
    c.gbytes = 1e-9 * 4 * static_cast<double>(count) / best_of(5, [&] { e.run(threads, read); });
    (void)sink;
    return c;
}

} // namespace apriori::bench
