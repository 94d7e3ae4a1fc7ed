// SPDX-License-Identifier: Apache-2.0
// What an expression is, and how the shapes of operands combine.
//
// A node is a struct with
//     apriori_expression           a type that marks it as one
//     extents_type, ext()          its shape, and the shape with run-time extents
//     value_type                   the type of its elements (core/element.hpp); float if absent
//     check()                      the error in run-time extents in it and below; absent if there can be none
// and is one of
//     a leaf: is_leaf = true, program(result), how kernels read it in a result of that shape; see expr/leaves.hpp
//     a function of elements: elementwise_node
//     otherwise a kernel: lower(to, out) launches it (expr/lower.hpp). With an `epilogue_worth` above 0 it is
//     lower(to, out, epilogue), and the element-wise nodes around it are that epilogue.
// check_in(result) replaces check() in a result of another shape. in_memory(to) gives a view for nodes that need no
// kernel. A node without an epilogue may say that its lower only makes assignments (`assigns`), that its kernel reads
// each element before it writes it (`reads_in_order`), or which destinations spoil its inputs (spoiled_by(bytes)).
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/expr/program.hpp"
#include "apriori/tensor/tensor.hpp"

#include <array>
#include <concepts>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A view, a tensor, or a lazy node over them.
template <class T>
concept expression = requires { typename std::remove_cvref_t<T>::apriori_expression; };

/// A node that kernels read directly: a view, a number, gathered rows, indices.
template <class X>
concept leaf = is_view<X> || requires { requires X::is_leaf; };

template <class T>
concept operand = expression<T> || std::convertible_to<T, float>;

template <class E>
using extents_of = typename std::remove_cvref_t<E>::extents_type;

namespace detail {

template <class X>
struct element_type {
    using type = float;
};
template <class X>
requires requires { typename X::value_type; }
struct element_type<X> {
    using type = std::remove_const_t<typename X::value_type>;
};

} // namespace detail
/// The type of an expression's elements.
template <class X>
using element_of = typename detail::element_type<std::remove_cvref_t<X>>::type;
/// The element type of several expressions side by side: their own if they agree, otherwise what they are promoted to.
template <class X, class... Rest>
using joint_element_t = std::conditional_t<(std::is_same_v<element_of<X>, element_of<Rest>> && ...), element_of<X>,
                                           promoted_t<element_of<X>, element_of<Rest>...>>;

/// Compile error for operands whose shapes do not fit: the template arguments show the operation and both shapes.
template <fixed_string Operation, class Left, class Right>
struct shapes_do_not_fit {
    static constexpr bool value = false;
};

template <fixed_string Operation, class Left, class Right, bool Fit>
struct require_shapes {
    static_assert(
        Fit || shapes_do_not_fit<Operation, Left, Right>::value,
        "apriori: shapes do not fit; the template arguments of require_shapes name the operation and both shapes");
    static constexpr bool value = Fit;
};

namespace detail {

/// The extent of E on an axis of a result of that rank; 1 if E has no such axis.
template <class E>
constexpr index_t aligned_extent(int axis, int rank) {
    const int own = axis - (rank - E::rank);
    return own < 0 ? 1 : E::fixed(own);
}

constexpr bool extents_fit(index_t a, index_t b) { return a == b || a == 1 || b == 1 || a == dyn || b == dyn; }
constexpr index_t joint_extent(index_t a, index_t b) { return a == 1 ? b : b == 1 ? a : a == dyn ? b : a; }

template <fixed_string Operation, class A, class B>
struct broadcast_two {
    static constexpr int rank = A::rank > B::rank ? A::rank : B::rank;
    static constexpr bool fit = [] {
        for (int i = 0; i < rank; ++i)
            if (!extents_fit(aligned_extent<A>(i, rank), aligned_extent<B>(i, rank))) return false;
        return true;
    }();
    static_assert(require_shapes<Operation, A, B, fit>::value);
    template <std::size_t... Is>
    static auto make(std::index_sequence<Is...>)
        -> extents<joint_extent(aligned_extent<A>(int{Is}, rank), aligned_extent<B>(int{Is}, rank))...>;
    using type = decltype(make(std::make_index_sequence<std::size_t{rank}>{}));
};

/// For one or more operands. A member template, because nvcc matches no partial specialisation on a fixed_string.
template <fixed_string Operation>
struct broadcast {
    template <class A, class... Rest>
    struct all {
        using type = A;
    };
    template <class A, class B, class... Rest>
    struct all<A, B, Rest...> {
        using type = typename all<typename broadcast_two<Operation, A, B>::type, Rest...>::type;
    };
};

} // namespace detail

