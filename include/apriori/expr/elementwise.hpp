// SPDX-License-Identifier: Apache-2.0
// Element-wise nodes: a function of operands that broadcast against each other, and the operators that build them.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/concepts.hpp"
#include "apriori/expr/functions.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// F of each element of its operands. F is a function object as in expr/functions.hpp.
template <class F, class... Args>
struct elementwise_node {
    using apriori_expression = void;
    using extents_type = broadcast_t<name_of<F>, extents_of<Args>...>;

    F f;
    el::pack<Args...> args;

    constexpr extents_type ext() const {
        return el::unpack([](const Args&... a) { return broadcast_sizes<extents_type>(a.ext()...); }, args);
    }
    constexpr status check() const { return check_in(ext()); }
    constexpr status check_in(const auto& result) const {
        return el::unpack(
            [&](const Args&... a) { return detail::first_error(detail::check_operand<name_of<F>>(a, result)...); },
            args);
    }
};

/// Applies a function object to operands that broadcast.
template <class F, operand... Args>
constexpr auto elementwise(F f, const Args&... args) {
    constexpr bool described = requires {
        std::string_view(F::name);
        int(F::flops);
    };
    static_assert(described,
                  "apriori: elementwise: a function object needs `static constexpr const char* name`, which plans and "
                  "errors show, and `static constexpr int flops`, its cost");
    if constexpr (described) return elementwise_node<F, node_t<Args>...>{f, {{as_node(args)}...}};
}

template <operand A, operand B>
requires(expression<A> || expression<B>)
constexpr auto operator+(const A& a, const B& b) {
    return elementwise(fn::add{}, a, b);
}
template <operand A, operand B>
requires(expression<A> || expression<B>)
constexpr auto operator-(const A& a, const B& b) {
    return elementwise(fn::subtract{}, a, b);
}
template <operand A, operand B>
requires(expression<A> || expression<B>)
constexpr auto operator*(const A& a, const B& b) {
    return elementwise(fn::multiply{}, a, b);
}
template <operand A, operand B>
requires(expression<A> || expression<B>)
constexpr auto operator/(const A& a, const B& b) {
    return elementwise(fn::divide{}, a, b);
}
constexpr auto operator-(const expression auto& a) { return elementwise(fn::negate{}, a); }

constexpr auto minimum(const operand auto& a, const operand auto& b) { return elementwise(fn::minimum{}, a, b); }
constexpr auto maximum(const operand auto& a, const operand auto& b) { return elementwise(fn::maximum{}, a, b); }
constexpr auto square(const expression auto& x) { return elementwise(fn::square{}, x); }
constexpr auto exp(const expression auto& x) { return elementwise(fn::exponential{}, x); }
constexpr auto log(const expression auto& x) { return elementwise(fn::logarithm{}, x); }
constexpr auto sqrt(const expression auto& x) { return elementwise(fn::square_root{}, x); }
constexpr auto sin(const expression auto& x) { return elementwise(fn::sine{}, x); }
constexpr auto cos(const expression auto& x) { return elementwise(fn::cosine{}, x); }
constexpr auto tanh(const expression auto& x) { return elementwise(fn::hyperbolic_tangent{}, x); }
constexpr auto erf(const expression auto& x) { return elementwise(fn::error_function{}, x); }
constexpr auto gelu(const expression auto& x) { return elementwise(fn::gelu{}, x); }
constexpr auto quick_gelu(const expression auto& x) { return elementwise(fn::quick_gelu{}, x); }
constexpr auto silu(const expression auto& x) { return elementwise(fn::silu{}, x); }
constexpr auto mish(const expression auto& x) { return elementwise(fn::mish{}, x); }
constexpr auto relu(const expression auto& x) { return elementwise(fn::relu{}, x); }
constexpr auto sigmoid(const expression auto& x) { return elementwise(fn::sigmoid{}, x); }
/// x * factor + addend.
constexpr auto affine(const expression auto& x, float factor, float addend) {
    return elementwise(fn::affine{factor, addend}, x);
}
/// min(max(x, low), high).
constexpr auto clamp(const expression auto& x, float low, float high) { return elementwise(fn::clamp{low, high}, x); }

} // namespace apriori
APRIORI_END_EXACT_MATH
