// SPDX-License-Identifier: Apache-2.0
// The table of a model's parameters: names, shapes, and their places in packed memory. Loading, packing, checking and
// counting all read it, and operands are named by it (models/packed_operands.hpp).
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/tensor_source.hpp"

#include <array>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// One tensor of the state dict: "prefix" + "name", in which "{}" stands for the layer. It is stored in a slot, either
/// alone or with others that are used as one: then it begins at `row`.
struct parameter {
    std::string_view prefix{}, name{};
    std::string_view slot{}; ///< its name as an operand; that of a layer's parameter exists once for each layer
    int rank = 0;
    std::array<index_t, 4> dims{};
    bool packed = false; ///< a matrix in the device's layout: dims[0] rows, the product of the others wide
    index_t row = 0;     ///< rows of a matrix, elements of a vector
    float scale = 1;     ///< its elements are multiplied by this when they are packed
    bool table = false;  ///< not packed: rows of the last dimension, and not a single vector
    bool grows = false;  ///< a table outside of layers, alone in its slot, to which a file may have added rows

    constexpr bool in_block() const noexcept { return prefix.find("{}") != std::string_view::npos; }
    constexpr index_t size() const noexcept {
        index_t n = 1;
        for (int i = 0; i < rank; ++i) n *= at(dims, i);
        return n;
    }
    constexpr index_t width() const noexcept { return packed ? size() / dims[0] : table ? at(dims, rank - 1) : 1; }
    constexpr index_t rows() const noexcept { return size() / width(); }
};

/// The place of a parameter whose operand has another name than in the state dict, or is only a part of the slot.
struct placed {
    std::string_view slot{};
    index_t row = 0;
    float scale = 1;
};

/// The parameters of a model in the order of its state dict, and its constants.
struct parameter_table {
    /// A vector that is not a parameter: its elements are constant_of(config, slot, i, n).
    struct constant {
        std::string_view slot{};
        index_t n = 0;
    };

    int layers = 0;
    std::array<parameter, 48> rows{};
    int count = 0;
    std::array<constant, 2> constants{};
    int constant_count = 0;
    std::string_view prefix{}; ///< prefix of the rows that are added next

    /// Adds a parameter, in a slot of its name unless `where` has one.
    constexpr parameter& add(std::string_view name, int rank, std::array<index_t, 4> dims, placed where = {}) {
        parameter& p = at(rows, count++);
        p = {.prefix = prefix,
             .name = name,
             .slot = where.slot.empty() ? name : where.slot,
             .rank = rank,
             .dims = dims,
             .row = where.row,
             .scale = where.scale};
        return p;
    }
    constexpr void vector(std::string_view name, index_t n, placed where = {}) { add(name, 1, {n}, where); }
    constexpr void matrix(std::string_view name, index_t out, index_t in, placed where = {}) {
        add(name, 2, {out, in}, where).packed = true;
    }
    constexpr void add_constant(std::string_view slot, index_t n) { at(constants, constant_count++) = {slot, n}; }
    constexpr std::span<const constant> all_constants() const {
        return std::span(constants).first(to_size(constant_count));
    }
    constexpr const parameter* begin() const { return rows.data(); }
    constexpr const parameter* end() const { return rows.data() + count; }
    /// How many times a parameter occurs.
    constexpr int layers_of(const parameter& p) const { return p.in_block() ? layers : 1; }
};

/// The factor of attention scores, 1 / sqrt(head_dim), if it is a power of two, and so can be multiplied into the
/// queries' weights without changing a bit of any score; else 1.
constexpr float folded_attention_scale(int head_dim) noexcept {
    float scale = 1;
    for (int d = 1; d <= head_dim; d *= 4, scale /= 2)
        if (d == head_dim) return scale;
    return 1;
}
/// The factor that attention scores are still multiplied by after packing.
constexpr float remaining_attention_scale(int head_dim) noexcept {
    if (folded_attention_scale(head_dim) != 1.0f) return 1.0f;
    float root = float(head_dim); // Newton's iteration: std::sqrt is not constexpr
    for (int i = 0; i < 64; ++i) root = 0.5f * (root + float(head_dim) / root);
    return 1.0f / root;
}

/// The number of parameters in a configuration's state dict.
constexpr std::int64_t parameter_count(const auto& config) {
    const auto table = parameters_of(canonical(config));
    std::int64_t n = 0;
    for (const auto& p : table) n += p.size() * table.layers_of(p);
    return n;
}

/// The name of a parameter in a layer.
inline std::string parameter_name(const parameter& p, int layer) {
    std::string pattern(p.prefix);
    pattern += p.name;
    const auto at = pattern.find("{}");
    if (at == std::string::npos) return pattern;
    return std::string(pattern, 0, at).append(std::to_string(layer)).append(pattern, at + 2);
}

/// The names and shapes of a configuration's whole state dict, as a list that owns its names.
class tensor_list {
public:
    template <class Config>
    explicit tensor_list(const Config& config) : tensor_list(parameters_of(canonical(config))) {}
    /// From a table of parameters; tables that grow get `added_rows` more rows.
    explicit tensor_list(const parameter_table& table, index_t added_rows = 0) {
        for (const auto& p : table)
            for (int layer = 0; layer < table.layers_of(p); ++layer) {
                tensor_info t;
                t.name = names_.emplace_back(parameter_name(p, layer));
                t.rank = p.rank;
                for (std::size_t i = 0; i < p.dims.size(); ++i) t.dims[i] = p.dims[i];
                if (p.grows) t.dims[0] += added_rows;
                infos_.push_back(t);
            }
    }
    const std::vector<tensor_info>& infos() const noexcept { return infos_; }

private:
    std::deque<std::string> names_;
    std::vector<tensor_info> infos_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
