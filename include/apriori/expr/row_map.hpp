// SPDX-License-Identifier: Apache-2.0
// Where row r of a tensor begins, once a kernel has flattened all but the last axis.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/tensor/extents.hpp"

#include <type_traits>

namespace apriori {

/// Maps row r to an offset in elements. There are up to three leading axes, each with its own stride. Axes that are
/// contiguous with their neighbours are merged when the map is made, so the common case is one multiplication.
struct row_map {
    index_t inner_count = 0;  ///< rows of the innermost leading axis; 0: it is the only one
    index_t middle_count = 0; ///< extent of the axis before it; 0: there is none
    index_t inner = 0;        ///< strides in elements
    index_t middle = 0;
    index_t outer = 0;

    // the common case is a separate function, small enough to be inlined for each of many operands
    APRIORI_HD constexpr index_t operator()(index_t r) const noexcept { return uniform() ? r * inner : grouped(r); }
    /// True where row r lies at r * inner.
    APRIORI_HD constexpr bool uniform() const noexcept { return inner_count == 0; }

    /// The offset of row r if there are leading axes that do not merge.
    APRIORI_HD constexpr index_t grouped(index_t r) const noexcept {
        const index_t q = r / inner_count;
        const index_t i = r - q * inner_count;
        if (middle_count == 0) return q * middle + i * inner;
        const index_t o = q / middle_count;
        return o * outer + (q - o * middle_count) * middle + i * inner;
    }

    /// From the extents and strides of `count` <= 3 leading axes, outermost first.
    static constexpr row_map of(const index_t* sizes, const index_t* strides, int count) noexcept {
        if (count > 1) return merged(sizes, strides, count);
        row_map m;
        if (count == 1 && sizes[0] != 1) m.inner = strides[0];
        return m;
    }

private:
    static constexpr row_map merged(const index_t* sizes, const index_t* strides, int count) noexcept {
        index_t n[3]{}, s[3]{};
        int top = 0; // merged axes, innermost first
        for (int i = count - 1; i >= 0; --i) {
            if (sizes[i] == 1) continue;
            if (top > 0 && strides[i] == s[top - 1] * n[top - 1])
                n[top - 1] *= sizes[i];
            else {
                n[top] = sizes[i];
                s[top] = strides[i];
                ++top;
            }
        }
        row_map m;
        m.inner = s[0];
        m.middle = s[1];
        m.outer = s[2];
        if (top > 1) m.inner_count = n[0];
        if (top > 2) m.middle_count = n[1];
        return m;
    }
};

/// The same for any number of leading axes: for tensors of five or more axes.
template <int Axes>
struct long_row_map {
    index_t sizes[to_size(Axes)]{}, strides[to_size(Axes)]{};

    APRIORI_HD constexpr index_t operator()(index_t r) const noexcept {
        index_t offset = 0;
        for (int i = Axes - 1; i > 0; --i) {
            const index_t rest = r / sizes[i];
            offset += (r - rest * sizes[i]) * strides[i];
            r = rest;
        }
        return offset + r * strides[0];
    }
    APRIORI_HD static constexpr bool uniform() noexcept { return false; }

    static constexpr long_row_map of(const index_t* sizes, const index_t* strides, int) noexcept {
        long_row_map m;
        for (int i = 0; i < Axes; ++i) m.sizes[i] = sizes[i], m.strides[i] = strides[i];
        return m;
    }
};

/// The map of a tensor's rows, by the number of its axes.
template <int Rank>
using row_map_of_rank = std::conditional_t<(Rank <= 4), row_map, long_row_map<Rank - 1>>;

} // namespace apriori
