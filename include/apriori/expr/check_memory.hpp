// SPDX-License-Identifier: Apache-2.0
// What an assignment checks about the memory that it reads and writes, before anything runs: that the destination has
// memory, that no extent is negative, that the destination overwrites nothing that is still to be read, and that
// gathered rows exist.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/anchors.hpp"
#include "apriori/expr/row_reduction.hpp"
#include "apriori/expr/shape_ops.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace apriori::detail {

/// The bytes of a view: `rows` blocks of `width` bytes, `stride` bytes apart.
struct byte_blocks {
    std::uintptr_t first = 0, width = 0, stride = 0, rows = 0;
    bool filled = false; ///< no block has gaps

    constexpr std::uintptr_t last() const { return first + (rows - 1) * stride + width; }
};

/// A view of any type, in bytes. Refers to the view.
struct byte_view {
    std::uintptr_t first;
    std::size_t element;
    int rank;
    const index_t *extents, *strides;

    template <class T, class E, layout L>
    explicit byte_view(const view<T, E, L>& v)
        : first(std::bit_cast<std::uintptr_t>(v.data)),
          element(sizeof(T)),
          rank(E::rank),
          extents(v.shape.sizes.data()),
          strides(v.strides.data()) {}
};

constexpr index_t magnitude(index_t stride) { return stride < 0 ? -stride : stride; }

/// The lowest address of a view: that of the last element on axes with negative strides.
inline std::uintptr_t first_byte(const byte_view& v) {
    std::uintptr_t first = v.first;
    for (int i = 0; i < v.rank; ++i)
        if (v.extents[i] > 1 && v.strides[i] < 0)
            first -= std::uintptr_t((v.extents[i] - 1) * -v.strides[i]) * v.element;
    return first;
}

/// Blocks along the axis of largest stride; rows is 0 if there are no elements.
inline byte_blocks blocks_of(const byte_view& v) {
    byte_blocks b{first_byte(v), v.element, 0, 1, false};
    index_t inside = 1; // elements of a block
    int outer = -1;
    for (int i = 0; i < v.rank; ++i) {
        if (v.extents[i] < 1) return {};
        if (v.extents[i] > 1 && (outer < 0 || magnitude(v.strides[i]) > magnitude(v.strides[outer]))) outer = i;
    }
    for (int i = 0; i < v.rank; ++i) {
        if (i == outer) continue;
        inside *= v.extents[i];
        b.width += std::uintptr_t((v.extents[i] - 1) * magnitude(v.strides[i])) * v.element;
    }
    b.filled = to_size(inside) * v.element == b.width;
    if (outer >= 0) {
        b.rows = std::uintptr_t(v.extents[outer]);
        b.stride = std::uintptr_t(magnitude(v.strides[outer])) * v.element;
    }
    if (b.filled && b.stride <= b.width) { // the blocks form one
        b.width += (b.rows - 1) * b.stride;
        b.rows = 1, b.stride = b.width;
    }
    return b;
}

/// True if both certainly share a byte. Interleaved blocks of equal strides, such as columns of one matrix, are told
/// apart; views with other gaps may share bytes undetected.
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

/// True if each element of v, broadcast into the result in `out`, lies where the element of the result is written.
inline bool at_the_same_place(const byte_view& out, const byte_view& v) {
    const int shift = out.rank - v.rank;
    for (int i = 0; i < out.rank; ++i)
        if (out.extents[i] > 1 && (i < shift || v.extents[i - shift] == 1 || v.strides[i - shift] != out.strides[i]))
            return false;
    return true;
}

/// True if writing out spoils v. `in_order`: elements that are read where they are written do not count.
bool spoils_view(const byte_view& out, const byte_view& v, bool in_order);

#if APRIORI_DEFINITIONS

