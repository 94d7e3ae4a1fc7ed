// SPDX-License-Identifier: Apache-2.0
// Element-wise nodes: a function of operands that broadcast against each other, and the operators that build them.
#pragma once

#include "apriori/expr/concepts.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/functions/gelu.hpp"
#include "apriori/expr/functions/mish.hpp"
#include "apriori/expr/functions/quick_gelu.hpp"
#include "apriori/expr/functions/relu.hpp"
#include "apriori/expr/functions/sigmoid.hpp"
#include "apriori/expr/functions/silu.hpp"

namespace apriori {

/// F of each element of its operands. F is a function object as in expr/functions.hpp.
template <class F, class... Args>
struct elementwise_node {
    using apriori_expression = void;
    using extents_type = broadcast_t<F::name_text, extents_of<Args>...>;

    F f;
    std::tuple<Args...> args;

    constexpr extents_type ext() const {
        return std::apply([](const auto&... a) { return broadcast_sizes<extents_type>(a.ext()...); }, args);
    }
};

/// A function object with its name as text of the type, for compile errors.
template <class F>
struct named : F {
    static constexpr fixed_string<24> name_text = [] {
        fixed_string<24> s{"                       "};
        int i = 0;
        for (; F::name[i] != 0 && i < 23; ++i) s.text[i] = F::name[i];
        for (; i < 24; ++i) s.text[i] = 0;
        return s;
    }();
    constexpr named() = default;
    constexpr named(F f) : F(f) {}
};

/// Applies a function object of the user's own to operands that broadcast.
template <class F, operand... Args>
constexpr auto elementwise(F f, const Args&... args) {
    return elementwise_node<named<F>, node_t<Args>...>{named<F>(f), {as_node(args)...}};
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
template <expression A>
constexpr auto operator-(const A& a) {
    return elementwise(fn::negate{}, a);
}

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
