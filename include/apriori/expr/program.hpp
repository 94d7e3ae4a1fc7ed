// SPDX-License-Identifier: Apache-2.0
// Element-wise programs: what an expression becomes inside a kernel. They hold pointers and strides but no extents, so
// that two models of different width run the same compiled code.
//
// A program is asked for a row first, which resolves its pointers, and then for columns:
//     auto row = program.row(r);  V y = row.at(c, acc);      with acc what the kernel itself computed there
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lanes.hpp"
#include "apriori/expr/launch.hpp"
#include "apriori/expr/pack.hpp"
#include "apriori/expr/row_map.hpp"

#include <cstdint>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::el {

/// The value that the kernel around the program has computed: an accumulator, a normalised element.
struct acc {
    APRIORI_HD acc row(index_t) const noexcept { return {}; }
    template <class V>
    APRIORI_HD V at(index_t, V a) const noexcept {
        return a;
    }
};

/// The same number everywhere.
struct scalar {
    float value = 0;
    APRIORI_HD scalar row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_HD V at(index_t, V) const noexcept {
        return lanes<V>::set(value);
    }
};

/// One row for all: a bias.
struct vector {
    const float* p = nullptr;
    APRIORI_HD vector row(index_t) const noexcept { return *this; }
    template <class V>
    APRIORI_HD V at(index_t c, V) const noexcept {
        return lanes<V>::load(p + c);
    }
    static constexpr std::int64_t bytes(index_t, index_t cols) { return 4 * cols; }
};

/// Rows whose columns are contiguous.
struct matrix {
    const float* p = nullptr;
    row_map map{};
    APRIORI_HD vector row(index_t r) const noexcept { return {p + map(r)}; }
    static constexpr std::int64_t bytes(index_t rows, index_t cols) { return 4 * rows * cols; }
};

/// One number for each row.
struct column {
    const float* p = nullptr;
    row_map map{};
    APRIORI_HD scalar row(index_t r) const noexcept { return {p[map(r)]}; }
    static constexpr std::int64_t bytes(index_t rows, index_t) { return 4 * rows; }
};

/// Rows whose columns have a stride: a transposed view.
struct strided {
    struct cursor {
        const float* p;
        index_t stride;
        template <class V>
        APRIORI_HD V at(index_t c, V) const noexcept {
            return lanes<V>::load_strided(p + c * stride, stride);
        }
    };
    const float* p = nullptr;
    row_map map{};
    index_t stride = 1;
    APRIORI_HD cursor row(index_t r) const noexcept { return {p + map(r), stride}; }
    static constexpr void names(name_list& l) { l.add("strided"); }
    static constexpr std::int64_t bytes(index_t rows, index_t cols) { return 4 * rows * cols; }
};

/// Row r is row rows[r] of a table of `count` rows.
struct gathered {
    const float* p = nullptr;
    const std::int32_t* rows = nullptr;
    index_t stride = 0, count = 0;
    APRIORI_HD vector row(index_t r) const noexcept {
#ifdef APRIORI_CHECK_INDICES // for debugging on a GPU, whose memory the host does not look at
        if (rows[r] < 0 || rows[r] >= count) APRIORI_TRAP();
#endif
        return {p + rows[r] * stride};
    }
    static constexpr void names(name_list& l) { l.add("gather"); }
    static constexpr std::int64_t bytes(index_t r, index_t cols) { return 4 * r * (cols + 1); }
};

/// F of the values of other programs.
template <class F, class... P>
struct apply {
    using indices = std::index_sequence_for<P...>;

    template <class... R>
    struct cursor {
        F f;
        pack<R...> rows;
        template <class V>
        APRIORI_HD V at(index_t c, V a) const noexcept {
            return call(c, a, indices{});
        }
        template <class V, std::size_t... Is>
        APRIORI_HD V call(index_t c, V a, std::index_sequence<Is...>) const noexcept {
            constexpr bool takes_it = requires { f(get<Is>(rows).at(c, a)...); };
            static_assert(takes_it,
                          "apriori: elementwise: a function object must take a float and a register of floats alike: "
                          "write `auto operator()(auto x) const`");
            if constexpr (takes_it)
                return f(get<Is>(rows).at(c, a)...);
            else
                return a;
        }
    };

    F f;
    pack<P...> programs;

    APRIORI_HD auto row(index_t r) const noexcept { return rows_of(r, indices{}); }
    template <std::size_t... Is>
    APRIORI_HD auto rows_of(index_t r, std::index_sequence<Is...>) const noexcept {
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
};

} // namespace apriori::el
APRIORI_END_EXACT_MATH