/// The address past the last byte of a view; its first byte if it has no elements.
inline std::uintptr_t end_of(const byte_view& v) {
    index_t last = 1;
    for (int i = 0; i < v.rank; ++i) {
        if (v.extents[i] < 1) return first_byte(v);
        last += (v.extents[i] - 1) * magnitude(v.strides[i]);
    }
    return first_byte(v) + v.element * std::uintptr_t(last);
}
/// spoils_view for views whose address ranges overlap. A separate function, so that all others are decided quickly.
APRIORI_NOINLINE inline bool spoils_entwined(const byte_view& out, const byte_view& v, bool in_order) {
    if (in_order && out.first == v.first && out.element == v.element && at_the_same_place(out, v)) return false;
    return surely_overlap(blocks_of(out), blocks_of(v));
}
APRIORI_FUNCTION bool spoils_view(const byte_view& out, const byte_view& v, bool in_order) {
    if (end_of(v) <= first_byte(out) || end_of(out) <= first_byte(v)) return false;
    return spoils_entwined(out, v, in_order);
}

#endif

/// Calls body(operand) for each operand of a node.
template <class X, class Body>
constexpr void for_children(const X& x, const Body& body) {
    const auto each = [&](const auto&... a) { (body(a), ...); };
    if constexpr (requires { x.args; })
        el::unpack(each, x.args);
    else if constexpr (requires { x.operands; })
        el::unpack(each, x.operands);
    else if constexpr (requires { x.a, x.b; })
        each(x.a, x.b);
    else if constexpr (requires { x.own; })
        each(x.own);
    else if constexpr (requires { x.x; })
        each(x.x);
}
/// Calls body(leaf) for each leaf of x; `Fused`: only for those that one kernel reads.
template <bool Fused, class X, class Body>
constexpr void for_leaves(const X& x, const Body& body) {
    if constexpr (leaf<X>)
        body(x);
    else if constexpr (!Fused || is_elementwise<X> || requires { requires X::is_prologue; })
        for_children(x, [&](const auto& a) { for_leaves<Fused>(a, body); });
}
/// Calls body(leaf) for each leaf that the kernel of an anchor reads from memory that already exists.
template <class X, class Body>
constexpr void for_inputs(const X& anchor, const Body& body) {
    for_children(anchor, [&](const auto& a) { for_leaves<true>(a, body); });
}

/// True if writing `out` spoils a leaf. `in_order`: elements that are read where they are written do not count.
template <class Leaf>
bool spoils_leaf(const byte_view& out, const Leaf& leaf, bool in_order) {
    if constexpr (is_view<Leaf>)
        return spoils_view(out, byte_view(leaf), in_order);
    else if constexpr (requires { leaf.table, leaf.rows; })
        return spoils_view(out, byte_view(leaf.table), false) || spoils_view(out, byte_view(leaf.rows), false);
    else if constexpr (requires { leaf.as_view(); }) {
        const auto v = leaf.as_view();
        return spoils_view(out, byte_view(v), in_order);
    } else
        return false;
}

template <int Root, int First, class X>
bool spoils(const byte_view& out, const X& x);
template <int Root, int First, class F, class... A, int... Is>
APRIORI_INLINE bool spoils_an_operand(const byte_view& out, const elementwise_node<F, A...>& x,
                                      std::integer_sequence<int, Is...>) {
    return (spoils<Root, First + first_anchor<Is, A...>>(out, el::get<Is>(x.args)) || ...);
}
/// True if writing `out` spoils an operand of x. Anchor number Root is computed together with what is around it; other
/// anchors are written to temporaries before.
template <int Root, int First, class X>
bool spoils(const byte_view& out, const X& x) {
    if constexpr (leaf<X>)
        return spoils_leaf(out, x, true);
    else if constexpr (is_elementwise<X>)
        return spoils_an_operand<Root, First>(out, x, std::make_integer_sequence<int, argument_count<X>>{});
    else if constexpr (First == Root) {
        bool any = false;
        for_inputs(x, [&](const auto& v) { any = any || spoils_leaf(out, v, requires { X::is_prologue; }); });
        return any;
    } else
        return false;
}

