// SPDX-License-Identifier: Apache-2.0
// Eigen's Tensor module as a device: the reference that reads like the formulas, and that other devices are tested
// against. It is portable and threaded, and allocates as it runs.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/concept.hpp"
#include "apriori/device/eigen/attention.hpp"
#include "apriori/device/eigen/cached_attention.hpp"
#include "apriori/device/host_memory.hpp"

#include <memory>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The device eigen. Its weights are f32.
class eigen : public host_memory {
public:
    static constexpr const char* name = "eigen";
    static constexpr bool fuses_prologue = true;
    template <class Format>
    requires std::same_as<Format, f32>
    using packed = eigen_device::packed_rows;

    /// Runs on the calling thread.
    eigen() : on_(nullptr, 1) {}
    /// Runs on that many threads, which it owns; with fewer than two: on the calling thread.
    explicit eigen(int threads)
        : own_(threads > 1 ? std::make_unique<Eigen::ThreadPool>(threads) : nullptr),
          on_(own_.get(), threads > 1 ? threads : 1) {}
    /// Runs on all threads of a pool, which must outlive it.
    explicit eigen(Eigen::ThreadPoolInterface& pool) : on_(&pool, pool.NumThreads()) {}

    int threads() const { return on_.numThreads(); }

    /// Stores rows from `first` on of w [n, k], from float32 [count, k]. shape_mismatch if
    /// they extend past the end of w.
    status pack(packed<f32> w, index_t first, std::span<const float> rows) {
        const index_t given = std::ssize(rows);
        if (first < 0 || given > (w.n - first) * w.k || (w.k > 0 && given % w.k != 0))
            return status::shape("pack: rows past the end of the matrix, or not whole ones", given,
                                 (w.n - first) * w.k);
        std::copy(rows.begin(), rows.end(), w.data + first * w.k);
        return {};
    }

    static constexpr std::size_t scratch_bytes(const auto&) { return 0; }
    template <class Op>
    requires requires(const eigen_device::executor& on, const Op& op) { eigen_device::run(on, op); }
    status run(const Op& op) {
        if (elements(op) > 0) eigen_device::run(on_, op);
        return {};
    }

private:
    /// Elements of the result; a reduction has some even if it has no columns.
    template <class Policy, class In, class Outer, class Out>
    static index_t elements(const ops::reduce<Policy, In, Outer, Out>& op) {
        return op.rows;
    }
    static index_t elements(const auto& op) {
        if constexpr (requires { op.rows* op.cols; }) return op.rows * op.cols;
        const launch l = op.describe();
        return l.batch * l.rows * l.cols;
    }

    std::unique_ptr<Eigen::ThreadPool> own_;
    Eigen::ThreadPoolDevice on_;
};

static_assert(device<eigen>);

} // namespace apriori
APRIORI_END_EXACT_MATH
