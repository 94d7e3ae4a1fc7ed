// SPDX-License-Identifier: Apache-2.0
// Eigen's Tensor module as a device: the reference that reads like the mathematics, and that other devices are tested
// against. It is portable and threaded, and allocates as it runs.
#pragma once

#include "apriori/device/concept.hpp"
#include "apriori/device/eigen/attention.hpp"
#include "apriori/device/eigen/cached_attention.hpp"
#include "apriori/device/host_memory.hpp"

#include <memory>

namespace apriori {

class eigen : public host_memory {
public:
    static constexpr const char* name = "eigen";
    static constexpr bool fuses_prologue = true;
    template <class Format>
    requires std::same_as<Format, f32>
    using packed = eigen_device::packed_rows;

    /// On the calling thread.
    eigen() : on_(nullptr, 1) {}
    /// On that many threads of its own; fewer than two: on the calling thread.
    explicit eigen(int threads)
        : own_(threads > 1 ? std::make_unique<Eigen::ThreadPool>(threads) : nullptr),
          on_(own_.get(), threads > 1 ? threads : 1) {}
    /// On all threads of a pool, which must outlive it.
    explicit eigen(Eigen::ThreadPoolInterface& pool) : on_(&pool, pool.NumThreads()) {}

    int threads() const { return on_.numThreads(); }

    status pack(packed<f32> w, index_t first, std::span<const float> rows) {
        const index_t given = std::ssize(rows);
        if (first < 0 || given > (w.n - first) * w.k)
            return status::shape("pack: more elements than the weight has room for", given, (w.n - first) * w.k);
        std::copy(rows.begin(), rows.end(), w.data + first * w.k);
        return {};
    }

    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op&) {
        return 0;
    }
    template <class I, class E>
    status run(const ops::contraction<I, eigen_device::packed_rows, E>& op) {
        return run_on_rows(op, op.rows * op.n);
    }
    template <class E>
    status run(const ops::matmul<E>& op) {
        return run_on_rows(op, op.batch * op.m * op.n);
    }
    template <class Policy, class I, class O>
    status run(const ops::normalize<Policy, I, O>& op) {
        return run_on_rows(op, op.rows * op.cols);
    }
    template <class Policy, class I, class O>
    status run(const ops::reduce<Policy, I, O>& op) {
        return run_on_rows(op, op.rows * op.cols);
    }
    template <class P>
    status run(const ops::map<P>& op) {
        return run_on_rows(op, op.rows * op.cols);
    }
    template <class E>
    status run(const ops::attention<E>& op) {
        return run_on_rows(op, op.sequences.count * op.sequences.tokens);
    }
    status run(const ops::cached_attention& op) { return run_on_rows(op, op.groups.out_rows); }

private:
    template <class Op>
    status run_on_rows(const Op& op, index_t elements) {
        if (elements > 0) eigen_device::run(on_, op);
        return {};
    }

    std::unique_ptr<Eigen::ThreadPool> own_;
    Eigen::ThreadPoolDevice on_;
};

static_assert(device<eigen>);

} // namespace apriori
