// SPDX-License-Identifier: Apache-2.0
// Rows of programs in plain loops, one number at a time: for reference devices and for constant expressions.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/ops.hpp"

#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// The lowest T, -infinity if there is one.
template <class T>
inline constexpr T lowest_or_infinity =
    std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();

} // namespace detail

/// A row of a program in the form that policies use (expr/norms.hpp), with numbers of T.
template <class Cursor, class T>
class plain_row {
public:
    using value = lane_value_t<T, 1, void>;
    APRIORI_HD constexpr plain_row(const Cursor& x, index_t n) : x_(x), n_(n) {}

    APRIORI_HD constexpr value sum(auto f) const { return joined(T{0}, f, fn::add{}); }
    APRIORI_HD constexpr value product(auto f) const { return joined(T{1}, f, fn::multiply{}); }
    APRIORI_HD constexpr value(max)(auto f) const { return joined(detail::lowest_or_infinity<T>, f, fn::maximum{}); }
    APRIORI_HD constexpr auto first(auto f) const {
        index_t c = 0;
        while (c < n_ && number_in(f(element(c))) == T{0}) ++c;
        return one_lane(std::int64_t{c});
    }
    APRIORI_HD constexpr value element(index_t c) const { return lanes_cast<value>(x_.at(c, 0.0f)); }

private:
    APRIORI_HD constexpr value joined(T start, auto f, auto join) const {
        value all = one_lane(start);
        for (index_t c = 0; c < n_; ++c) all = join(all, f(element(c)));
        return all;
    }

    Cursor x_;
    index_t n_;
};

/// Stores a value of one lane as an element.
APRIORI_HD constexpr void put(auto* to, auto x) { lanes<decltype(x)>::store(to, x); }

} // namespace apriori
APRIORI_END_EXACT_MATH
