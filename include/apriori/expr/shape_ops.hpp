// SPDX-License-Identifier: Apache-2.0
// slice, reshape, split: free on a view; an expression is first written out by the device, and they are free after
// that. Also concat.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/expr/elementwise.hpp"
#include "apriori/expr/leaves.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A view operation whose operand is not in memory yet.
template <class Op, class X>
struct view_op_node {
    using apriori_expression = void;
    using value_type = element_of<X>;
    using operand_view = view<const value_type, extents_of<X>>;
    using result_view = decltype(std::declval<Op>()(std::declval<operand_view>()));
    using extents_type = extents_of<result_view>;
    template <class>
    static constexpr bool writes = true;
    static constexpr bool assigns = true;

    Op op;
    X x;

    constexpr extents_type ext() const { return op(operand_view(nullptr, x.ext())).ext(); }
    constexpr status check() const {
        if constexpr (requires { op.check(x.ext()); })
            return detail::first_error(op.check(x.ext()), check_extents(x));
        else
            return check_extents(x);
    }

    template <class Context>
    constexpr auto in_memory(Context& to) const {
        return op(to.in_memory(x));
    }
    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        if constexpr (!requires { op.inverse(out, x.ext()); })
            to(out) = in_memory(to);
        else if constexpr (decltype(op.inverse(out, x.ext()))::memory_layout == layout::strided)
            to(out) = in_memory(to); // reading with gaps is faster than writing with them
        else
            to(op.inverse(out, x.ext())) = x; // directly to its place
    }
};

namespace detail {

// A view operation is applied to a view immediately; if it is not possible, it leaves a negative extent, which an
// assignment rejects. Inside an expression it waits, and `check` checks it before anything runs.

/// A view of rank 0 of a view with run-time extents. It has no extent that could say that it is impossible, so it is
/// checked when it is assigned.
template <class Op, class V>
struct scalar_view_node {
    using apriori_expression = void;
    using extents_type = extents<>;
    using value_type = element_of<V>;
    static constexpr bool is_leaf = true;
    static constexpr const char* name = Op::name;

    Op op;
    V x;

    constexpr auto as_view() const { return op(x); }
    constexpr extents<> ext() const { return {}; }
    constexpr status check() const { return first_error(op.check(x.ext()), check_extents(x)); }
    constexpr auto program(const auto& result) const { return leaf_program(as_view(), result); }
    constexpr auto in_memory(auto&) const { return as_view(); }
};

/// Whether an impossible view can be recognised: at compile time, or by an extent.
template <class Op, class V>
inline constexpr bool shows_errors =
    extents_of<V>::is_static || extents_of<decltype(std::declval<Op>()(std::declval<V>()))>::rank > 0;

template <class Op, expression X>
constexpr auto view_op(Op op, X&& x) {
    static_assert(lasts<X>, "apriori: a view of a temporary tensor would outlive it: give the tensor a name");
    if constexpr (is_tensor<std::remove_cvref_t<X>>)
        return view_op(op, x.view());
    else if constexpr (!is_view<std::remove_cvref_t<X>>)
        return view_op_node<Op, node_t<X>>{op, x};
    else if constexpr (shows_errors<Op, std::remove_cvref_t<X>>)
        return op(x);
    else
        return scalar_view_node<Op, node_t<X>>{op, as_node(x)};
}

/// True for a view, or what becomes one, whose elements are not contiguous.
template <class X>
inline constexpr bool has_gaps = false;
template <class T, class E, layout L>
inline constexpr bool has_gaps<view<T, E, L>> = L != layout::dense;
template <class Op, class X>
inline constexpr bool has_gaps<view_op_node<Op, X>> = has_gaps<typename view_op_node<Op, X>::result_view>;

template <int Axis, index_t Count>
struct slice_op {
    static constexpr const char* name = "slice";
    index_t first, count;
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        return slice_view<Axis, Count>(v, first, count);
    }
    constexpr status check(const auto& e) const {
        return fitting(first >= 0 && count >= 0 && first <= e[Axis] && count <= e[Axis] - first,
                       at(on_axis<"slice: reaches past the end of axis ">, Axis).text, first, e[Axis]);
    }
};
template <class To>
struct reshape_op {
    static constexpr const char* name = "reshape";
    To to;
    template <class T, class E>
    constexpr auto operator()(const view<T, E>& v) const {
        return reshape_view(v, to);
    }
    /// The inverse: the view of shape `from` that the operator turns into v. For destinations.
    template <class T, class E, class From>
    constexpr auto inverse(const view<T, E>& v, const From& from) const {
        return reshape_view(v, from);
    }
    constexpr status check(const auto& e) const {
        return fitting(e.size() == to.size(), "reshape: another number of elements", e.size(), to.size());
    }
};
template <index_t Parts>
struct split_op {
    static constexpr const char* name = "split";
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& v) const {
        return split_last<Parts>(v);
    }
};

} // namespace detail

