// SPDX-License-Identifier: Apache-2.0
// An executor on Eigen's ThreadPool, with an environment that does not allocate when a task is scheduled.
#pragma once

#include "apriori/device/cpu/executor.hpp"

#ifndef EIGEN_USE_THREADS
#define EIGEN_USE_THREADS
#endif
// gcc 12 warns of undefined registers inside its own AVX-512 intrinsics (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <unsupported/Eigen/CXX11/ThreadPool>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <atomic>
#include <functional>

namespace apriori {

namespace detail {

/// Eigen's environment of std threads, but a task is kept in its queue entry instead of on the heap. A std::function of
/// two pointers does not allocate either.
struct inline_task_environment : Eigen::StlThreadEnvironment {
    struct Task {
        std::function<void()> f;
    };
    Task CreateTask(std::function<void()> f) { return {std::move(f)}; }
    void ExecuteTask(const Task& t) { t.f(); }
};

} // namespace detail

/// Owns its threads, which sleep when idle. The calling thread takes part: with `threads` = 2 it starts one.
class eigen_thread_pool_executor {
public:
    explicit eigen_thread_pool_executor(int threads) : threads_(threads < 1 ? 1 : threads), pool_(threads_ - 1) {}

    int concurrency() const noexcept { return threads_; }

    /// Called from a thread of the pool itself (a launch inside a task), it does everything on that thread.
    void run(int tasks, task_ref task) {
        if (threads_ == 1 || tasks < 2 || pool_.CurrentThreadId() != -1) {
            for (int i = 0; i < tasks; ++i) task(i);
            return;
        }
        state s{task, {tasks - 1}};
        for (int i = 1; i < tasks; ++i) pool_.Schedule(std::function<void()>(job{&s, i}));
        task(0);
        // the other parts end at about the same time, and waking up costs more than polling for a while
        for (int looks = 0; looks < 4000 && s.open.load(std::memory_order_acquire) != 0; ++looks) pause();
        for (int left = s.open.load(std::memory_order_acquire); left != 0;
             left = s.open.load(std::memory_order_acquire))
            s.open.wait(left, std::memory_order_acquire);
        // the last job may still be inside notify_all; it counts in `leaving` when it is done with `s`
        while (s.leaving.load(std::memory_order_acquire) != tasks - 1) {}
    }

private:
    struct state {
        task_ref task;
        std::atomic<int> open;
        std::atomic<int> leaving{0};
    };
    struct job {
        state* s;
        std::intptr_t i;
        void operator()() const {
            s->task(int(i));
            if (s->open.fetch_sub(1, std::memory_order_acq_rel) == 1) s->open.notify_all();
            s->leaving.fetch_add(1, std::memory_order_release);
        }
    };

    /// Tells the core that this is a spin wait.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    int threads_;
    Eigen::ThreadPoolTempl<detail::inline_task_environment> pool_;
};

} // namespace apriori
