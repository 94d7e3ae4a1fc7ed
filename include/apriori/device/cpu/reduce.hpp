// SPDX-License-Identifier: Apache-2.0
// Reductions of rows, standalone and inside of element-wise programs. There a row is reduced where its elements are
// computed, so that it is in the cache. Few long rows are shared among threads in parts.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/row_kernels.hpp"
#include "apriori/expr/row_reduction.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The fewest columns of a part of a long row, and the most parts.
inline constexpr index_t reduced_part = 16384, reduced_parts = 64;

/// A row that is reduced in parts, which depend only on its length, so that any number of threads gives the same bits.
template <class V, class Cursor, class T, executor X>
struct row_in_parts {
    using row = program_row<V, Cursor, T>;
    using value = typename row::value;

    row all;
    X& threads;
    double cost; ///< of a reduction whose parts are shared among threads; 0: parts are not shared

    value sum(auto f) const noexcept { return joined(T{0}, f, fn::add{}); }
    value product(auto f) const noexcept { return joined(T{1}, f, fn::multiply{}); }
    value(max)(auto f) const noexcept { return joined(apriori::detail::lowest_or_infinity<T>, f, fn::maximum{}); }
    auto first(auto f) const noexcept { return all.first(f); }

private:
    template <class F, class Join>
    APRIORI_INLINE value joined(T start, F f, Join join) const noexcept {
        if (all.cols < 4 * reduced_part) return all.joined(0, all.cols, start, f, join);
        return joined_in_parts(all, threads, cost, start, f, join);
    }
    /// Static, with copies of its arguments, so that the members of short rows stay in registers.
    template <class F, class Join>
    APRIORI_NOINLINE static value joined_in_parts(row all, X& threads, double cost, T start, F f, Join join) noexcept {
        const index_t cols = all.cols, parts = (std::min)(cols / reduced_part, reduced_parts), size = cols / parts;
        value part[to_size(reduced_parts)];
        parallel_ranges(threads, parts, cost, [&](index_t from, index_t to) {
            for (index_t p = from; p < to; ++p)
                part[p] = all.joined(size * p, p + 1 < parts ? size * (p + 1) : cols, start, f, join);
        });
        value joined_parts = part[0];
        for (index_t p = 1; p < parts; ++p) joined_parts = join(joined_parts, part[p]);
        return joined_parts;
    }
};

/// A reduction in registers of Arch; few long rows are reduced in parts that threads share.
template <class Arch, executor X, class Policy, class P>
struct reduced_in_registers {
    using reduction = el::reduced<Policy, P>;
    using value = typename reduction::value;
    static constexpr bool wide = reduction::wide;

    reduction of;
    X* threads;
    double cost; ///< of a row whose parts are shared among threads; 0: parts are not shared

    auto row(index_t r) const noexcept {
        using cursor = decltype(of.program.row(r));
        using part = row_in_parts<value_for<Arch, P>, cursor, typename reduction::number, X>;
        return of.of(part{{of.program.row(r), of.cols}, *threads, cost});
    }
};

/// The program with its reductions in registers; `shared`: their parts are shared among threads.
template <class Arch, executor X, class P>
auto in_registers(X& threads, const P& p, bool shared) noexcept {
    return el::with_leaves(p, [&]<class Leaf>(const Leaf& leaf) {
        if constexpr (el::reduces_rows<Leaf>) {
            const auto inner = in_registers<Arch>(threads, leaf.program, shared);
            using Policy = decltype(Leaf::policy);
            return reduced_in_registers<Arch, X, Policy, std::remove_const_t<decltype(inner)>>{
                {leaf.policy, inner, leaf.cols}, &threads, shared ? 4 * operations(Policy::flops, leaf.cols) : 0};
        } else
            return leaf;
    });
}

template <class Arch, executor X, class P, class In, class Outer, class Out>
void run(X& x, const ops::reduce<P, In, Outer, Out>& op) {
    using V = value_for<Arch, In>;
    using T = typename decltype(op.input)::number;
    const bool shared = op.rows < x.concurrency() && op.cols > reduced_part;
    const double cost = 4 * (operations(P::flops, op.rows, op.cols) + double(row_flops_of(op.input.inner, op.rows)) +
                             double(row_flops_of(op.input.outer, op.rows)));
    const double row_cost = shared ? cost / double(op.rows) : 0;
    const auto inner = in_registers<Arch>(x, op.input.inner, shared);
    const auto outer = in_registers<Arch>(x, op.input.outer, shared);
    using cursor = decltype(inner.row(0));
    const auto reduce = [&](index_t first, index_t last) {
        for (index_t r = first; r < last; ++r) {
            const row_in_parts<V, cursor, T, X> row{{inner.row(r), op.cols}, x, row_cost};
            store(op.out.row(r), outer.row(r).at(0, op.input.policy.reduce(row, op.cols)));
        }
    };
    if (shared)
        reduce(0, op.rows);
    else
        parallel_ranges(x, op.rows, cost, reduce);
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
