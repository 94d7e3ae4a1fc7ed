// SPDX-License-Identifier: Apache-2.0
// Element-wise programs: the form of an expression inside a kernel. They hold pointers and strides but no extents, so
// two models of different widths run the same compiled code.
//
// A kernel first asks a program for a row, which resolves its pointers, and then for columns:
//     auto row = program.row(r);  auto y = row.at(c, acc);      with acc, a V, the value that the kernel computed there
// y has as many lanes as acc. Its type is the program's own, `value`.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/launch.hpp"
#include "apriori/expr/pack.hpp"
#include "apriori/expr/row_map.hpp"

#include <cstdint>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::el {

// value_of<P> is the type of the elements that a program gives, as in computed_t; for masks bool, with values that are
// the numbers 1 and 0.

/// True if an element type of eight bytes occurs in a program: its values then have as many lanes as a register has
/// doubles.
template <class P>
inline constexpr bool is_wide = [] {
    if constexpr (requires { P::wide; })
        return P::wide;
    else
        return sizeof(value_of<P>) == 8;
}();

/// The value type for elements of T with as many lanes as V.
template <class V, class T>
using value_beside = typename lanes<V>::template as<T>;

/// The value that the kernel around the program has computed: an accumulator, a normalised element.
template <class T>
struct acc_of {
    using value = T;
    APRIORI_HD constexpr acc_of row(index_t) const noexcept { return {}; }
    template <class V>
    APRIORI_HD constexpr V at(index_t, V a) const noexcept {
        return a;
    }
};
using acc = acc_of<float>;

/// The same number everywhere.
template <class T>
struct scalar_of {
    using value = computed_t<T>;
    T number{};
    APRIORI_HD constexpr scalar_of row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_HD constexpr auto at(index_t, V) const noexcept {
        return lanes<value_beside<V, value>>::set(number);
    }
};
using scalar = scalar_of<float>;

/// The same row for all rows: a bias.
template <class T>
struct vector_of {
    using value = computed_t<T>;
    const T* p = nullptr;
    APRIORI_HD constexpr vector_of row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_HD constexpr auto at(index_t c, V) const noexcept {
        return lanes<value_beside<V, value>>::load(p + c);
    }
    static constexpr std::int64_t bytes(index_t, index_t cols) { return std::int64_t{sizeof(T)} * cols; }
};
using vector = vector_of<float>;

/// Rows whose columns are contiguous.
template <class T, class Map = row_map>
struct matrix_of {
    using value = computed_t<T>;
    const T* p = nullptr;
    Map map{};
    APRIORI_HD constexpr vector_of<T> row(index_t r) const noexcept { return {p + map(r)}; }
    static constexpr std::int64_t bytes(index_t rows, index_t cols) { return std::int64_t{sizeof(T)} * rows * cols; }
};
using matrix = matrix_of<float>;

/// One number for each row.
template <class T, class Map = row_map>
struct column_of {
    using value = computed_t<T>;
    const T* p = nullptr;
    Map map{};
    APRIORI_HD constexpr scalar_of<T> row(index_t r) const noexcept { return {p[map(r)]}; }
    static constexpr std::int64_t bytes(index_t rows, index_t) { return std::int64_t{sizeof(T)} * rows; }
};
using column = column_of<float>;

/// Rows whose columns have a stride: a transposed view.
template <class T, class Map = row_map>
struct strided_of {
    using value = computed_t<T>;
    struct cursor {
        const T* p;
        index_t stride;
        template <class V>
        APRIORI_HD constexpr auto at(index_t c, V) const noexcept {
            return lanes<value_beside<V, value>>::load_strided(p + c * stride, stride);
        }
    };
    const T* p = nullptr;
    Map map{};
    index_t stride = 1;
    APRIORI_HD constexpr cursor row(index_t r) const noexcept { return {p + map(r), stride}; }
    static constexpr void names(name_list& l) { l.add("strided"); }
    static constexpr std::int64_t bytes(index_t rows, index_t cols) { return std::int64_t{sizeof(T)} * rows * cols; }
};
using strided = strided_of<float>;

