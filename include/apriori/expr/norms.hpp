// SPDX-License-Identifier: Apache-2.0
// Norms and reductions of rows, as policies. `reduce` computes what a row is normalised by, or its one number; a norm's
// `apply` takes that and each element. They are written against `Row`, which each device implements:
//     value          the value type (expr/lanes.hpp) to compute in: float, unless a policy's `typing` asks for another
//                    type with other elements; for rows side by side, one row in each lane
//     row.sum(f)     the sum of f(x) over the row's elements x, as such a value
//     row.product(f) their product
//     row.max(f)     the largest f(x); if one is NaN, any of them
//     row.first(f)   the first index at which f(x) is not 0, as an int64 value; the row's length if there is none.
//                    Not for rows side by side
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::fn {

// clang-format off
struct identity        { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x; } };
struct squared         { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return x * x; } };
/// (x - shift)^2.
template <class T>
struct squared_from    { T shift{}; APRIORI_HD constexpr auto operator()(auto x) const noexcept { const auto d = x - set(x, shift); return d * d; } };
/// exp(x - shift).
template <class T>
struct exp_from        { T shift{}; APRIORI_HD constexpr auto operator()(auto x) const noexcept { return exp(x - set(x, shift)); } };
/// Reverses the order: -x of real numbers, -1 - x of integers, which cannot overflow. Twice it gives x.
struct reversed        { APRIORI_HD constexpr auto operator()(auto x) const noexcept { if constexpr (std::is_integral_v<typename lanes<decltype(x)>::number>) return set(x, -1) - x; else return -x; } };
/// x clamped to 0 .. 1: the sum over a row is NaN if an element is, and finite otherwise.
struct between_0_and_1 { APRIORI_HD constexpr auto operator()(auto x) const noexcept { return fmin(set(x, 1.0f), fmax(set(x, 0.0f), x)); } };
/// 1 if x equals a number, or both are NaN; otherwise 0.
template <class T>
struct same_as         { T number{}; APRIORI_HD constexpr auto operator()(auto x) const noexcept { const auto one = set(x, 1), n = set(x, number); return where_equal(x, n, one, where_equal(x, x, set(x, 0), where_equal(n, n, set(x, 0), one))); } };
// clang-format on

} // namespace apriori::fn

namespace apriori::norms {

/// A policy says by `static constexpr bool columns = true` that it takes rows side by side: its `reduce` then gets the
/// type to compute in from the row and names no float. Over an axis other than the last, other policies read their
/// operand with a stride.
template <class Policy>
inline constexpr bool takes_columns = requires { requires Policy::columns; };

/// Which types a policy computes in and returns.
enum class typed {
    reals,  ///< real numbers; integers and masks are converted to them
    totals, ///< the element's own; int64 for integers and masks
    order,  ///< the element's own
    place,  ///< the element's own; the result is an index, int64
};
template <class Policy>
inline constexpr typed typing_of = [] {
    if constexpr (requires { Policy::typing; })
        return Policy::typing;
    else
        return typed::reals;
}();
/// What a policy computes in over elements of T (computed_t), and the type of its result.
template <class Policy, class T>
using computed_in =
    std::conditional_t<typing_of<Policy> == typed::reals, real_t<T>,
                       std::conditional_t<typing_of<Policy> == typed::totals && kind_of<T> != element_kind::real,
                                          std::int64_t, std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>>>;
template <class Policy, class T>
using result_t = std::conditional_t<
    typing_of<Policy> == typed::place, std::int64_t,
    std::conditional_t<typing_of<Policy> == typed::order && std::is_same_v<T, bool>, bool, computed_in<Policy, T>>>;

/// A number as a value that a row computes in, el::value_of<Row>.
template <class T>
APRIORI_HD constexpr T number(auto n) noexcept {
    return lanes<T>::set(n);
}
using std::sqrt; // for one number; registers have their own

/// (x - mean) / sqrt(variance + eps) over a row (Ba et al. 2016); variance without Bessel's correction, in two passes.
struct layer_norm {
    static constexpr const char* name = "layer_norm";
    static constexpr bool columns = true;
    static constexpr int flops = 7; ///< per element, both reductions included
    float eps = 1e-5f;

