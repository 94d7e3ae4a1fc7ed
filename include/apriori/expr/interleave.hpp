// SPDX-License-Identifier: Apache-2.0
// The primitive that writes element-wise operands side by side, stacked along a new last axis: the parts of complex
// numbers, for example.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/axes.hpp"
#include "apriori/expr/check_memory.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/plain_row.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace ops {

/// out[r, c * stride + k] = programs[k][r, c].
template <class Out, class... Programs>
struct map_interleaved {
    el::pack<Programs...> programs;
    Out out;
    index_t stride; ///< of the columns
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "map_interleaved", .rows = rows, .cols = cols};
        el::unpack([&](const auto&... p) { (l.add_epilogue<typename Out::element>(p, rows, cols), ...); }, programs);
        return l;
    }
    /// Computes the elements of column c in plain loops.
    constexpr void run_column(index_t r, index_t c) const {
        typename Out::element x[sizeof...(Programs)]{};
        auto* to = x;
        el::unpack([&](const auto&... p) { (put(to++, p.row(r).at(c, 0.0f)), ...); }, programs);
        for (std::size_t k = 0; k < sizeof...(Programs); ++k) out.row(r)[c * stride + index_t(k)] = x[k];
    }
    /// For devices that work in host memory and have no kernel for it.
    template <class Device>
    requires(Device::is_host)
    constexpr status run_on(Device&) const {
        for (index_t r = 0; r < rows; ++r)
            for (index_t c = 0; c < cols; ++c) run_column(r, c);
        return {};
    }
};

} // namespace ops

namespace detail {

/// x without its last axis, which has one element.
template <class X>
constexpr auto without_last_axis(const X& x) {
    constexpr int last = extents_of<X>::rank - 1;
    if constexpr (is_view<X>)
        return squeeze_op<last>{}(x);
    else
        return x.x;
}
template <class X>
inline constexpr bool loses_last_axis = is_view<X> && extents_of<X>::rank > 1 &&
                                        extents_of<X>::fixed(extents_of<X>::rank - 1) == 1;
template <int Axis, class X>
inline constexpr bool
    loses_last_axis<view_op_node<expand_dims_op<Axis>, X>> = Axis > 0 && Axis == extents_of<X>::rank &&
                                                             (leaf<X> || (is_elementwise<X> && anchor_count<X> == 0));

/// Element k of the last axis of a result.
template <class T, class E, layout L>
constexpr auto part_of_last_axis(const view<T, E, L>& out, index_t k) {
    return squeeze_op<E::rank - 1>{}(slice_view<E::rank - 1, 1>(out, k, 1));
}

/// True if no part reads what another one writes.
template <class Out, class... X>
bool parts_keep_apart(const Out& out, const X&... parts) {
    if (!(spoils<-1, 0>(byte_view(out), parts) || ...)) return true;
    bool apart = true;
    for (index_t k = 0; k < index_t{sizeof...(X)}; ++k) {
        const auto written = part_of_last_axis(out, k);
        apart = apart && !(spoils<-1, 0>(byte_view(written), parts) || ...);
    }
    return apart;
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
