// SPDX-License-Identifier: Apache-2.0
// Weights rounded to four bits so that the errors in a row compensate each other: GPTQ (Frantar et al. 2022,
// arXiv 2210.17323).
//
// Rounding W [n, k] to Q costs tr((W - Q) H (W - Q)^T), the squared error of the outputs for inputs X with second
// moments H = X^T X [k, k]. With H = A D A^T, A unit upper triangular and D diagonal, the cost of a row is the sum over
// its columns c of
//     D_c (t_c - q_c)^2,    t_c = w_c + sum over j < c of (w_j - q_j) A_jc
// so columns are rounded in order, each to the number nearest to t_c. A replaces the Cholesky factor of H's inverse:
// the results are the same (Chee et al. 2023, arXiv 2307.13304, theorem 6), and no inverse is computed.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/function_ref.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Calls body(first, last) for ranges that together cover 0 .. count, on several threads if it has them.
using range_runner = function_ref<void(index_t count, function_ref<void(index_t first, index_t last)> body)>;
/// Covers 0 .. count in one call, on the calling thread.
struct serial_ranges {
    void operator()(index_t count, function_ref<void(index_t, index_t)> body) const { body(0, count); }
};
inline constexpr serial_ranges run_serially{};

/// The second moments of a matrix's inputs, factored: H = A D A^T.
class factored_moments {
public:
    /// Factors the matrix whose upper triangle is h [k, k], row-major, with `damping` times the mean of its diagonal
    /// added to the diagonal. If inputs were few or alike, this keeps errors from being moved to weights that seem
    /// free; the paper uses 0.01. Takes k^3 / 6 multiplications. If h is zero, as without inputs, all weights count
    /// alike. If h contains NaN, so do the factors.
    factored_moments(std::vector<double> h, index_t k, double damping, range_runner run = run_serially)
        : factors_(std::move(h)), k_(k) {
        double mean = 0;
        for (index_t i = 0; i < k; ++i) mean += diagonal(i) / double(k);
        const double added = mean == 0 ? 1 : damping * mean;
        for (index_t i = 0; i < k; ++i) at(factors_, i * k + i) += added;
        std::vector<double> panel(to_size((std::min)(block, k) * k)); // columns of A as rows
        for (index_t c1 = k, c0 = 0; c1 > 0; c1 = c0) {
            c0 = (std::max)(c1 - block, index_t{0});
            factor_columns(c0, c1, panel.data());
            run(ceil_div(c0, block), [&](index_t first, index_t last) {
                for (index_t r = first; r < last; ++r)
                    subtract_columns(c0, c1, r * block, (std::min)((r + 1) * block, c0), panel.data());
            });
        }
    }

    index_t inputs() const noexcept { return k_; }
    double diagonal(index_t c) const noexcept { return at(factors_, c * k_ + c); }   ///< D_c
    const double* row(index_t r) const noexcept { return factors_.data() + r * k_; } ///< A_rc for c > r
    /// Whether the factors can be used: not if inputs were NaN or infinite.
    bool usable() const noexcept {
        for (index_t c = 0; c < k_; ++c)
            if (!(diagonal(c) > 0 && diagonal(c) < (std::numeric_limits<double>::max)())) return false;
        return true;
    }

private:
    static constexpr index_t block = 64;

