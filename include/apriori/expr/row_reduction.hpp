// SPDX-License-Identifier: Apache-2.0
// Reductions inside element-wise programs: x / sum(x) reads a row twice while it is in the cache, in one launch, on
// devices that declare `fuses_rows`.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/normalize.hpp"
#include "apriori/expr/plain_row.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace el {

/// A reduction of each row of a program, of `cols` columns, by a policy of expr/norms.hpp: one number for the whole
/// row. A device may compute it in its own way.
template <class Policy, class P>
struct reduced {
    using number = norms::computed_in<Policy, value_of<P>>; ///< the type that the policy computes in
    using value = norms::result_t<Policy, value_of<P>>;
    static constexpr bool wide = is_wide<P> || sizeof(number) == 8 || sizeof(value) == 8;

    Policy policy;
    P program;
    index_t cols;

    APRIORI_HD constexpr scalar_of<value> row(index_t r) const noexcept {
        const auto cursor = program.row(r);
        return of(plain_row<decltype(program.row(r)), number>(cursor, cols));
    }
    /// The reduction of a row that a device provides.
    APRIORI_HD constexpr scalar_of<value> of(const auto& elements) const noexcept {
        return {element_cast<value>(number_in(policy.reduce(elements, cols)))};
    }

    static constexpr void names(name_list& l) {
        add_names<P>(l);
        l.add(Policy::name);
    }
    constexpr std::int64_t bytes(index_t rows, index_t) const { return bytes_of(program, rows, cols); }
    constexpr std::int64_t row_flops(index_t rows) const {
        return rows * cols * (Policy::flops + flops_of<P>)+row_flops_of(program, rows);
    }
};

/// Whether a program reduces rows.
template <class P>
inline constexpr bool reduces_rows = false;
template <class Policy, class P>
inline constexpr bool reduces_rows<reduced<Policy, P>> = true;
template <class F, class... P>
inline constexpr bool reduces_rows<apply<F, P...>> = (reduces_rows<P> || ...);

} // namespace el

namespace detail {

/// True if X contains a gather of rows. Decided by types, which costs less to compile than a walk that finds none.
template <class X>
inline constexpr bool gathers = [] {
    if constexpr (leaf<X>)
        return requires(const X& x) { x.table, x.rows; };
    else if constexpr (requires(const X& x) { x.args; })
        return gathers<decltype(X::args)>;
    else if constexpr (requires(const X& x) { x.operands; })
        return gathers<decltype(X::operands)>;
    else if constexpr (requires(const X& x) { x.a, x.b; })
        return gathers<decltype(X::a)> || gathers<decltype(X::b)>;
    else if constexpr (requires(const X& x) { x.own; })
        return gathers<decltype(X::own)>;
    else if constexpr (requires(const X& x) { x.x; })
        return gathers<decltype(X::x)>;
    else
        return false;
}();
template <std::size_t... Is, class... X>
inline constexpr bool gathers<el::indexed_pack<std::index_sequence<Is...>, X...>> = (gathers<X> || ...);

/// True for a reduction of the last axis: its kernel asks for each row once, also of what is around the reduction.
template <class X>
inline constexpr bool reduces_last_axis = false;
template <class Policy, class X>
inline constexpr bool reduces_last_axis<reduce_node<Policy, X>> = true;

/// True for a reduction that gives one number for each row of a result of shape R. A run-time extent of 1 may be
/// broadcast, but not the rows of a gather.
template <class X, class R>
inline constexpr bool is_row_reduction = [] {
    bool same = false;
    if constexpr (reduces_last_axis<X>) {
        using E = extents_of<X>;
        same = E::rank == R::rank;
        for (int i = 0; same && i < E::rank - 1; ++i)
            same = E::fixed(i) == R::fixed(i) && (E::fixed(i) != dyn || !gathers<X>);
    }
    return same;
}();

/// The shape in which x is read to be reduced for a result of shape R: its rows, to which x may broadcast, with the
/// columns of x.
template <class X, class R>
constexpr auto reduced_extents(const X& x, const R& result) {
    using type = typename with_extent<R, R::rank - 1, extents_of<X>::fixed(R::rank - 1)>::type;
    auto sizes = result.sizes;
    at(sizes, R::rank - 1) = x.ext().cols();
    return extents_of_sizes<type>(sizes);
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