    template <class T>
    struct stats {
        T mean, rstd;
    };
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr stats<T> reduce(const Row& row, index_t n) const noexcept {
        const T mean = row.sum(fn::identity{}) / number<T>(n);
        const T variance = row.sum(fn::squared_from<T>{mean}) / number<T>(n);
        return {mean, number<T>(1) / sqrt(variance + number<T>(eps))};
    }
    APRIORI_HD static constexpr auto apply(auto s, auto x) noexcept {
        return (x - fn::set(x, s.mean)) * fn::set(x, s.rstd);
    }
};

/// x / sqrt(mean(x^2) + eps) over a row (Zhang and Sennrich 2019).
struct rms_norm {
    static constexpr const char* name = "rms_norm";
    static constexpr bool columns = true;
    static constexpr int flops = 3; ///< per element, the reduction included
    float eps = 1e-5f;

    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr T reduce(const Row& row, index_t n) const noexcept {
        return number<T>(1) / sqrt(row.sum(fn::squared{}) / number<T>(n) + number<T>(eps));
    }
    APRIORI_HD static constexpr auto apply(auto rstd, auto x) noexcept { return x * fn::set(x, rstd); }
};

/// exp(x - max) / sum exp(x - max) over a row.
struct softmax {
    static constexpr const char* name = "softmax";
    static constexpr bool columns = true;
    static constexpr int flops = 6; ///< per element, both reductions included

    template <class T>
    struct stats {
        T max, inverse_sum;
    };
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr stats<T> reduce(const Row& row, index_t) const noexcept {
        const T max = (row.max)(fn::identity{});
        return {max, number<T>(1) / row.sum(fn::exp_from<T>{max})};
    }
    template <class T>
    APRIORI_HD static constexpr auto apply(stats<T> s, auto x) noexcept {
        return fn::exp_from<T>{s.max}(x)*fn::set(x, s.inverse_sum);
    }
};

/// The sum of a row.
struct sum {
    static constexpr const char* name = "sum";
    static constexpr bool columns = true;
    static constexpr int flops = 1;
    static constexpr typed typing = typed::totals;
    APRIORI_HD constexpr auto reduce(const auto& row, index_t) const noexcept { return row.sum(fn::identity{}); }
};

/// The product of a row.
struct prod {
    static constexpr const char* name = "prod";
    static constexpr bool columns = true;
    static constexpr int flops = 1;
    static constexpr typed typing = typed::totals;
    APRIORI_HD constexpr auto reduce(const auto& row, index_t) const noexcept { return row.product(fn::identity{}); }
};

/// The mean of a row.
struct mean {
    static constexpr const char* name = "mean";
    static constexpr bool columns = true;
    static constexpr int flops = 1;
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr T reduce(const Row& row, index_t n) const noexcept {
        return row.sum(fn::identity{}) / number<T>(n);
    }
};

/// The sum of (x - mean)^2, divided by n - correction; in two passes.
struct variance {
    static constexpr const char* name = "var";
    static constexpr bool columns = true;
    static constexpr int flops = 4;
    int correction = 0;
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr T reduce(const Row& row, index_t n) const noexcept {
        const T mean = row.sum(fn::identity{}) / number<T>(n);
        return row.sum(fn::squared_from<T>{mean}) / number<T>(n - correction);
    }
};

/// 0, or NaN if an element of the row is NaN. max and min need it: they compare, and comparisons skip NaN.
template <class Row, class T = el::value_of<Row>>
APRIORI_HD constexpr T nan_of(const Row& row) noexcept {
    if constexpr (std::is_integral_v<typename lanes<T>::number>)
        return number<T>(0);
    else {
        const T s = row.sum(fn::between_0_and_1{});
        return s - s;
    }
}

/// The largest element; NaN if one is NaN.
struct max {
    static constexpr const char* name = "max";
    static constexpr bool columns = true;
    static constexpr int flops = 4;
    static constexpr typed typing = typed::order;
    APRIORI_HD constexpr auto reduce(const auto& row, index_t) const noexcept {
        return (row.max)(fn::identity{}) + nan_of(row);
    }
};

/// The smallest element; NaN if one is NaN.
struct min {
    static constexpr const char* name = "min";
    static constexpr bool columns = true;
    static constexpr int flops = 4;
    static constexpr typed typing = typed::order;
    APRIORI_HD constexpr auto reduce(const auto& row, index_t) const noexcept {
        return fn::reversed{}((row.max)(fn::reversed{})) + nan_of(row);
    }
};

/// The index of the first largest element; of the first NaN if there is one.
struct argmax {
    static constexpr const char* name = "argmax";
    static constexpr int flops = 4;
    static constexpr typed typing = typed::place;
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr auto reduce(const Row& row, index_t) const noexcept {
        return row.first(fn::same_as<T>{max{}.reduce(row, 0)});
    }
};
/// The index of the first smallest element; of the first NaN if there is one.
struct argmin {
    static constexpr const char* name = "argmin";
    static constexpr int flops = 4;
    static constexpr typed typing = typed::place;
    template <class Row, class T = el::value_of<Row>>
    APRIORI_HD constexpr auto reduce(const Row& row, index_t) const noexcept {
        return row.first(fn::same_as<T>{min{}.reduce(row, 0)});
    }
};

} // namespace apriori::norms
APRIORI_END_EXACT_MATH