/// Row r is row rows[r] of a table of `count` rows.
template <class T>
struct gathered_of {
    using value = computed_t<T>;
    const T* p = nullptr;
    const std::int32_t* rows = nullptr;
    index_t stride = 0, count = 0;
    APRIORI_HD constexpr vector_of<T> row(index_t r) const noexcept {
#ifdef APRIORI_CHECK_INDICES // for debugging on a GPU, whose memory the host does not check
        if (rows[r] < 0 || rows[r] >= count) APRIORI_TRAP();
#endif
        return {p + rows[r] * stride};
    }
    static constexpr void names(name_list& l) { l.add("gather"); }
    static constexpr std::int64_t bytes(index_t r, index_t cols) { return r * (std::int64_t{sizeof(T)} * cols + 4); }
};
using gathered = gathered_of<float>;

/// Operand number N of a function with those types, converted as the function takes it.
template <class Types, class To, std::size_t N, class V>
APRIORI_HD constexpr To as_operand(V x) noexcept {
    if constexpr (N == 0 && Types::chooses_by_number) {
        using fn::where_equal;
        const V zero = lanes<V>::set(0); // a condition that would round to 0 is still true
        return lanes_cast<To>(where_equal(x, zero, zero, lanes<V>::set(1)));
    } else
        return lanes_cast<To>(x);
}

/// F applied to the values of other programs.
template <class F, class... P>
struct apply {
    using indices = std::index_sequence_for<P...>;
    using types = fn::types<F, value_of<P>...>;
    using value = typename types::result;
    static constexpr bool wide = (is_wide<P> || ... || (sizeof(typename types::computed) == 8 || sizeof(value) == 8));

    template <class... R>
    struct cursor {
        F f;
        pack<R...> rows;
        // always inlined: if called, they would reload the row's pointers and numbers for every vector
        template <class V>
        APRIORI_HD constexpr APRIORI_INLINE auto at(index_t c, V a) const noexcept {
            return call(c, a, indices{});
        }
        template <class V, std::size_t... Is>
        APRIORI_HD constexpr APRIORI_INLINE auto call(index_t c, V a, std::index_sequence<Is...>) const noexcept {
            using to = value_beside<V, typename types::computed>;
            constexpr bool takes_it = requires { f(as_operand<types, to, Is>(get<Is>(rows).at(c, a))...); };
            static_assert(takes_it,
                          "apriori: elementwise: a function object must take a float and a register of floats alike: "
                          "write `auto operator()(auto x) const`");
            if constexpr (takes_it)
                return f(as_operand<types, to, Is>(get<Is>(rows).at(c, a))...);
            else
                return a;
        }
    };

    F f;
    pack<P...> programs;

    APRIORI_HD constexpr auto row(index_t r) const noexcept { return rows_of(r, indices{}); }
    template <std::size_t... Is>
    APRIORI_HD constexpr auto rows_of(index_t r, std::index_sequence<Is...>) const noexcept {
        return cursor<decltype(get<Is>(programs).row(r))...>{f, {{get<Is>(programs).row(r)}...}};
    }

    static constexpr void names(name_list& l) {
        (add_names<P>(l), ...);
        l.add(F::name);
    }
    static constexpr std::int64_t flops = (std::int64_t{F::flops} + ... + flops_of<P>);
    constexpr std::int64_t bytes(index_t rows, index_t cols) const {
        return unpack([&](const P&... p) { return (std::int64_t{0} + ... + bytes_of(p, rows, cols)); }, programs);
    }
    constexpr std::int64_t row_flops(index_t rows) const {
        return unpack([&](const P&... p) { return (std::int64_t{0} + ... + row_flops_of(p, rows)); }, programs);
    }
};

/// The program with each leaf replaced by f(leaf).
template <class P>
constexpr auto with_leaves(const P& p, const auto& f) {
    return f(p);
}
template <class F, class... P>
constexpr auto with_leaves(const apply<F, P...>& p, const auto& f) {
    return unpack(
        [&](const P&... part) { return apply<F, decltype(with_leaves(part, f))...>{p.f, {{with_leaves(part, f)}...}}; },
        p.programs);
}

} // namespace apriori::el
APRIORI_END_EXACT_MATH