/// The common shape of operands by NumPy's rules: aligned at the last axis, extents equal or 1.
template <fixed_string Operation, class... E>
using broadcast_t = typename detail::broadcast<Operation>::template all<E...>::type;

/// The run-time sizes of a broadcast; extents that do not fit are found later, by `check`.
template <class R, class... E>
constexpr R broadcast_sizes(const E&... e) {
    R r;
    const auto join = [&r](const auto& one) {
        using One = std::remove_cvref_t<decltype(one)>;
        for (int i = 0; i < One::rank; ++i) {
            const index_t size = one[i];
            index_t& joint = at(r.sizes, i + R::rank - One::rank);
            if (size != 1) joint = size;
        }
    };
    (join(e), ...);
    return r;
}

namespace detail {

inline constexpr const char* negative_extent = "expression: a view has a negative extent: a slice reached past the "
                                               "end of its axis, or a shape was made with one";

/// The first axis of a result of shape R on which an operand of shape E cannot be read; -1 if there is none. Each
/// extent must be 1 or the result's. A run-time extent of 1 broadcasts on every axis but the last: it is compiled in
/// whether kernels read columns side by side or one number for the row.
template <class E, class R>
constexpr int misfit_axis(const E& e, const R& r) {
    if constexpr (E::rank > R::rank)
        return 0;
    else {
        constexpr int shift = R::rank - E::rank;
        for (int i = 0; i < E::rank; ++i)
            if (e[i] < 0 || (e[i] != r[i + shift] && (e[i] != 1 || (i + 1 == E::rank && E::fixed(i) != 1))))
                return i + shift;
        return -1;
    }
}

/// True if a shape X broadcasts into a destination E, as far as is known at compile time.
template <class E, class X>
inline constexpr bool assignable = [] {
    if (X::rank > E::rank) return false;
    for (int i = 0; i < X::rank && i < E::rank; ++i) {
        const index_t own = X::fixed(i), whole = E::fixed(i + E::rank - X::rank);
        if (own != 1 && own != dyn && whole != dyn && own != whole) return false;
    }
    return true;
}();

/// True if two shapes are equal in rank and in every extent.
template <class A, class B>
constexpr bool equal_extents(const A& a, const B& b) {
    if constexpr (A::rank != B::rank)
        return false;
    else
        return same_sizes(a, b);
}

template <class... S>
constexpr status first_error(const S&... all) {
    if ((all.ok() && ...)) return {}; // stays in registers: copies of all of them would wait for earlier stores
    status s;
    ((s = s ? all : s), ...);
    return s;
}

constexpr status fitting(bool fit, const char* what, index_t got, index_t limit) {
    return fit ? status{} : status::shape(what, got, limit);
}

/// An error unless a span has memory for all elements of a shape.
constexpr status room(const auto& span, const auto& shape, const char* what) {
    const std::size_t needed = shape.bytes(1);
    return fitting(span.data() != nullptr && span.size() >= needed, what, index_t(span.size()), index_t(needed));
}

/// An error if an extent is negative.
template <class E>
constexpr status check_shape(const E& e) {
    for (int i = 0; i < E::rank; ++i)
        if (e[i] < 0) return status::shape(negative_extent, e[i], i);
    return {};
}

} // namespace detail

/// The error in the run-time extents of x and of everything below it.
template <class X>
constexpr status check_extents(const X& x) {
    if constexpr (requires { x.check(); })
        return x.check();
    else if constexpr (is_view<X>)
        return detail::check_shape(x.ext());
    else
        return {};
}

