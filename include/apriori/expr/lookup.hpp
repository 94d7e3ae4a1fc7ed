// SPDX-License-Identifier: Apache-2.0
// Elements selected by run-time indices: gather, take, scatter_add.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/check_memory.hpp"
#include "apriori/expr/shape_ops.hpp"

#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Rows of a table [n, d] in memory by index: row r of the result is row rows[r] of the table. Devices that work in
/// host memory check the indices before anything runs; cuda checks them in its kernels if APRIORI_CHECK_INDICES is
/// defined.
template <class Table, class Rows>
struct gather_node {
    static_assert(is_view<Table> && Table::rank == 2 && Table::memory_layout != layout::strided,
                  "apriori: gather: the table is a view [rows, columns] with contiguous columns");
    static_assert(is_view<Rows> && Rows::rank == 1 && Rows::memory_layout == layout::dense,
                  "apriori: gather: the indices are a dense view of one axis");
    using apriori_expression = void;
    static constexpr const char* name = "gather";
    using extents_type = extents<extents_of<Rows>::fixed(0), extents_of<Table>::fixed(1)>;
    using value_type = element_of<Table>;
    static constexpr bool is_leaf = true;

    Table table;
    Rows rows;

    constexpr extents_type ext() const { return extents_of_sizes<extents_type>({rows.ext()[0], table.ext()[1]}); }
    constexpr status check_in(const auto& result) const {
        return detail::fitting(detail::equal_extents(ext(), result), "gather: gathered rows do not broadcast",
                               ext().size(), result.size());
    }
    template <class R>
    constexpr auto program(const R&) const {
        using E = extents_type;
        static_assert(R::rank == 2 && (E::fixed(0) != 1 || R::fixed(0) == 1) && (E::fixed(1) != 1 || R::fixed(1) == 1),
                      "apriori: gathered rows combine with operands of two axes, and do not broadcast");
        return el::gathered_of<value_type>{table.data, rows.data, table.stride(0), table.ext()[0]};
    }
};

namespace detail {

/// Indices in memory, as kernels take them. Those that do not fit into 32 bits become -1, which is no row.
constexpr auto indices_in_memory(auto& to, const auto& rows) {
    using T = element_of<decltype(rows)>;
    if constexpr (sizeof(T) <= sizeof(std::int32_t))
        return to.template dense_as<std::int32_t>(rows);
    else if constexpr (anchor_count<std::remove_cvref_t<decltype(rows)>> == 0)
        return to.template dense_as<std::int32_t>(where(rows < 0 || rows > largest<std::int32_t>, -1, rows));
    else // computed once
        return indices_in_memory(to, to.template dense_as<T>(rows));
}

} // namespace detail

/// The same for any table and any integers, which are first written to memory.
template <class Table, class Rows>
struct lookup_node {
    static_assert(extents_of<Table>::rank == 2 && extents_of<Rows>::rank == 1,
                  "apriori: gather: the table has two axes, [rows, columns], and the indices one");
    static_assert(kind_of<element_of<Rows>> == element_kind::integer, "apriori: gather: the indices are integers");
    using apriori_expression = void;
    static constexpr const char* name = "gather";
    using value_type = element_of<Table>;
    using extents_type = extents<extents_of<Rows>::fixed(0), extents_of<Table>::fixed(1)>;
    template <class>
    static constexpr bool writes = true;
    static constexpr bool assigns = true;

    Table a;
    Rows b;

    constexpr extents_type ext() const { return extents_of_sizes<extents_type>({b.ext()[0], a.ext()[1]}); }
    constexpr status check() const { return detail::first_error(check_extents(a), check_extents(b)); }
    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        const auto table = to.template dense_as<value_type>(a);
        const auto rows = detail::indices_in_memory(to, b);
        to(out) = gather_node<std::remove_const_t<decltype(table)>, std::remove_const_t<decltype(rows)>>{table, rows};
    }
};

/// Row rows[r] of a table [n, d] for each r: [m, d]. The indices [m] are any integers; invalid_argument for one that is
/// not a row, in host memory.
template <expression Table, expression Rows>
constexpr auto gather(Table&& table, Rows&& rows) {
    using T = node_t<Table>;
    using R = node_t<Rows>;
    constexpr bool in_memory = requires(const T& t, const R& r) {
        requires is_view<T> && is_view<R> && T::memory_layout != layout::strided&& R::memory_layout == layout::dense;
        requires std::is_same_v<typename R::value_type, const std::int32_t>;
    };
    if constexpr (in_memory)
        return gather_node<T, R>{as_node(table), as_node(rows)};
    else
        return lookup_node<T, R>{as_node(table), as_node(rows)};
}

namespace detail {

/// The extents of A followed by those of B.
template <index_t... A, index_t... B>
constexpr auto joined_extents(extents<A...> a, extents<B...> b) {
    extents<A..., B...> both;
    for (std::size_t i = 0; i < sizeof...(A); ++i) both.sizes[i] = a.sizes[i];
    for (std::size_t i = 0; i < sizeof...(B); ++i) both.sizes[sizeof...(A) + i] = b.sizes[i];
    return both;
}
/// The product of all extents as one extent.
template <index_t... S>
constexpr auto flattened(extents<S...> e) {
    constexpr index_t fixed = extents<S...>::is_static ? (index_t{1} * ... * S) : dyn;
    return extents_of_sizes<extents<fixed>>({e.size()});
}

} // namespace detail

