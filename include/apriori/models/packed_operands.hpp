// SPDX-License-Identifier: Apache-2.0
// A model's packed memory as operands of expressions; its layout is a constant of the type.
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/normalize.hpp"
#include "apriori/models/parameter_table.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A canonical configuration as a type, for layouts, operands and weights. parameters_of(Config) is its table.
template <auto Config>
struct model_of {
    static constexpr auto config = Config;
    static constexpr parameter_table parameters = parameters_of(Config);
};

/// The place of each slot: first those outside of layers, then those of each layer; a table that may grow comes last.
struct packed_layout {
    struct place {
        std::string_view slot{};
        bool in_block = false, packed = false, table = false, grows = false;
        index_t n = 0, k = 1; ///< a matrix or a table [n, k], or a vector [n]
        std::size_t offset = 0, bytes = 0;
    };

    std::array<place, 50> places{};
    std::size_t count = 0;
    std::size_t block_bytes = 0; ///< of one layer
    std::size_t bytes = 0;       ///< in all

    /// `Packed` is a device's handle to packed matrices of a format.
    template <class Packed>
    static constexpr packed_layout of(const parameter_table& table) {
        packed_layout l;
        l.place_all(table, [](index_t n, index_t k) { return Packed::stored_bytes(n, k); });
        return l;
    }

    /// The place of this name; one past the last if there is none.
    constexpr const place& at(std::string_view name) const { return places[index_of(name)]; }
    constexpr bool has(std::string_view name) const { return index_of(name) < count; }
    constexpr std::size_t offset(const place& p, int layer = 0) const {
        return p.offset + (p.in_block ? to_size(layer) * block_bytes : 0);
    }
    constexpr std::span<const place> all() const { return {places.data(), count}; }
    /// Bytes in all if the table that grows has `added_rows` more rows.
    constexpr std::size_t bytes_with(index_t added_rows) const {
        std::size_t n = bytes;
        for (const place& p : all())
            if (p.grows) n += plain_bytes(p.n + added_rows, p.k) - p.bytes;
        return n;
    }

private:
    /// Bytes of a vector or a table.
    static constexpr std::size_t plain_bytes(index_t n, index_t k) {
        return to_size(round_up(n * k * 4, index_t{buffer_alignment}));
    }
    constexpr void place_all(const parameter_table& table, auto stored_bytes) {
        for (const auto& c : table.all_constants()) slot(c.slot).n = c.n;
        for (const parameter& p : table) {
            place& s = slot(p.slot);
            s.in_block = p.in_block();
            s.packed = p.packed;
            s.table = p.table;
            s.grows = p.grows;
            s.k = p.width();
            s.n = (std::max)(s.n, p.row + p.rows());
        }
        for (const bool block : {false, true}) {
            const std::size_t begin = bytes;
            for (std::size_t i = 0; i < count; ++i)
                if (place& p = places[i]; p.in_block == block && !p.grows) {
                    p.offset = bytes;
                    p.bytes = p.packed ? stored_bytes(p.n, p.k) : plain_bytes(p.n, p.k);
                    bytes += p.bytes;
                }
            if (block) block_bytes = bytes - begin;
        }
        bytes += block_bytes * to_size(table.layers - 1);
        for (std::size_t i = 0; i < count; ++i)
            if (place& p = places[i]; p.grows) {
                p.offset = bytes;
                p.bytes = plain_bytes(p.n, p.k);
                bytes += p.bytes;
            }
    }
    constexpr std::size_t index_of(std::string_view name) const {
        std::size_t i = 0;
        while (i < count && places[i].slot != name) ++i;
        return i;
    }
    constexpr place& slot(std::string_view name) {
        place& p = places[index_of(name)];
        if (p.slot.empty()) {
            p.slot = name;
            ++count;
        }
        return p;
    }
};

/// Compile error for a weight that a model does not have.
template <class Model, class Name, bool There>
struct weight_of_model {
    static_assert(There,
                  "apriori: the model has no weight of this name; the template arguments of weight_of_model name both");
    static constexpr bool value = There;
};

/// The weights of a model as operands of expressions, over the memory at `base`; without
/// memory null operands, for plans.
template <class Model, class Packed>
struct packed_operands {
    using packed = Packed;
    static constexpr packed_layout layout = packed_layout::of<Packed>(Model::parameters);

    std::byte* base = nullptr;
    int of_layer = 0;
    index_t added_rows = 0; ///< of the table that grows

    /// The weight of that name (a weight_name): a `weight` [out, in], a view [rows, columns] of a
    /// table, or a view [n] of a vector.
    template <class Name>
    constexpr auto operator[](Name) const {
        static_assert(weight_of_model<Model, Name, layout.has(Name::view)>::value);
        constexpr auto place = layout.at(Name::view);
        constexpr auto n = place.n, k = place.k;
        constexpr std::size_t first = layout.offset(place), step = place.in_block ? layout.block_bytes : 0;
        std::byte* const there = base == nullptr ? nullptr : base + first + to_size(of_layer) * step;
        if constexpr (place.packed) {
            using W = weight<Packed, n, k>;
            return there == nullptr ? W{} : W{Packed(there, n, k)};
        } else if constexpr (place.grows) {
            const auto* rows = there == nullptr ? nullptr : reinterpret_cast<const float*>(there);
            return view<const float, extents<dyn, k>>(rows, extents<dyn, k>(n + added_rows));
        } else {
            using V = view<const float, std::conditional_t<place.table, extents<n, k>, extents<n>>>;
            return there == nullptr ? V{} : V(reinterpret_cast<const float*>(there), {});
        }
    }
    /// x [.., in] by the matrix and bias of that name.
    template <class Name, class X>
    constexpr auto linear(Name, const X& x) const {
        return apriori::linear(x, (*this)[weight_of<Name>{}], (*this)[bias_of<Name>{}]);
    }
    /// x [.., n] normalised with the vectors of that name.
    template <class Name, class X>
    constexpr auto layer_norm(Name, const X& x, float eps = 1e-5f) const {
        return apriori::layer_norm(x, (*this)[weight_of<Name>{}], (*this)[bias_of<Name>{}], eps);
    }
    template <class Name, class X>
    constexpr auto rms_norm(Name, const X& x) const {
        return apriori::rms_norm(x, (*this)[weight_of<Name>{}]);
    }
    /// The weights of a layer, whose names have no prefix.
    constexpr packed_operands layer(int i) const { return {base, i, added_rows}; }

private:
    template <class Name>
    using weight_of = weight_name<Name::text + ".weight">;
    template <class Name>
    using bias_of = weight_name<Name::text + ".bias">;
};

/// The address of the block of a model's packed weights, in the device's memory, and its identity. It owns nothing.
template <class Operands>
struct weight_block {
    const std::byte* base = nullptr;
    std::uint64_t hash = 0; ///< of the configuration, the format and every weight
    index_t added_rows = 0; ///< of the table that grows

    Operands operands() const noexcept { return {const_cast<std::byte*>(base), 0, added_rows}; }
    std::span<const std::byte> bytes() const noexcept { return {base, Operands::layout.bytes_with(added_rows)}; }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
