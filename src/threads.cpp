// SPDX-License-Identifier: Apache-2.0
#include "threads.hpp"

#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"

namespace apriori::program {

threads::threads(int count) : count_(count), pool_(std::make_unique<eigen_thread_pool_executor>(count)) {}
threads::~threads() = default;

void threads::run(int tasks, task_ref task) { pool_->run(tasks, task); }

} // namespace apriori::program
