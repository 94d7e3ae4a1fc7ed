// SPDX-License-Identifier: Apache-2.0
// Row-wise nodes: norms and softmax, which keep the shape, and reductions of an axis to one number.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/columns.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/norms.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// x normalised by a policy of expr/norms.hpp: its rows, along the last axis, or, with Columns, its columns, along the
/// axis before that.
template <class Policy, class X, bool Columns = false>
struct normalize_node {
    using apriori_expression = void;
    using extents_type = extents_of<X>;
    using value_type = norms::result_t<Policy, computed_t<element_of<X>>>;
    template <class>
    static constexpr bool writes = true;
    static_assert(extents_type::rank > 0, "apriori: a norm works on an axis: its operand has none");
    static constexpr int epilogue_worth = 1;
    static constexpr bool is_prologue = !Columns && detail::anchor_count<X> == 0;

    Policy policy;
    X x;

    constexpr extents_type ext() const { return x.ext(); }
    constexpr status check() const { return check_extents(x); }

    template <class Context, class Out, class E>
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        const auto inner = to.program(x, x.ext());
        using Inner = std::remove_const_t<decltype(inner)>;
        using To = detail::output_of_t<Out>;
        if constexpr (Columns)
            to.run(ops::normalize_columns<Policy, Inner, E, To>{
                {policy, inner, epilogue}, detail::output_of(out), detail::column_groups_of(x.ext())});
        else
            to.run(ops::normalize<Policy, Inner, E, To>{
                {policy, inner, epilogue}, detail::output_of(out), out.ext().rows(), x.ext().cols()});
    }
};

/// x with that axis reduced to extent 1 by a policy.
template <class Policy, class X, bool Columns = false>
struct reduce_node {
    using apriori_expression = void;
    static constexpr int axis = extents_of<X>::rank - (Columns ? 2 : 1);
    static_assert(axis >= 0, "apriori: a reduction works on an axis: its operand has none");
    using extents_type = typename with_extent<extents_of<X>, axis, 1>::type;
    using value_type = norms::result_t<Policy, computed_t<element_of<X>>>;
    template <class>
    static constexpr bool writes = true;
    static constexpr int epilogue_worth = 1;

    Policy policy;
    X x;

    constexpr extents_type ext() const {
        auto sizes = x.ext().sizes;
        at(sizes, axis) = 1;
        return extents_of_sizes<extents_type>(sizes);
    }
    constexpr status check() const { return check_extents(x); }

    template <class Context, class Out, class E>
    constexpr void lower(Context& to, const Out& out, const E& epilogue) const {
        using To = detail::output_of_t<Out>;
        if constexpr (Columns) {
            const auto inner = to.program(x, x.ext());
            using Inner = std::remove_const_t<decltype(inner)>;
            to.run(ops::reduce_columns<Policy, Inner, E, To>{
                {policy, inner, epilogue}, detail::output_of(out), detail::column_groups_of(x.ext())});
        } else {
            const auto inner = to.program_of_rows(x, x.ext());
            using Inner = std::remove_const_t<decltype(inner)>;
            to.run(ops::reduce<Policy, Inner, E, To>{
                {policy, inner, epilogue}, detail::output_of(out), out.ext().rows(), x.ext().cols()});
        }
    }
};

/// x normalised over the last axis by a policy of expr/norms.hpp; the shape stays.
template <class Policy, expression X>
constexpr auto normalize(Policy policy, X&& x) {
    return normalize_node<Policy, node_t<X>>{policy, as_node(std::forward<X>(x))};
}

/// Layer norm without scale and shift.
constexpr auto layer_norm(expression auto&& x, float eps = 1e-5f) {
    return normalize(norms::layer_norm{eps}, std::forward<decltype(x)>(x));
}
/// Layer norm with scale g [d] and shift b [d].
constexpr auto layer_norm(expression auto&& x, expression auto&& g, expression auto&& b, float eps = 1e-5f) {
    return layer_norm(std::forward<decltype(x)>(x), eps) * std::forward<decltype(g)>(g) + std::forward<decltype(b)>(b);
}
/// RMS norm over the last axis, without and with scale g [d].
constexpr auto rms_norm(expression auto&& x, float eps = 1e-5f) {
    return normalize(norms::rms_norm{eps}, std::forward<decltype(x)>(x));
}
constexpr auto rms_norm(expression auto&& x, expression auto&& g, float eps = 1e-5f) {
    return rms_norm(std::forward<decltype(x)>(x), eps) * std::forward<decltype(g)>(g);
}
/// A norm over an axis.
template <int Axis, class Policy, expression X>
constexpr auto normalize(Policy policy, X&& x) {
    constexpr int last = extents_of<X>::rank - 1, axis = detail::axis_of(Axis, last + 1);
    static_assert(axis >= 0 && axis <= last, "apriori: a norm: no such axis");
    if constexpr (axis == last || axis < 0 || axis > last)
        return normalize(policy, std::forward<X>(x));
    else if constexpr (!norms::takes_columns<Policy>)
        return transpose<axis, last>(normalize(policy, transpose<axis, last>(as_node(std::forward<X>(x)))));
    else
        return detail::over_columns<axis>(std::forward<X>(x), [&](const auto& y) {
            return normalize_node<Policy, std::remove_cvref_t<decltype(y)>, true>{policy, y};
        });
}
/// Softmax over the last axis.
constexpr auto softmax(expression auto&& x) { return normalize(norms::softmax{}, std::forward<decltype(x)>(x)); }
/// Softmax over an axis.
template <int Axis>
constexpr auto softmax(expression auto&& x) {
    return normalize<Axis>(norms::softmax{}, std::forward<decltype(x)>(x));
}