/// True for an anchor that writes to a destination directly, without an epilogue.
template <class X, class Out>
inline constexpr bool lowers_into = [] {
    if constexpr (anchor<X> && Out::memory_layout != layout::strided)
        return epilogue_worth<X> == 0 && same_extents<extents_of<X>, extents_of<Out>> && writes_to<X, output_of_t<Out>>;
    else
        return false;
}();
/// True for an anchor that only makes assignments, which are checked one by one.
template <class X>
inline constexpr bool assigns = requires { requires X::assigns; };
/// True if writing `out` spoils what such an anchor reads. With `reads_in_order` it may read an element at the place
/// where it writes it.
template <class X>
bool spoils_inputs(const byte_view& out, const X& x) {
    bool any = false;
    if constexpr (requires { x.spoiled_by(out); })
        any = x.spoiled_by(out);
    else if constexpr (!assigns<X>)
        for_inputs(x,
                   [&](const auto& v) { any = any || spoils_leaf(out, v, requires { requires X::reads_in_order; }); });
    return any;
}

/// Calls body(leaf) for each leaf of a reduction that is part of a kernel with a result of shape R.
template <class R, class X, class Body>
void for_reduced_leaves(const X& x, const Body& body) {
    if constexpr (leaf<X>)
        body(x);
    else if constexpr (is_elementwise<X>)
        for_children(x, [&](const auto& a) { for_reduced_leaves<R>(a, body); });
    else if constexpr (is_row_reduction<X, R>)
        for_reduced_leaves<R>(x.x, body);
}
/// True if writing `out` spoils a row that a kernel with a result of shape R reduces as well. Writing the row itself
/// does no harm, because it is reduced before.
template <class R, int Root, int First = 0, class X>
bool spoils_reduced_rows(const byte_view& out, const X& x) {
    if constexpr (is_elementwise<X>)
        return
            [&]<class F, class... A, int... Is>(const elementwise_node<F, A...>& e, std::integer_sequence<int, Is...>) {
                return (spoils_reduced_rows<R, Root, First + first_anchor<Is, A...>>(out, el::get<Is>(e.args)) || ...);
            }(x, std::make_integer_sequence<int, argument_count<X>>{});
    else if constexpr (is_row_reduction<X, R>) {
        bool any = false;
        for_reduced_leaves<R>(x.x, [&](const auto& v) { any = any || spoils_leaf(out, v, First != Root); });
        return any;
    } else
        return false;
}

/// True if a part of a concatenation overwrites what a later part reads.
template <class Out, class X>
bool spoils_a_later_part(const Out& out, const X& x) {
    bool any = false;
    if constexpr (is_concat<X>) {
        index_t first = 0;
        int writing = 0;
        const auto write = [&](const auto& part) {
            const index_t count = part.ext()[X::axis];
            const auto to = slice_view<X::axis, dyn>(out, first, count);
            const byte_view bytes(to);
            int reading = 0;
            for_children(x, [&](const auto& other) {
                if (reading++ > writing)
                    for_leaves<false>(other, [&](const auto& leaf) { any = any || spoils_leaf(bytes, leaf, false); });
            });
            first += count;
            ++writing;
        };
        for_children(x, write);
    }
    return any;
}

template <fixed_string Operation>
inline constexpr auto no_such_row = Operation + ": an index is not a row of the table (axis 0)";
/// An error for the first index that is below 0 or not below n. Reads memory on the host.
template <fixed_string Operation>
constexpr status check_rows(const auto& rows, index_t n) {
    for (const std::int32_t row : rows.flat())
        if (row < 0 || row >= n) return status::invalid(no_such_row<Operation>.text, row, n);
    return {};
}
/// The same for each gather in x.
template <class X>
status check_indices(const X& x) {
    status s;
    if constexpr (!gathers<X>) return s;
    for_leaves<false>(x, [&](const auto& leaf) {
        if constexpr (requires { leaf.table, leaf.rows; })
            if (s) s = check_rows<"gather">(leaf.rows, leaf.table.ext()[0]);
    });
    return s;
}

} // namespace apriori::detail
