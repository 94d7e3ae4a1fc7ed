// SPDX-License-Identifier: Apache-2.0
// Prints expressions and plans to a std::ostream: `multiply(exp([4, 64]), 2)`, with tensors as their shapes.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/tensor/print.hpp"

#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// The name of a node in a printed expression.
template <class X>
constexpr std::string_view name_of_node() {
    if constexpr (requires { X::name; })
        return X::name;
    else if constexpr (requires(X x) { x.f.name; })
        return decltype(X::f)::name;
    else if constexpr (requires(X x) { x.policy.name; })
        return decltype(X::policy)::name;
    else
        return decltype(X::op)::name;
}

template <class X>
void print_node(std::ostream& out, const X& x) {
    if constexpr (is_view<X>)
        out << x.ext();
    else if constexpr (requires { x.number; })
        print_number(out, x.number);
    else if constexpr (requires { x.table, x.rows; })
        out << name_of_node<X>() << '(' << x.table.ext() << ", " << x.rows.ext() << ')';
    else {
        out << name_of_node<X>() << '(';
        bool first = true;
        for_children(x, [&](const auto& operand) {
            out << (first ? "" : ", ");
            first = false;
            print_node(out, operand);
        });
        out << ')';
    }
}

} // namespace detail

/// Prints an expression as its nodes and the shapes of its tensors.
template <expression X>
requires(!is_view<X> && !is_tensor<X>)
std::ostream& operator<<(std::ostream& out, const X& x) {
    detail::print_node(out, x);
    return out;
}
/// Prints a plan, one launch per line, as describe() does.
template <int Capacity>
std::ostream& operator<<(std::ostream& out, const launch_plan<Capacity>& plan) {
    return out << describe(plan);
}

} // namespace apriori
APRIORI_END_EXACT_MATH