/// A reduction over axes, one after the other, which stay with extent 1 (keepdim); without axes, over the last.
template <class Policy, expression X>
constexpr auto reduce(Policy policy, X&& x) {
    return reduce_node<Policy, node_t<X>>{policy, as_node(std::forward<X>(x))};
}
template <int Axis, int... Rest, class Policy, expression X>
constexpr auto reduce(Policy policy, X&& x) {
    constexpr int last = extents_of<X>::rank - 1, axis = detail::axis_of(Axis, last + 1);
    static_assert((Axis == -1 || axis >= 0) && axis <= last, "apriori: a reduction: no such axis");
    if constexpr (sizeof...(Rest) > 0)
        return reduce<Rest...>(policy, reduce<Axis>(policy, std::forward<X>(x)));
    else if constexpr (axis == last || axis < 0 || axis > last)
        return reduce(policy, std::forward<X>(x));
    else if constexpr (!norms::takes_columns<Policy>)
        return transpose<axis, last>(reduce<last>(policy, transpose<axis, last>(as_node(std::forward<X>(x)))));
    else
        return detail::over_columns<axis>(std::forward<X>(x), [&](const auto& y) {
            return reduce_node<Policy, std::remove_cvref_t<decltype(y)>, true>{policy, y};
        });
}
/// The sum or product over axes, which stay with extent 1; without axes, over the last. int64 for integers and masks.
template <int... Axes>
constexpr auto sum(expression auto&& x) {
    return reduce<Axes...>(norms::sum{}, std::forward<decltype(x)>(x));
}
template <int... Axes>
constexpr auto prod(expression auto&& x) {
    return reduce<Axes...>(norms::prod{}, std::forward<decltype(x)>(x));
}
/// The index (int64) of the first largest or smallest element of an axis; of the first NaN if there is one.
template <int Axis = -1>
constexpr auto argmax(expression auto&& x) {
    return reduce<Axis>(norms::argmax{}, std::forward<decltype(x)>(x));
}
template <int Axis = -1>
constexpr auto argmin(expression auto&& x) {
    return reduce<Axis>(norms::argmin{}, std::forward<decltype(x)>(x));
}
/// The mean, largest or smallest element over axes, which stay with extent 1. max and min are NaN if an element is.
template <int... Axes>
constexpr auto mean(expression auto&& x) {
    return reduce<Axes...>(norms::mean{}, std::forward<decltype(x)>(x));
}
template <int... Axes>
constexpr auto(max)(expression auto&& x) {
    return reduce<Axes...>(norms::max{}, std::forward<decltype(x)>(x));
}
template <int... Axes>
constexpr auto(min)(expression auto&& x) {
    return reduce<Axes...>(norms::min{}, std::forward<decltype(x)>(x));
}
/// The variance over axes, in two passes, divided by n - correction: 0 as in NumPy, or 1 for that of a sample.
template <int... Axes>
constexpr auto var(expression auto&& x, int correction = 0) {
    static_assert(std::is_lvalue_reference_v<decltype(x)> || !is_tensor<std::remove_cvref_t<decltype(x)>>,
                  "apriori: var: the operand is a temporary tensor: give it a name");
    if constexpr (sizeof...(Axes) <= 1)
        return reduce<Axes...>(norms::variance{correction}, std::forward<decltype(x)>(x));
    else {
        const auto e = as_node(x).ext();
        const index_t n = (index_t{1} * ... * e[detail::axis_of(Axes, e.rank)]);
        return sum<Axes...>(square(x - mean<Axes...>(x))) / double(n - correction);
    }
}
/// The standard deviation over axes: the square root of var. (`std` is a namespace.)
template <int... Axes>
constexpr auto stddev(expression auto&& x, int correction = 0) {
    return sqrt(var<Axes...>(std::forward<decltype(x)>(x), correction));
}
/// The Euclidean norm over axes.
template <int... Axes>
constexpr auto norm(expression auto&& x) {
    using T = computed_t<element_of<decltype(x)>>;
    if constexpr (std::is_integral_v<T>) // whose squares would not fit
        return sqrt(sum<Axes...>(square(cast<real_t<T>>(std::forward<decltype(x)>(x)))));
    else
        return sqrt(sum<Axes...>(square(std::forward<decltype(x)>(x))));
}
/// Masks: true if any element (any), or every element (all), over the axes is not 0.
template <int... Axes>
constexpr auto any(expression auto&& x) {
    return (max<Axes...>)(not_equal(std::forward<decltype(x)>(x), 0.0f));
}
template <int... Axes>
constexpr auto all(expression auto&& x) {
    return (min<Axes...>)(not_equal(std::forward<decltype(x)>(x), 0.0f));
}

} // namespace apriori
APRIORI_END_EXACT_MATH
