// SPDX-License-Identifier: Apache-2.0
// An executor on OpenMP's threads; compile with -fopenmp.
#pragma once

#include "apriori/device/cpu/executor.hpp"

#include <omp.h>

namespace apriori {

class openmp_executor {
public:
    /// `threads` at a time; 0: as many as OpenMP would take.
    explicit openmp_executor(int threads = 0) : threads_(threads > 0 ? threads : omp_get_max_threads()) {}

    int concurrency() const noexcept { return threads_; }

    /// Inside a parallel region of the caller's, OpenMP gives one thread, which then does it all.
    void run(int tasks, task_ref task) const {
        // a worksharing loop would say the same, but LLVM's runtime allocates for one
#pragma omp parallel num_threads(threads_)
        for (int i = omp_get_thread_num(); i < tasks; i += omp_get_num_threads()) task(i);
    }

private:
    int threads_;
};

} // namespace apriori
