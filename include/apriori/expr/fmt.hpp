// SPDX-License-Identifier: Apache-2.0
// Formats expressions and plans with {fmt} and std::format, as expr/print.hpp prints them. Includes all of
// tensor/fmt.hpp.
#pragma once

#include "apriori/expr/print.hpp"
#include "apriori/tensor/fmt.hpp"

namespace apriori::detail {

/// An expression that is neither a view nor a tensor.
template <class X>
concept printed_node = expression<X> && !is_view<X> && !is_tensor<X>;

} // namespace apriori::detail

#if APRIORI_HAS_FMT
template <apriori::detail::printed_node X>
struct fmt::formatter<X, char> : apriori::detail::fmt_formatter {};
template <int Capacity>
struct fmt::formatter<apriori::launch_plan<Capacity>, char> : apriori::detail::fmt_formatter {};
#endif
#if defined(__cpp_lib_format)
template <apriori::detail::printed_node X>
struct std::formatter<X, char> : apriori::detail::std_formatter {};
template <int Capacity>
struct std::formatter<apriori::launch_plan<Capacity>, char> : apriori::detail::std_formatter {};
#endif
