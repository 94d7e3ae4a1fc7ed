// SPDX-License-Identifier: Apache-2.0
// The executor of the program's cpu device: Eigen's ThreadPool, hidden from the translation units that use it.
#pragma once

#include "apriori/device/cpu/executor.hpp"

#include <memory>

namespace apriori {
class eigen_thread_pool_executor;
}

namespace apriori::program {

/// An executor. The calling thread is one of `count`.
class threads {
public:
    explicit threads(int count);
    ~threads();

    int concurrency() const noexcept { return count_; }
    void run(int tasks, task_ref task);

private:
    int count_;
    std::unique_ptr<eigen_thread_pool_executor> pool_;
};

static_assert(executor<threads>);

} // namespace apriori::program
