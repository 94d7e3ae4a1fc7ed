// SPDX-License-Identifier: Apache-2.0
// PriorTransformer's packed memory as operands of expressions: its layout is a constant of the type.
#pragma once

#include "apriori/expr/linear.hpp"
#include "apriori/models/prior_parameters.hpp"

#include <algorithm>

namespace apriori {

/// Where each slot lies. `Packed` is a device's handle to packed matrices of a format.
template <PriorConfig C, class Packed>
struct prior_layout {
    struct place {
        bool used = false, packed = false;
        index_t n = 0, k = 1; ///< a matrix [n, k], or a vector [n]
        std::size_t offset = 0;
    };
    static constexpr std::size_t slots = index_of(slot::count);

    std::array<place, slots> places{};
    std::size_t block_bytes = 0; ///< of one layer
    std::size_t bytes = 0;       ///< in all

    constexpr prior_layout() {
        const auto reserve = [this](slot s, index_t n) {
            places[index_of(s)].used = true;
            places[index_of(s)].n = std::max(places[index_of(s)].n, n);
        };
        reserve(slot::frequencies, C.inner_dim() / 2);
        reserve(slot::zeros, C.inner_dim());
        for (const parameter& p : prior_parameters(C)) {
            place& at = places[index_of(p.where)];
            at.packed = p.packed;
            if (p.packed) at.k = p.dims[1];
            reserve(p.where, p.row + (p.packed ? p.dims[0] : p.size()));
        }
        for (std::size_t i = 0; i < slots; ++i) {
            std::size_t& end = i < index_of(slot::norm1) ? bytes : block_bytes;
            places[i].offset = end;
            if (places[i].used) end += stored_bytes(places[i]);
        }
        for (std::size_t i = index_of(slot::norm1); i < slots; ++i) places[i].offset += bytes;
        bytes += block_bytes * static_cast<std::size_t>(C.num_layers);
    }

    static constexpr std::size_t stored_bytes(const place& p) {
        if (p.packed) return Packed::stored_bytes(p.n, p.k);
        return static_cast<std::size_t>(round_up(p.n * 4, static_cast<index_t>(buffer_alignment)));
    }
    constexpr std::size_t offset(slot s, int layer = 0) const {
        return places[index_of(s)].offset + (s >= slot::norm1 ? static_cast<std::size_t>(layer) * block_bytes : 0);
    }
};

/// Operands of expressions over the memory at `base`; null operands over none, for plans.
template <PriorConfig C, class Packed>
struct prior_operands {
    static constexpr prior_layout<C, Packed> layout{};
    static constexpr auto place_of(slot s) { return layout.places[index_of(s)]; }

    std::byte* base = nullptr;

    template <slot S>
    constexpr auto vector(int layer = 0) const {
        using V = view<const float, extents<place_of(S).n>>;
        return base == nullptr ? V{} : V(reinterpret_cast<const float*>(base + layout.offset(S, layer)), {});
    }
    template <slot S>
    constexpr auto matrix(int layer = 0) const {
        using W = weight<Packed, place_of(S).n, place_of(S).k>;
        return base == nullptr ? W{} : W{packed<S>(layer)};
    }

private:
    template <slot S>
    Packed packed(int layer) const {
        return Packed(base + layout.offset(S, layer), place_of(S).n, place_of(S).k);
    }
};

} // namespace apriori
