// SPDX-License-Identifier: Apache-2.0
// Shared by the rows written in apriori: a device whose executor may have threads, views of a problem's arrays, and an
// assignment in a workspace that is made once.
#pragma once

#include "race.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/expr.hpp"

#include <memory>

namespace race {

using namespace apriori;

/// One thread or a pool of threads, as one type, so that the expressions are compiled once.
class any_executor {
public:
    explicit any_executor(int threads)
        : pool_(threads > 1 ? std::make_shared<eigen_thread_pool_executor>(threads) : nullptr) {}
    int concurrency() const noexcept { return pool_ ? pool_->concurrency() : 1; }
    void run(int tasks, task_ref task) {
        if (pool_) return pool_->run(tasks, task);
        for (int i = 0; i < tasks; ++i) task(i);
    }

private:
    std::shared_ptr<eigen_thread_pool_executor> pool_;
};
using device_type = cpu<default_arch, any_executor>;

template <index_t... E>
view<const float, extents<E...>> input(problem& p, std::size_t i) {
    extents<E...> shape;
    for (std::size_t axis = 0; axis < sizeof...(E); ++axis) shape.sizes[axis] = p.in[i].ext(axis);
    return {p.in[i].data(), shape};
}
template <index_t... E>
view<float, extents<E...>> output(problem& p, std::size_t i = 0) {
    extents<E...> shape;
    for (std::size_t axis = 0; axis < sizeof...(E); ++axis) shape.sizes[axis] = p.out[i].ext(axis);
    return {p.out[i].data(), shape};
}

/// Calls body(to) in a context with that many bytes of workspace. A status that is not ok shows as wrong numbers.
template <class Body>
call in_context(int threads, std::size_t bytes, Body body) {
    const auto memory = std::make_shared<host_buffer>(bytes);
    const auto executor = std::make_shared<any_executor>(threads);
    return [=] {
        device_type device(*executor);
        workspace temporaries(memory->span());
        context to(device, temporaries);
        body(to);
    };
}

/// out = e.
template <class Out, class E>
call assigned(int threads, const Out& out, const E& e) {
    return in_context(threads, plan<device_type>(e).workspace, [=](auto& to) { to(out) = e; });
}

} // namespace race
