// SPDX-License-Identifier: Apache-2.0
// Executors run the parts of a launch. The serial one needs nothing; executors/ has ones on
// Eigen's ThreadPool and OpenMP.
#pragma once

#include "apriori/core/function_ref.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

#include <atomic>
#include <concepts>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A task of an executor: a callable that its caller owns.
using task_ref = function_ref<void(int task)>;

/// concurrency()      how many tasks can run at once, at least 1
/// run(tasks, task)   calls task(0) .. task(tasks - 1), each once, in any order and on any thread, and returns when all
///                    have returned. It neither allocates nor creates threads. tasks is at most concurrency().
template <class E>
concept executor = requires(E& e, int n, task_ref t) {
    { e.concurrency() } -> std::convertible_to<int>;
    e.run(n, t);
};

/// Runs everything on the calling thread.
struct serial_executor {
    static constexpr int concurrency() noexcept { return 1; }
    static void run(int tasks, task_ref task) {
        for (int i = 0; i < tasks; ++i) task(i);
    }
};

/// A product of extents as a number of operations, which may be more than an index_t holds.
constexpr double operations(auto... extents) noexcept { return (1.0 * ... * double(extents)); }

/// Calls body(first, last) for ranges of the items 0 .. count, on as many threads as are worthwhile. `cost` is about
/// the number of floating-point operations of all items: a sleeping thread starts after some thirty microseconds, so
/// work of less than about twenty runs only on the calling thread.
///
/// A thread takes half of its share of the remaining items, and comes back for more: ranges are as long as
/// possible, and all threads end together even if one is slower than another (guided self-scheduling;
/// Polychronopoulos and Kuck, 1987).
void parallel_ranges(executor auto& e, index_t count, double cost, const auto& body) {
    constexpr double worth_a_thread = 1e6;
    index_t tasks = e.concurrency();
    if (tasks > count) tasks = count;
    if (tasks > 1 && cost < double(tasks) * worth_a_thread) tasks = index_t(cost / worth_a_thread) + 1;
    if (tasks <= 1) {
        body(index_t{0}, count);
        return;
    }
    std::atomic<index_t> next = 0;
    const auto part = [&](int) {
        index_t first = next.load(std::memory_order_relaxed);
        while (first < count) {
            const index_t share = (count - first) / (2 * tasks), last = first + (share > 0 ? share : 1);
            if (!next.compare_exchange_weak(first, last, std::memory_order_relaxed)) continue;
            body(first, last);
            first = next.load(std::memory_order_relaxed);
        }
    };
    e.run(int(tasks), part);
}

/// One range of all items. Inlined, so that no cost is computed: many small cores have no instructions for doubles.
APRIORI_INLINE void parallel_ranges(serial_executor&, index_t count, double, const auto& body) {
    body(index_t{0}, count);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