    /// Computes columns c0 .. c1 of D and A, after the columns to their right have been subtracted. Also writes those
    /// of A to `panel`, as rows.
    void factor_columns(index_t c0, index_t c1, double* panel) noexcept {
        for (index_t c = c1 - 1; c >= c0; --c) {
            double* const column = panel + (c - c0) * k_;
            const double d = diagonal(c);
            for (index_t r = 0; r < c; ++r) column[r] = at(factors_, r * k_ + c) /= d;
            for (index_t r = 0; r < c; ++r)
                for (index_t j = (std::max)(r, c0); j < c; ++j) at(factors_, r * k_ + j) -= column[r] * d * column[j];
        }
    }
    /// Subtracts the contribution of columns c0 .. c1 to A D A^T from rows r0 .. r1 of the columns before c0.
    void subtract_columns(index_t c0, index_t c1, index_t r0, index_t r1, const double* panel) noexcept {
        constexpr index_t slice = 512; // columns; the panel's part of them stays in the cache for all rows
        for (index_t j0 = r0; j0 < c0; j0 += slice) {
            const index_t j1 = (std::min)(j0 + slice, c0);
            for (index_t r = r0; r < r1; ++r) {
                double* const to = factors_.data() + r * k_;
                const double* const a = to;
                const index_t j = (std::max)(j0, r);
                index_t c = c0;
                for (; c + 4 <= c1; c += 4) {
                    const double* const p = panel + (c - c0) * k_;
                    const double f[4] = {a[c] * diagonal(c), a[c + 1] * diagonal(c + 1), a[c + 2] * diagonal(c + 2),
                                         a[c + 3] * diagonal(c + 3)};
                    subtract_four(to, p, p + k_, p + 2 * k_, p + 3 * k_, f, j, j1);
                }
                for (; c < c1; ++c) {
                    const double f = a[c] * diagonal(c);
                    for (index_t i = j; i < j1; ++i) to[i] -= f * panel[(c - c0) * k_ + i];
                }
            }
        }
    }
    static void subtract_four(double* __restrict to, const double* __restrict p0, const double* __restrict p1,
                              const double* __restrict p2, const double* __restrict p3, const double (&f)[4],
                              index_t first, index_t last) noexcept {
        for (index_t i = first; i < last; ++i) to[i] -= (f[0] * p0[i] + f[1] * p1[i]) + (f[2] * p2[i] + f[3] * p3[i]);
    }

    std::vector<double> factors_; ///< [k, k]: D on the diagonal, A above it
    index_t k_;
};

namespace detail {

/// Rounds columns c0 .. c0 + n of a row, a group of w4 or the rest of one, to `best` [n]; t [n] is w plus the errors
/// that the columns before have left. One of the integers is always -8, so that the packer finds the same scale in the
/// result. Tries `scales` sizes of the scale, with -8 at either end of the group, and the packer's own scale, and keeps
/// the one of least cost. 0 scales: only the packer's.
inline void round_group(const factored_moments& m, index_t c0, index_t n, const double* t, const float* w, int scales,
                        float* best) noexcept {
    constexpr index_t most = w4::group;
    index_t high = 0, low = 0, largest = 0;
    for (index_t i = 1; i < n; ++i) {
        if (t[i] > t[high]) high = i;
        if (t[i] < t[low]) low = i;
        if (magnitude(float(t[i])) > magnitude(float(t[largest]))) largest = i;
    }
    double least = (std::numeric_limits<double>::max)();
    std::fill_n(best, n, 0.0f);
    const auto attempt = [&](index_t lowest, float size) {
        const float scale = bfloat16_to_float(float_to_bfloat16(float(t[lowest]) / -8.0f * size));
        if (scale == 0 || !is_finite(8 * scale)) return;
        double now[to_size(most)];
        float q[to_size(most)];
        double cost = 0;
        std::copy_n(t, n, now);
        for (index_t i = 0; i < n; ++i) {
            q[i] = float(i == lowest ? -8 : nearest_nibble(float(now[i]), scale)) * scale;
            const double off = now[i] - double(q[i]), error = double(w[i]) - double(q[i]);
            cost += m.diagonal(c0 + i) * off * off;
            const double* const a = m.row(c0 + i) + c0;
            for (index_t j = i + 1; j < n; ++j) now[j] += error * a[j];
        }
        if (!(cost < least)) return;
        least = cost;
        std::copy_n(q, n, best);
    };
    if (scales == 0) return attempt(largest, 1);
    for (int s = 0; s < scales; ++s) { // from 1.15 down to 0.7 of the size that maps the number at the end to -8
        const float size = 1.15f - 0.45f * float(s) / float((std::max)(scales - 1, 1));
        attempt(high, size);
        if (low != high) attempt(low, size);
    }
    attempt(largest, 1);
}

/// Rounds several rows of a matrix together, so that A is read once for all of them.
class row_rounding {
public:
    static constexpr index_t rows = 16;

