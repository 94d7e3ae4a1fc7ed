// SPDX-License-Identifier: Apache-2.0
// A few values of different types, for nodes and programs: std::tuple is not for device code and is slow to compile.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstddef>
#include <utility>

namespace apriori::el {

template <std::size_t Is, class T>
struct pack_element {
    T value;
};
template <class Indices, class... T>
struct indexed_pack;
template <std::size_t... Is, class... T>
struct indexed_pack<std::index_sequence<Is...>, T...> : pack_element<Is, T>... {};

/// An aggregate: pack<A, B>{{a}, {b}}.
template <class... T>
using pack = indexed_pack<std::index_sequence_for<T...>, T...>;

template <std::size_t Is, class T>
APRIORI_HD constexpr const T& get(const pack_element<Is, T>& p) noexcept {
    return p.value;
}

/// Calls f with all values.
template <class F, std::size_t... Is, class... T>
constexpr decltype(auto) unpack(F&& f, const indexed_pack<std::index_sequence<Is...>, T...>& p) {
    return f(get<Is>(p)...);
}

} // namespace apriori::el
