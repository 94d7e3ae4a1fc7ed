// SPDX-License-Identifier: Apache-2.0
// An executor on OpenMP's threads; compile with -fopenmp.
#pragma once

#include "apriori/device/cpu/executor.hpp"

#include <omp.h>

namespace apriori {

/// Runs tasks in a parallel region of OpenMP.
class openmp_executor {
public:
    /// Uses `threads` threads; 0: as many as OpenMP would use.
    explicit openmp_executor(int threads = 0) : threads_(threads > 0 ? threads : omp_get_max_threads()) {}

    int concurrency() const noexcept { return threads_; }

    /// Inside a parallel region of the caller, OpenMP provides one thread, which runs all tasks.
    void run(int tasks, task_ref task) const {
        // not a worksharing loop: LLVM's runtime allocates for one
#pragma omp parallel num_threads(threads_)
        for (int i = omp_get_thread_num(); i < tasks; i += omp_get_num_threads()) task(i);
    }

private:
    int threads_;
};

} // namespace apriori
