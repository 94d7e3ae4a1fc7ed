// SPDX-License-Identifier: Apache-2.0
// The primitive that writes to destinations with gaps between their elements: columns of a matrix, parts of complex
// numbers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/plain_row.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace ops {

/// out[r, c * stride] = program[r, c].
template <class Program, class Out>
struct map_strided {
    Program program;
    Out out;
    index_t stride; ///< of the columns
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "map_strided", .rows = rows, .cols = cols};
        l.add_epilogue<typename Out::element>(program, rows, cols);
        return l;
    }
    APRIORI_HD constexpr void run_element(index_t r, index_t c) const {
        put(out.row(r) + c * stride, program.row(r).at(c, 0.0f));
    }
    /// For devices that work in host memory and have no kernel for it.
    template <class Device>
    requires(Device::is_host)
    constexpr status run_on(Device&) const {
        for (index_t r = 0; r < rows; ++r)
            for (index_t c = 0; c < cols; ++c) run_element(r, c);
        return {};
    }
};

} // namespace ops

namespace detail {

/// The launch that writes a program to a view with any strides.
template <class P, class T, class E, layout L>
constexpr auto strided_map(const P& program, const view<T, E, L>& out) {
    using to = ops::output_to<T, row_map_of_rank<E::rank>>;
    return ops::map_strided<P, to>{program, to{out.data, leading_map(out, out.ext())}, out.stride(E::rank - 1),
                                   out.ext().rows(), out.ext().cols()};
}

} // namespace detail

} // namespace apriori
APRIORI_END_EXACT_MATH
