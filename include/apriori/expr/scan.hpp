// SPDX-License-Identifier: Apache-2.0
// Running totals along an axis, and the primitive that computes them: cumsum, cumprod.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/normalize.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace scans {

struct sum {
    static constexpr const char* name = "cumsum";
    static constexpr int start = 0;
    using join = fn::add;
};
struct product {
    static constexpr const char* name = "cumprod";
    static constexpr int start = 1;
    using join = fn::multiply;
};

/// The type to compute in for elements of T: int64 for integers and masks.
template <class T>
using total_t = norms::computed_in<norms::sum, T>;

} // namespace scans

namespace ops {

/// out[r, c] = inner[r, 0] .. inner[r, c] combined, from left to right.
template <class Policy, class Inner, class Out = output>
struct scan {
    using number = scans::total_t<el::value_of<Inner>>;
    Inner inner;
    Out out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = Policy::name, .rows = rows, .cols = cols};
        l.add(inner, l.prologue, rows, cols);
        l.flops += rows * cols;
        l.template add_epilogue<typename Out::element>(el::acc_of<number>{}, rows, cols);
        return l;
    }
};

/// Computes row r, in order; each device calls it from its own loop over rows.
template <class Policy, class Inner, class Out>
APRIORI_HD constexpr void scan_row(const scan<Policy, Inner, Out>& op, index_t r) noexcept {
    using number = typename scan<Policy, Inner, Out>::number;
    const auto row = op.inner.row(r);
    auto* const to = op.out.row(r);
    auto total = one_lane(number(Policy::start));
    using V = decltype(total);
    for (index_t c = 0; c < op.cols; ++c) {
        total = typename Policy::join{}(total, lanes_cast<V>(row.at(c, 0.0f)));
        lanes<V>::store(to + c, total);
    }
}

} // namespace ops

/// Running totals of the last axis of x.
template <class Policy, class X>
struct scan_node {
    using apriori_expression = void;
    using extents_type = extents_of<X>;
    using value_type = scans::total_t<computed_t<element_of<X>>>;
    static_assert(extents_type::rank > 0, "apriori: cumsum, cumprod: their operand has no axis");
    template <class>
    static constexpr bool writes = true;
    static constexpr bool reads_in_order = true;

    Policy policy;
    X x;

    constexpr extents_type ext() const { return x.ext(); }
    constexpr status check() const { return check_extents(x); }

    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        const auto inner = to.program(x, x.ext());
        to.run(ops::scan<Policy, std::remove_const_t<decltype(inner)>, detail::output_of_t<Out>>{
            inner, detail::output_of(out), out.ext().rows(), x.ext().cols()});
    }
};

namespace detail {

template <int Axis, class Policy, class X>
constexpr auto scan(Policy policy, X&& x) {
    constexpr int last = extents_of<X>::rank - 1, axis = axis_of(Axis, last + 1);
    static_assert((Axis == -1 || axis >= 0) && axis <= last, "apriori: cumsum, cumprod: no such axis");
    if constexpr (axis < 0 || axis >= last)
        return scan_node<Policy, node_t<X>>{policy, as_node(std::forward<X>(x))};
    else
        return transpose<axis, last>(scan<-1>(policy, transpose<axis, last>(as_node(std::forward<X>(x)))));
}

} // namespace detail

/// The sum of the elements of an axis up to each one, inclusive; by default of the last axis. int64 for integers and
/// masks.
template <int Axis = -1>
constexpr auto cumsum(expression auto&& x) {
    return detail::scan<Axis>(scans::sum{}, std::forward<decltype(x)>(x));
}
/// The product of the elements of an axis up to each one, inclusive; by default of the last axis.
template <int Axis = -1>
constexpr auto cumprod(expression auto&& x) {
    return detail::scan<Axis>(scans::product{}, std::forward<decltype(x)>(x));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
