// SPDX-License-Identifier: Apache-2.0
// Prints shapes, views and tensors to a std::ostream, as NumPy does.
#pragma once

#include "apriori/tensor/tensor.hpp"

#include <ostream>
#include <string>

namespace apriori {

/// Prints [4, 64].
template <index_t... S>
std::ostream& operator<<(std::ostream& out, const extents<S...>& shape) {
    out << '[';
    for (int i = 0; i < extents<S...>::rank; ++i) out << (i == 0 ? "" : ", ") << shape[i];
    return out << ']';
}

namespace detail {

/// With more elements than this, only the first and last three of each axis are printed.
inline constexpr index_t printed_whole = 1000;

/// Prints a number, also if it is stored in a byte.
template <class T>
void print_number(std::ostream& out, T x) {
    if constexpr (sizeof(T) == 1)
        out << int{x};
    else
        out << x;
}

/// Prints x, `indent` characters from the left. Elements of a row share a line; rows and larger parts start new lines.
template <class T, class E, layout L>
void print(std::ostream& out, const view<T, E, L>& x, bool whole, int indent) {
    if constexpr (E::rank == 0)
        print_number(out, x());
    else {
        const index_t n = x.ext()[0];
        const std::string next =
            E::rank == 1 ? ", "
                         : "," + std::string(std::size_t{E::rank - 1}, '\n') + std::string(to_size(indent + 1), ' ');
        out << '[';
        for (index_t i = 0; i < n; ++i) {
            if (i > 0) out << next;
            if (!whole && n > 6 && i == 3) {
                out << "...";
                i = n - 4;
            } else if constexpr (E::rank == 1)
                print_number(out, x[i]);
            else
                print(out, x[i], whole, indent + 1);
        }
        out << ']';
    }
}

} // namespace detail

/// Prints [[1, 2],
///         [3, 4]], in the stream's number format.
template <class T, class E, layout L>
std::ostream& operator<<(std::ostream& out, const view<T, E, L>& x) {
    if (x.data == nullptr && x.size() > 0) return out << "no memory for " << x.ext();
    detail::print(out, x, x.size() <= detail::printed_whole, 0);
    return out;
}
template <class T, class E, class S>
std::ostream& operator<<(std::ostream& out, const tensor<T, E, S>& x) {
    return out << x.view();
}

} // namespace apriori