/// Elements of x by indices on its first axis: [n, ..] by integers of any shape [m..] gives [m.., ..], like numpy.take
/// on axis 0. For another axis, permute x.
template <expression X, expression Rows>
constexpr auto take(X&& x, Rows&& rows) {
    using E = extents_of<X>;
    static_assert(E::rank >= 1, "apriori: take: the table has no axis");
    const auto e = as_node(x).ext();
    const auto m = as_node(rows).ext();
    const auto rest = detail::tail(e);
    const auto table = detail::joined_extents(extents_of_sizes<extents<E::fixed(0)>>({e[0]}), detail::flattened(rest));
    return reshape(gather(reshape(std::forward<X>(x), table), reshape(std::forward<Rows>(rows), detail::flattened(m))),
                   detail::joined_extents(m, rest));
}

namespace ops {

/// out[rows[i], c] += updates[i, c] for each i, in order.
template <class T>
struct scatter_add {
    T* out;
    const T* updates;
    const std::int32_t* indices;
    index_t count, cols; ///< of updates
    index_t stride;      ///< of out's rows
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "scatter_add", .rows = count, .cols = cols};
        l.flops = count * cols;
        l.bytes = count * (3 * std::int64_t{sizeof(T)} * cols + 4);
        return l;
    }
    /// Adds columns first .. last of row i of the updates. In each column they are added in the order of rows.
    APRIORI_HD constexpr void add_row(index_t i, index_t first, index_t last) const noexcept {
        T* const to = out + indices[i] * stride;
        for (index_t c = first; c < last; ++c) to[c] = number_in(one_lane(to[c]) + one_lane(updates[i * cols + c]));
    }
};

} // namespace ops

/// x [n, d] plus updates [m, d], row i of them added to row rows[i] of x.
template <class X, class Rows, class Updates>
struct scatter_add_node {
    using ex = extents_of<X>;
    using er = extents_of<Rows>;
    using eu = extents_of<Updates>;
    static_assert(ex::rank == 2 && er::rank == 1 && eu::rank == 2,
                  "apriori: scatter_add: x and the updates have two axes, and the indices one");
    static_assert(require_shapes<"scatter_add", ex, eu, detail::extents_fit(ex::fixed(1), eu::fixed(1))>::value);
    static_assert(require_shapes<"scatter_add", er, eu, detail::extents_fit(er::fixed(0), eu::fixed(0))>::value);
    static_assert(kind_of<element_of<Rows>> == element_kind::integer, "apriori: scatter_add: the indices are integers");
    using apriori_expression = void;
    static constexpr const char* name = "scatter_add";
    using extents_type = ex;
    using value_type = promoted_t<element_of<X>, element_of<Updates>>;
    template <class Out>
    static constexpr bool writes = std::is_same_v<Out, ops::output_to<value_type>>;

    el::pack<X, Rows, Updates> operands;

    constexpr extents_type ext() const { return el::get<0>(operands).ext(); }
    constexpr status check() const {
        const auto& [x, rows, updates] = parts();
        return detail::first_error(detail::fitting(updates.ext()[0] == rows.ext()[0],
                                                   "scatter_add: the updates are not as many as the indices",
                                                   updates.ext()[0], rows.ext()[0]),
                                   detail::fitting(updates.ext()[1] == x.ext()[1],
                                                   "scatter_add: the updates have another number of columns than x",
                                                   updates.ext()[1], x.ext()[1]),
                                   check_extents(x), check_extents(rows), check_extents(updates));
    }
    /// Whether writing `out` spoils indices or updates, which are read afterwards, in place if possible.
    bool spoiled_by(const detail::byte_view& out) const {
        const auto& [x, rows, updates] = parts();
        const auto spoils = [&out]<class T, class V>(std::type_identity<T>, const V& v) {
            if constexpr (is_view<V>)
                return V::memory_layout == layout::dense && std::is_same_v<element_of<V>, T> &&
                       detail::spoils_view(out, detail::byte_view(v), false);
            else
                return false;
        };
        return spoils(std::type_identity<std::int32_t>{}, rows) || spoils(std::type_identity<value_type>{}, updates);
    }
    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        const auto& [x, rows, updates] = parts();
        const auto u = to.template dense_as<value_type>(updates);
        const auto at = detail::indices_in_memory(to, rows);
        if (to.reads_memory()) to.check(detail::check_rows<"scatter_add">(at, x.ext()[0]));
        to(out) = x;
        to.run(ops::scatter_add<value_type>{out.data, u.data, at.data, u.ext()[0], u.ext()[1], out.stride(0)});
    }

private:
    struct references {
        const X& x;
        const Rows& rows;
        const Updates& updates;
    };
    constexpr references parts() const { return {el::get<0>(operands), el::get<1>(operands), el::get<2>(operands)}; }
};

/// x [n, d] plus updates [m, d], row i of them added to row rows[i] of x, one after the other: rows may repeat.
template <expression X, expression Rows, expression Updates>
constexpr auto scatter_add(X&& x, Rows&& rows, Updates&& updates) {
    return scatter_add_node<node_t<X>, node_t<Rows>, node_t<Updates>>{
        {{as_node(x)}, {as_node(rows)}, {as_node(updates)}}};
}

} // namespace apriori
APRIORI_END_EXACT_MATH
