// SPDX-License-Identifier: Apache-2.0
// What an assignment checks of the memory it reads and writes, before anything runs: that there is some, that no extent is
// negative, that the destination overwrites nothing that is still to be read, and that gathered rows exist.
#pragma once

#include "apriori/expr/anchors.hpp"
#include "apriori/expr/shape_ops.hpp"

#include <bit>
#include <cstdint>

namespace apriori::detail {

/// The bytes of a view: `rows` blocks of `width` bytes, `stride` bytes apart.
struct byte_blocks {
    std::uintptr_t first = 0, width = 0, stride = 0, rows = 0;
    bool filled = false; ///< each block has no gaps

    constexpr std::uintptr_t last() const { return first + (rows - 1) * stride + width; }
};

/// The blocks along the axis of the largest stride; rows is 0 where there is no element, or a stride is negative.
template <class T, class E, layout L>
byte_blocks blocks_of(const view<T, E, L>& v) {
    byte_blocks b{std::bit_cast<std::uintptr_t>(v.data), sizeof(T), 0, 1, false};
    index_t inside = 1; // elements of a block
    int outer = -1;
    for (int i = 0; i < E::rank; ++i) {
        if (v.ext()[i] < 1 || v.stride(i) < 0) return {};
        if (v.ext()[i] > 1 && (outer < 0 || v.stride(i) > v.stride(outer))) outer = i;
    }
    for (int i = 0; i < E::rank; ++i) {
        if (i == outer) continue;
        inside *= v.ext()[i];
        b.width += std::uintptr_t((v.ext()[i] - 1) * v.stride(i)) * sizeof(T);
    }
    b.filled = to_size(inside) * sizeof(T) == b.width;
    if (outer >= 0) {
        b.rows = std::uintptr_t(v.ext()[outer]);
        b.stride = std::uintptr_t(v.stride(outer)) * sizeof(T);
    }
    if (b.filled && b.stride <= b.width) { // the blocks make one
        b.width += (b.rows - 1) * b.stride;
        b.rows = 1, b.stride = b.width;
    }
    return b;
}

/// True where both are sure to share a byte. Interleaved blocks of equal strides, such as columns of one matrix, are told apart;
/// what has other gaps may share bytes unseen.
inline bool surely_overlap(const byte_blocks& a, const byte_blocks& b) {
    if (a.rows == 0 || b.rows == 0 || a.first >= b.last() || b.first >= a.last()) return false;
    const auto holds = [](const byte_blocks& one, std::uintptr_t byte) {
        return one.rows == 1 && one.filled && byte >= one.first && byte < one.last();
    };
    if (holds(a, b.first) || holds(a, b.last() - 1) || holds(b, a.first) || holds(b, a.last() - 1)) return true;
    if (!a.filled || !b.filled) return false;
    const byte_blocks &low = a.first <= b.first ? a : b, &high = a.first <= b.first ? b : a;
    const std::uintptr_t stride = low.rows > 1 ? low.stride : high.stride;
    if ((low.rows > 1 && high.rows > 1 && low.stride != high.stride) || stride < low.width || stride < high.width)
        return false;
    const std::uintptr_t row = (high.first - low.first) / stride, column = (high.first - low.first) % stride;
    return (column < low.width && row < low.rows) || (column + high.width > stride && row + 1 < low.rows);
}

/// True where an element of v, broadcast into a result that out holds, lies where the result's element goes.
template <class Out, class V>
bool at_the_same_place(const Out& out, const V& v) {
    if (static_cast<const void*>(out.data) != static_cast<const void*>(v.data)) return false;
    constexpr int shift = Out::rank - V::rank;
    for (int i = 0; i < Out::rank; ++i)
        if (out.ext()[i] > 1 && (i < shift || v.ext()[i - shift] == 1 || v.stride(i - shift) != out.stride(i)))
            return false;
    return true;
}

/// What the kernel of an anchor reads that has memory already: body(leaf) for each view.
template <class X, class Body>
constexpr void for_operands(const X& x, const Body& body) {
    if constexpr (is_elementwise<X>)
        el::unpack([&](const auto&... a) { (for_operands(a, body), ...); }, x.args);
    else if constexpr (leaf<X>)
        body(x);
    else if constexpr (requires { requires X::is_prologue; })
        for_operands(x.x, body);
}
template <class X, class Body>
constexpr void for_inputs(const X& anchor, const Body& body) {
    if constexpr (requires { anchor.operands; })
        el::unpack([&](const auto&... a) { (for_operands(a, body), ...); }, anchor.operands);
    else if constexpr (requires { anchor.a, anchor.b; })
        for_operands(anchor.a, body), for_operands(anchor.b, body);
    else if constexpr (requires { anchor.own; })
        for_operands(anchor.own, body);
    else if constexpr (requires { anchor.x; })
        for_operands(anchor.x, body);
}

/// True where writing `out` spoils an operand of x. The anchor numbered Root is computed with what is around it; others are
/// written to temporaries before.
template <int Root, int First, class Out, class X>
bool spoils(const Out& out, const X& x) {
    const auto blocks = blocks_of(out);
    const auto read_elsewhere = [&](const auto& v) {
        if constexpr (is_view<std::remove_cvref_t<decltype(v)>>)
            return surely_overlap(blocks, blocks_of(v));
        else if constexpr (requires { v.table; })
            return surely_overlap(blocks, blocks_of(v.table));
        else
            return false;
    };
    const auto read_in_order = [&](const auto& v) {
        if constexpr (is_view<std::remove_cvref_t<decltype(v)>>)
            if (at_the_same_place(out, v)) return false;
        return read_elsewhere(v);
    };
    if constexpr (leaf<X>)
        return read_in_order(x);
    else if constexpr (is_elementwise<X>)
        return [&]<class F, class... A, int... Is>(const elementwise_node<F, A...>& node,
                                                   std::integer_sequence<int, Is...>) {
            return (spoils<Root, First + first_anchor<Is, A...>>(out, el::get<Is>(node.args)) || ...);
        }(x, std::make_integer_sequence<int, argument_count<X>>{});
    else if constexpr (First == Root) {
        bool any = false;
        for_inputs(x, [&](const auto& v) {
            if constexpr (requires { X::is_prologue; }) // row by row
                any = any || read_in_order(v);
            else
                any = any || read_elsewhere(v);
        });
        return any;
    } else
        return false;
}

/// The first index below 0 or beyond the table of a gather in x, as a status. In memory that the host reads.
template <class X>
status check_indices(const X& x) {
    if constexpr (requires { x.table, x.rows; }) {
        const index_t n = x.table.ext()[0];
        for (const std::int32_t row : x.rows.flat())
            if (row < 0 || row >= n)
                return status::invalid("gather: an index is not a row of the table (axis 0)", row, n);
        return {};
    } else if constexpr (is_elementwise<X>)
        return el::unpack([](const auto&... a) { return first_error(check_indices(a)...); }, x.args);
    else if constexpr (anchor<X>) {
        status s;
        for_inputs(x, [&](const auto& v) { s = first_error(s, check_indices(v)); });
        return s;
    } else
        return {};
}

/// A destination's extents are not negative.
template <class Out>
constexpr status check_extents_of(const Out& out) {
    for (int i = 0; i < Out::rank; ++i)
        if (out.ext()[i] < 0) return status::shape(negative_extent, out.ext()[i], i);
    return {};
}

} // namespace apriori::detail