    row_rounding(const factored_moments& m, int scales)
        : m_(m), k_(m.inputs()), scales_(scales), t_(to_size(rows * k_)), errors_(to_size(rows * w4::group)) {}

    /// Rounds `count` rows of w to q; `pull` is as in round_to_nibbles, or null.
    void operator()(const float* w, const float* pull, float* q, index_t count) noexcept {
        for (index_t i = 0; i < count * k_; ++i) at(t_, i) = pull ? double(pull[i]) : 0;
        if (pull) solve(count);
        for (index_t i = 0; i < count * k_; ++i) at(t_, i) += double(w[i]);
        for (index_t c = 0; c < k_; c += w4::group) {
            const index_t n = (std::min)(k_ - c, index_t{w4::group});
            for (index_t r = 0; r < count; ++r) {
                round_group(m_, c, n, t(r) + c, w + r * k_ + c, scales_, q + r * k_ + c);
                for (index_t i = 0; i < n; ++i)
                    at(errors_, r * w4::group + i) = double(w[r * k_ + c + i]) - double(q[r * k_ + c + i]);
            }
            for (index_t j = c + n; j < k_; j += slice)
                for (index_t r = 0; r < count; ++r)
                    for (index_t i = 0; i < n; ++i)
                        add(t(r), m_.row(c + i), at(errors_, r * w4::group + i), j, (std::min)(j + slice, k_));
        }
    }

private:
    static constexpr index_t slice = 512;

    double* t(index_t r) noexcept { return t_.data() + r * k_; }
    static void add(double* __restrict to, const double* __restrict a, double x, index_t first, index_t last) noexcept {
        for (index_t i = first; i < last; ++i) to[i] += x * a[i];
    }
    /// Replaces each row b by b (D A^T)^-1, from the last column to the first.
    void solve(index_t count) noexcept {
        for (index_t c = k_ - 1; c >= 0; --c)
            for (index_t r = 0; r < count; ++r) t(r)[c] -= dot(m_.row(c), t(r), c + 1, k_);
        for (index_t r = 0; r < count; ++r)
            for (index_t c = 0; c < k_; ++c) t(r)[c] /= m_.diagonal(c);
    }
    /// The dot product over first .. last, in eight sums: a register's worth.
    static double dot(const double* a, const double* b, index_t first, index_t last) noexcept {
        double sums[8] = {};
        index_t i = first;
        for (; i + 8 <= last; i += 8)
            for (index_t j = 0; j < 8; ++j) sums[j] += a[i + j] * b[i + j];
        for (; i < last; ++i) sums[0] += a[i] * b[i];
        return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    }

    const factored_moments& m_;
    index_t k_;
    int scales_;
    std::vector<double> t_, errors_;
};

} // namespace detail

/// Rounds w [n, k] to q [n, k], which w4 holds exactly: packing finds these integers and scales again. m must be
/// usable; its inputs are called X.
///   pull    R^T X [n, k], if the outputs are to be those of w plus R [rows, n]: what earlier rounding has taken from
///           them; empty: no R
///   scales  how many scales are tried for each group of inputs, see round_group; 0: only the packer's own, which gives
///           what packing would store if the moments are a multiple of the identity
inline void round_to_nibbles(const factored_moments& m, std::span<const float> w, std::span<const float> pull,
                             int scales, std::span<float> q, range_runner run = run_serially) {
    const index_t k = m.inputs(), n = std::ssize(w) / k;
    constexpr index_t step = detail::row_rounding::rows;
    run(ceil_div(n, step), [&](index_t first, index_t last) {
        detail::row_rounding rounding(m, scales);
        for (index_t r = first * step; r < (std::min)(n, last * step); r += step)
            rounding(w.data() + r * k, pull.empty() ? nullptr : pull.data() + r * k, q.data() + r * k,
                     (std::min)(step, n - r));
    });
}

} // namespace apriori
APRIORI_END_EXACT_MATH
