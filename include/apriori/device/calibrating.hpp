// SPDX-License-Identifier: Apache-2.0
// A device that computes everything twice: with the exact weights, and with weights that are
// rounded at their first use.
#pragma once

#include "apriori/core/function_ref.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/device/around.hpp"
#include "apriori/expr/ops.hpp"

#include <algorithm>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A contraction with packed weights, and its inputs.
struct calibrated_product {
    const std::byte* weights; ///< the address of the packed weights
    index_t rows, n, k;
    std::span<const float> x;    ///< [rows, k], the inputs that the rounded weights multiply
    std::span<const float> lost; ///< [rows, n], outputs of the exact weights for the exact inputs minus those for x
};

/// Runs expressions of 2 B rows on `Inner`, a device in the host's memory. The first B rows are computed exactly, the
/// others with the rounded weights [n, k] that `round` returns for each contraction. So `round` sees the inputs that
/// result when all earlier weights have been rounded. If it returns an empty span, the weights stay as they are. The
/// rows of each contraction must be even in number, and their second half must belong to the second B rows.
template <device Inner>
class calibrating : public device_around<Inner> {
public:
    static_assert(Inner::is_host, "apriori: calibrating: the device must work in the host's memory");
    static constexpr bool is_host = true;
    using typename device_around<Inner>::buffer;
    using rounding = function_ref<result<std::span<const float>>(const calibrated_product&)>;

    /// The device and the callable of `round` must outlive it.
    calibrating(Inner& inner, rounding round) : device_around<Inner>(inner), round_(round) {}

    template <class Op>
    requires runs<Inner, Op>
    status run(const Op& op) {
        return run_on(*inner_, op);
    }
    /// Allocates. If `round` fails, `failed` holds its error and the expression ends.
    template <class In, class P, class E>
    requires runs<Inner, ops::contraction<In, P, E>>
    status run(const ops::contraction<In, P, E>& op) {
        const index_t half = op.rows / 2;
        x_.resize(to_size(op.rows * op.k));
        if (const status s = compute(op.input, op.rows, op.k); !s) return s;
        lost_.resize(to_size(half * op.n));
        for (index_t i = 0; i < half * op.k; ++i) at(x_, i) -= at(x_, half * op.k + i);
        if (const status s = multiply(op, half); !s) return s;
        const auto rounded =
            round_({op.weights.data, half, op.n, op.k, part(std::as_const(x_), half * op.k, half * op.k), lost_});
        if (!rounded) {
            failed = rounded.error();
            return {failed.code, "calibration stopped"};
        }
        if (rounded->empty()) return run_on(*inner_, op);

        // the exact half comes last: its outputs may overwrite the inputs of the other half
        buffer memory = inner_->allocate(P::stored_bytes(op.n, op.k));
        if (memory.empty()) return {errc::device_error, "no memory for rounded weights"};
        ops::contraction<In, P, E> later = op;
        later.weights = P(memory.data(), op.n, op.k);
        if (const status s = inner_->pack(later.weights, 0, *rounded); !s) return s;
        for (index_t r = 0; r < half; ++r) std::copy_n(op.out.row(r), op.n, lost_.data() + r * op.n);
        if (const status s = run_on(*inner_, later); !s) return s;
        for (index_t r = 0; r < half; ++r) std::copy_n(lost_.data() + r * op.n, op.n, op.out.row(r));
        ops::contraction<In, P, E> exact = op;
        exact.rows = half;
        return run_on(*inner_, exact);
    }
    /// The error of `round`, or ok.

    failure failed{errc::ok, ""};

private:
    ops::output rows_of(std::vector<float>& to, index_t width) const { return {to.data(), row_map{.inner = width}}; }
    /// Computes the left operand into x_.
    template <class Program>
    status compute(const ops::mapped<Program>& in, index_t rows, index_t k) {
        return run_on(*inner_, ops::map<Program>{in.program, rows_of(x_, k), rows, k});
    }
    template <class Policy, class In, class Outer>
    status compute(const ops::normalized<Policy, In, Outer>& in, index_t rows, index_t k) {
        return run_on(*inner_, ops::normalize<Policy, In, Outer>{in, rows_of(x_, k), rows, k});
    }
    /// Multiplies the first rows of x_ by the weights of an op, into lost_.
    template <class In, class P, class E>
    status multiply(const ops::contraction<In, P, E>& op, index_t rows) {
        using plain = ops::contraction<ops::mapped<el::matrix>, P, el::acc>;
        plain p{{{x_.data(), row_map{.inner = op.k}}}, op.weights, {}, rows_of(lost_, op.n), rows, op.n, op.k};
        const buffer scratch = inner_->allocate((std::max)(Inner::scratch_bytes(p), std::size_t{1}));
        if (scratch.empty()) return {errc::device_error, "no memory for a calibration"};
        p.scratch = scratch.data();
        return run_on(*inner_, p);
    }

    using device_around<Inner>::inner_;

    rounding round_;
    std::vector<float> x_, lost_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
