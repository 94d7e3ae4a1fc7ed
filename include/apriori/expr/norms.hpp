// SPDX-License-Identifier: Apache-2.0
// Norms and reductions of rows, as policies: `reduce` finds what a row is normalised by, or its one number, and a norm's
// `apply` is given that with each element. They are written against `Row`, which each device implements:
//     row.sum(f)   the sum over the row's elements x of f(x), as float
//     row.max(f)   the largest f(x), as float; where one is NaN, any of them
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::fn {

// clang-format off
struct identity        { APRIORI_HD auto operator()(auto x) const noexcept { return x; } };
struct squared         { APRIORI_HD auto operator()(auto x) const noexcept { return x * x; } };
/// (x - shift)^2.
struct squared_from    { float shift = 0; APRIORI_HD auto operator()(auto x) const noexcept { const auto d = x - set(x, shift); return d * d; } };
/// exp(x - shift).
struct exp_from        { float shift = 0; APRIORI_HD auto operator()(auto x) const noexcept { return exp(x - set(x, shift)); } };
/// -x: the smallest element is the negated largest of these.
struct negated         { APRIORI_HD auto operator()(auto x) const noexcept { return -x; } };
/// x kept in 0 .. 1: the sum of them over a row is NaN where an element is, and finite where none is.
struct between_0_and_1 { APRIORI_HD auto operator()(auto x) const noexcept { return fmin(set(x, 1.0f), fmax(set(x, 0.0f), x)); } };
// clang-format on

} // namespace apriori::fn

namespace apriori::norms {

/// (x - mean) / sqrt(variance + eps) over a row (Ba et al. 2016); variance without Bessel's correction, in two passes.
struct layer_norm {
    static constexpr const char* name = "layer_norm";
    static constexpr int flops = 7; ///< per element, both reductions included
    float eps = 1e-5f;

    struct stats {
        float mean, rstd;
    };
    APRIORI_HD stats reduce(const auto& row, index_t n) const noexcept {
        const float mean = row.sum(fn::identity{}) / float(n);
        const float variance = row.sum(fn::squared_from{mean}) / float(n);
        return {mean, 1.0f / std::sqrt(variance + eps)};
    }
    APRIORI_HD static auto apply(stats s, auto x) noexcept { return (x - fn::set(x, s.mean)) * fn::set(x, s.rstd); }
};

/// x / sqrt(mean(x^2) + eps) over a row (Zhang and Sennrich 2019).
struct rms_norm {
    static constexpr const char* name = "rms_norm";
    static constexpr int flops = 3; ///< per element, the reduction included
    float eps = 1e-5f;

    APRIORI_HD float reduce(const auto& row, index_t n) const noexcept {
        return 1.0f / std::sqrt(row.sum(fn::squared{}) / float(n) + eps);
    }
    APRIORI_HD static auto apply(float rstd, auto x) noexcept { return x * fn::set(x, rstd); }
};

/// exp(x - max) / sum exp(x - max) over a row.
struct softmax {
    static constexpr const char* name = "softmax";
    static constexpr int flops = 6; ///< per element, both reductions included

    struct stats {
        float max, inverse_sum;
    };
    APRIORI_HD stats reduce(const auto& row, index_t) const noexcept {
        const float max = (row.max)(fn::identity{});
        return {max, 1.0f / row.sum(fn::exp_from{max})};
    }
    APRIORI_HD static auto apply(stats s, auto x) noexcept { return fn::exp_from{s.max}(x)*fn::set(x, s.inverse_sum); }
};

struct sum {
    static constexpr const char* name = "sum";
    static constexpr int flops = 1;
    APRIORI_HD float reduce(const auto& row, index_t) const noexcept { return row.sum(fn::identity{}); }
};

struct mean {
    static constexpr const char* name = "mean";
    static constexpr int flops = 1;
    APRIORI_HD float reduce(const auto& row, index_t n) const noexcept { return row.sum(fn::identity{}) / float(n); }
};

/// The mean of (x - mean)^2, in two passes, with n - correction in place of n.
struct variance {
    static constexpr const char* name = "var";
    static constexpr int flops = 4;
    int correction = 0;
    APRIORI_HD float reduce(const auto& row, index_t n) const noexcept {
        const float mean = row.sum(fn::identity{}) / float(n);
        return row.sum(fn::squared_from{mean}) / float(n - correction);
    }
};

/// 0, and NaN where an element of the row is. Largest and smallest are sought by comparisons, which pass over a NaN.
APRIORI_HD float nan_of(const auto& row) noexcept {
    const float s = row.sum(fn::between_0_and_1{});
    return s - s;
}

/// The largest element; NaN where one is.
struct max {
    static constexpr const char* name = "max";
    static constexpr int flops = 4;
    APRIORI_HD float reduce(const auto& row, index_t) const noexcept { return (row.max)(fn::identity{}) + nan_of(row); }
};

/// The smallest element; NaN where one is.
struct min {
    static constexpr const char* name = "min";
    static constexpr int flops = 4;
    APRIORI_HD float reduce(const auto& row, index_t) const noexcept { return nan_of(row) - (row.max)(fn::negated{}); }
};

} // namespace apriori::norms
APRIORI_END_EXACT_MATH
