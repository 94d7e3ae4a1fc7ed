// SPDX-License-Identifier: Apache-2.0
// Expressions in constant expressions: a device of plain loops that the compiler runs.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/evaluate.hpp"
#include "apriori/expr/lookup.hpp"
#include "apriori/expr/plain_row.hpp"
#include "apriori/expr/scan.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Runs every primitive except attention and contractions with packed weights at compile time. Which functions are
/// constant depends on the standard library: all of them in gcc, only arithmetic in clang.
struct constant {
    static constexpr const char* name = "constant";
    static constexpr bool fuses_prologue = true;
    static constexpr bool is_host = true;

    static constexpr std::size_t scratch_bytes(const auto&) { return 0; }

    template <class P, class Out>
    static constexpr status run(const ops::map<P, Out>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const auto row = op.program.row(r);
            for (index_t c = 0; c < op.cols; ++c) put(op.out.row(r) + c, row.at(c, 0.0f));
        }
        return {};
    }
    template <class Policy, class In, class Outer, class Out>
    static constexpr status run(const ops::normalize<Policy, In, Outer, Out>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const auto row = row_of(op, r);
            const auto stats = op.input.policy.reduce(row, op.cols);
            for (index_t c = 0; c < op.cols; ++c)
                put(op.out.row(r) + c, op.input.outer.row(r).at(c, Policy::apply(stats, row.element(c))));
        }
        return {};
    }
    template <class Policy, class In, class Outer, class Out>
    static constexpr status run(const ops::reduce<Policy, In, Outer, Out>& op) {
        for (index_t r = 0; r < op.rows; ++r)
            put(op.out.row(r), op.input.outer.row(r).at(0, op.input.policy.reduce(row_of(op, r), op.cols)));
        return {};
    }
    template <class E, class T, class Map>
    static constexpr status run(const ops::matmul<E, T, Map>& op) {
        for (index_t r = 0; r < op.batch * op.m; ++r)
            for (index_t j = 0; j < op.n; ++j) {
                const T* a = op.a.p + op.a.batch(r / op.m) + r % op.m * op.a.row;
                const T* b = op.b.p + op.b.batch(r / op.m) + j * op.b.col;
                T sum = 0;
                for (index_t k = 0; k < op.k; ++k) sum += a[k * op.a.col] * b[k * op.b.row];
                put(op.out.row(r) + j, op.epilogue.row(r).at(j, sum));
            }
        return {};
    }
    template <class P, class In, class Out>
    static constexpr status run(const ops::scan<P, In, Out>& op) {
        for (index_t r = 0; r < op.rows; ++r) ops::scan_row(op, r);
        return {};
    }
    template <class T>
    static constexpr status run(const ops::scatter_add<T>& op) {
        for (index_t i = 0; i < op.count; ++i) op.add_row(i, 0, op.cols);
        return {};
    }

private:
    template <class Op>
    static constexpr auto row_of(const Op& op, index_t r) {
        const auto cursor = op.input.inner.row(r);
        return plain_row<decltype(cursor), typename decltype(op.input)::number>(cursor, op.cols);
    }
};

namespace detail {

/// Not constexpr, so that the compiler's message shows its name.
inline void constant_value_needs_temporaries_or_extents_do_not_fit() {}

} // namespace detail

/// The value of an expression of static shape as a constant, for static_assert and constexpr tables. No launch may need
/// the result of another one, because there is no memory for temporaries.
template <expression X>
requires(extents_of<X>::is_static)
consteval tensor<element_of<X>, extents_of<X>, on_stack> constant_value(const X& x) {
    constant device;
    workspace none;
    context to(device, none);
    tensor<element_of<X>, extents_of<X>, on_stack> value;
    to(value) = x;
    if (!to.state.ok()) detail::constant_value_needs_temporaries_or_extents_do_not_fit();
    return value;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