namespace detail {

/// Text followed by the number of an axis, for each of eight axes.
template <fixed_string Text>
inline constexpr auto on_axis = [] {
    std::array<short_text<sizeof(Text.text) + 8>, 8> on;
    for (std::size_t axis = 0; axis < on.size(); ++axis) on[axis].add(Text.view(), axis);
    return on;
}();
/// "<operation>: run-time extents do not fit together on axis <axis>", for the axes of the result.
template <fixed_string Operation>
inline constexpr const auto& misfits = on_axis<Operation + ": run-time extents do not fit together on axis ">;

/// The error for an extent that does not fit that of the result. A separate function, to keep it out of every check.
APRIORI_NOINLINE constexpr status misfit(const char* text, index_t own, index_t result, int axis) {
    return own < 0 ? status::shape(negative_extent, own, axis) : status::shape(text, own, result);
}
/// The error in x as an operand of an operation in a result of that shape. Its numbers are the extent and the result's.
template <fixed_string Operation, class X, class R>
constexpr status check_operand(const X& x, const R& result) {
    using E = extents_of<X>;
    if constexpr (requires { x.check_in(result); })
        return x.check_in(result);
    else {
        if constexpr (requires { x.check(); })
            if (const status below = x.check(); !below) return below;
        if constexpr (E::rank > 0) {
            const auto e = x.ext();
            if (const int axis = misfit_axis(e, result), shift = R::rank - E::rank; axis >= 0)
                return misfit(at(misfits<Operation>, axis).text, axis < shift ? 1 : e[axis - shift], result[axis],
                              axis - shift);
        }
        return {};
    }
}

} // namespace detail

/// A number as an operand; T follows from the type of the tensors beside it.
template <class T>
struct scalar_node {
    using apriori_expression = void;
    using extents_type = extents<>;
    using value_type = T;
    static constexpr bool is_leaf = true;
    T number{};
    constexpr extents<> ext() const noexcept { return {}; }
    constexpr el::scalar_of<T> program(const auto&) const { return {number}; }
};

/// An operand as it is stored in a node: a tensor as its view, a number as a scalar_node, anything else as it is.
template <class T, class E, layout L>
constexpr auto as_node(const view<T, E, L>& v) {
    constexpr bool known = element<std::remove_const_t<T>>;
    static_assert(
        known,
        "apriori: elements of expressions are float, double, apriori::float16 or bfloat16, std::int32_t, int64_t, "
        "uint8_t or bool: this is a view of another type (for complex numbers, take views of the real and of the "
        "imaginary parts, by strides)");
    if constexpr (known)
        return view<std::add_const_t<T>, E, L>(v);
    else
        return view<const float, E, L>();
}
template <class T, class E, class S>
constexpr auto as_node(const tensor<T, E, S>& t) {
    return t.view();
}
template <expression N>
requires(!is_view<N> && !is_tensor<N>)
constexpr const N& as_node(const N& n) {
    return n;
}
/// A number for tensors with elements of T.
template <class T = float, class S>
requires(!expression<S> && std::convertible_to<S, float>)
constexpr scalar_node<T> as_node(S s) {
    if constexpr (std::is_arithmetic_v<S>)
        return {element_cast<T>(s)};
    else
        return {element_cast<T>(float(s))};
}

namespace detail {

/// True if an operand passed as T&& outlives the full expression, as far as its type tells: a temporary tensor does
/// not.
template <class T>
inline constexpr bool lasts = std::is_reference_v<T> || !is_tensor<std::remove_cv_t<T>>;

} // namespace detail
template <class T, class E, class S>
constexpr auto as_node(tensor<T, E, S>&& t) {
    static_assert(!std::is_same_v<T, T>,
                  "apriori: an expression keeps views: an operand is a temporary tensor, which does not live "
                  "until the expression is assigned");
    return t.view();
}

template <class T>
using node_t = std::remove_cvref_t<decltype(as_node(std::declval<const T&>()))>;

} // namespace apriori
APRIORI_END_EXACT_MATH