/// A user-defined view operation, op(view) -> view: free on an operand in memory; an expression is first written out.
/// op has a `name`, and may have check(extents) -> status for what is known only at run time.
template <class Op, expression X>
constexpr auto view_operation(Op op, X&& x) {
    return detail::view_op(op, std::forward<X>(x));
}
/// Elements first .. first + Count of an axis, with the count known at compile time. shape_mismatch past the axis's
/// end.
template <int Axis, index_t Count, expression X>
constexpr auto slice(X&& x, index_t first) {
    constexpr int axis = detail::axis_of(Axis, extents_of<X>::rank);
    return detail::view_op(detail::slice_op<axis, Count>{first, Count}, std::forward<X>(x));
}
/// Elements first .. first + count of an axis.
template <int Axis, expression X>
constexpr auto slice(X&& x, index_t first, index_t count) {
    constexpr int axis = detail::axis_of(Axis, extents_of<X>::rank);
    return detail::view_op(detail::slice_op<axis, dyn>{first, count}, std::forward<X>(x));
}
/// The same elements, row-major, in another shape; shape_mismatch if it has another number of elements. A view with
/// gaps between its elements is first written out.
template <index_t... S, expression X>
constexpr auto reshape(X&& x, extents<S...> to) {
    using plain = std::remove_cvref_t<X>;
    if constexpr (detail::has_gaps<plain>)
        return reshape(elementwise(fn::copy{}, std::forward<X>(x)), to);
    else
        return detail::view_op(detail::reshape_op<extents<S...>>{to}, std::forward<X>(x));
}
template <index_t... S, expression X>
requires(sizeof...(S) > 0 && extents<S...>::is_static)
constexpr auto reshape(X&& x) {
    return reshape(std::forward<X>(x), extents<S...>{});
}
/// The last axis as two: [.., Parts * d] becomes [.., Parts, d].
template <index_t Parts, expression X>
constexpr auto split(X&& x) {
    return detail::view_op(detail::split_op<Parts>{}, std::forward<X>(x));
}

/// Operands one after the other along an axis; their other extents are equal.
template <int Axis, class First, class... Rest>
struct concat_node {
    using apriori_expression = void;
    static constexpr const char* name = "concat";
    using first_extents = extents_of<First>;
    static constexpr int axis = Axis;
    static_assert(((extents_of<Rest>::rank == first_extents::rank) && ...),
                  "apriori: concat: operands of different rank");
    static_assert(Axis >= 0 && Axis < first_extents::rank, "apriori: concat: no such axis");

    template <class E>
    static constexpr bool fits = [] {
        for (int i = 0; i < first_extents::rank; ++i)
            if (i != Axis && E::fixed(i) != first_extents::fixed(i)) return false;
        return true;
    }();
    static_assert((require_shapes<"concat", first_extents, extents_of<Rest>, fits<extents_of<Rest>>>::value && ...));
    static constexpr bool fixed = first_extents::fixed(Axis) != dyn && ((extents_of<Rest>::fixed(Axis) != dyn) && ...);
    static constexpr index_t total = fixed ? (first_extents::fixed(Axis) + ... + extents_of<Rest>::fixed(Axis)) : dyn;
    using extents_type = typename with_extent<first_extents, Axis, total>::type;
    using value_type = joint_element_t<First, Rest...>;
    template <class>
    static constexpr bool writes = true;
    static constexpr bool assigns = true;

    el::pack<First, Rest...> operands;

    constexpr extents_type ext() const {
        auto sizes = el::get<0>(operands).ext().sizes;
        sizes[Axis] = el::unpack([](const auto&... p) { return (index_t{0} + ... + p.ext()[Axis]); }, operands);
        return extents_of_sizes<extents_type>(sizes);
    }
    constexpr status check() const {
        const auto whole = ext();
        const auto one = [&whole](const auto& part) {
            status s;
            for (int i = 0; i < extents_type::rank; ++i)
                if (i != Axis)
                    s = detail::first_error(s, detail::fitting(part.ext()[i] == whole[i],
                                                               at(detail::misfits<"concat">, i).text, part.ext()[i],
                                                               whole[i]));
            return detail::first_error(s, check_extents(part));
        };
        return el::unpack([&](const auto&... part) { return detail::first_error(one(part)...); }, operands);
    }

    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        to.check(detail::fitting(out.ext()[Axis] == ext()[Axis], "concat: the parts do not fill the destination",
                                 ext()[Axis], out.ext()[Axis]));
        if constexpr (Axis > 0 && Axis + 1 == first_extents::rank && total == index_t{1 + sizeof...(Rest)})
            if (same_sizes(ext(), out.ext()) &&
                el::unpack([&](const auto&... x) { return to.interleave(out, x...); }, operands))
                return;
        index_t first = 0;
        const auto write = [&]<class X>(const X& x) {
            const index_t count = x.ext()[Axis];
            to(slice_view<Axis, extents_of<X>::fixed(Axis)>(out, first, count)) = x;
            first += count;
        };
        el::unpack([&](const auto&... x) { (write(x), ...); }, operands);
    }
};

template <class X>
inline constexpr bool is_concat = false;
template <int Axis, class... X>
inline constexpr bool is_concat<concat_node<Axis, X...>> = true;

/// Operands one after the other along an axis: numpy.concatenate. shape_mismatch if other run-time extents differ.
template <int Axis, expression First, expression... Rest>
constexpr auto concat(First&& first, Rest&&... rest) {
    constexpr int axis = detail::axis_of(Axis, extents_of<First>::rank);
    return concat_node<axis, node_t<First>, node_t<Rest>...>{
        {{as_node(std::forward<First>(first))}, {as_node(std::forward<Rest>(rest))}...}};
}

} // namespace apriori
APRIORI_END_EXACT_MATH
