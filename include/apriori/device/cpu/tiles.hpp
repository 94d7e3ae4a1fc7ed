// SPDX-License-Identifier: Apache-2.0
// Matrix units: products of tiles, 16 rows of 64 bytes each.
//
// A left tile has 16 rows of 32 bfloat16 or 64 bytes. A right tile has a row for each pair of inputs, or quad of
// bytes, and in it a word for each of 16 outputs. Panels of these elements have the same layout in memory, so that
// they work for vector registers, too.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/blocking.hpp"
#include "apriori/device/cpu/dot/amx.hpp"
#include "apriori/device/cpu/packed.hpp"

#include <optional>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The matrix unit of machines without one. A unit has
///     available()                       whether this process may use it
///     session                           must exist on each thread while that thread uses the unit
///     zero<T>, load<T>, store<T>        tile register T, 0 .. 7, from and to 16 rows that are `stride` bytes apart
///     load_past_l1<T>                   the same, but does not displace data from the L1 cache that is read again
///                                       sooner
///     add_bfloat16<Sum, Left, Right>    Sum += Left Right in float32: the first elements of the pairs are summed, the
///                                       second ones, then both sums; subnormals count as zero
///     add_bytes<Sum, Left, Right>       the same in int32, with signed bytes on the left and unsigned ones on the
///                                       right
struct no_matrix_unit {
    static constexpr bool available() noexcept { return false; }
};

template <class Arch>
struct matrix_unit_of {
    using type = no_matrix_unit;
};
#if APRIORI_AMX
template <class Arch>
requires(lanes<value_t<Arch>>::count == 16)
struct matrix_unit_of<Arch> {
    using type = amx;
};
#endif
template <class Arch>
using matrix_unit = typename matrix_unit_of<Arch>::type;
template <class Arch>
inline constexpr bool has_matrix_unit = !std::is_same_v<matrix_unit<Arch>, no_matrix_unit>;

inline constexpr index_t tile_rows = 16, tile_row_bytes = 64, tile_bytes = tile_rows * tile_row_bytes;

/// The elements of tiles; `depth` of them fill a row. A left operand of several terms is the sum of as many matrices.
template <int Terms>
struct bfloat16_tiles {
    using sum = float;
    static constexpr int terms = Terms;
    static constexpr index_t depth = 32;
    template <class Unit, int Sum, int Left, int Right>
    static APRIORI_INLINE void add() noexcept {
        Unit::template add_bfloat16<Sum, Left, Right>();
    }
};
template <int Terms>
struct byte_tiles {
    using sum = std::int32_t;
    static constexpr int terms = Terms;
    static constexpr index_t depth = 64;
    template <class Unit, int Sum, int Left, int Right>
    static APRIORI_INLINE void add() noexcept {
        Unit::template add_bytes<Sum, Left, Right>();
    }
};

/// sums [16 Groups][panel] (+)= `Groups` tiles of rows, the second `group_bytes` after the first,
/// times `steps` tiles of a panel.
template <class Arch, class Unit, class Elements, int Groups>
void multiply_tile_groups(const std::byte* left, index_t group_bytes, const std::byte* panel, index_t steps,
                          typename Elements::sum* sums, bool accumulate, block_turn block) noexcept {
    constexpr index_t P = blocking<Arch>::panel, row_bytes = 4 * P, step_bytes = tile_rows * row_bytes;
    constexpr int N = P / tile_rows; // tiles across the panel
    static_assert(N == 1 || N == 2);
    const auto each_sum = [&](auto&& body) __attribute__((always_inline)) { // body(<register>, its address)
        body.template operator()<0>(sums);
        if constexpr (N > 1) body.template operator()<1>(sums + 16);
        if constexpr (Groups > 1) body.template operator()<2>(sums + tile_rows * P);
        if constexpr (Groups > 1 && N > 1) body.template operator()<3>(sums + tile_rows * P + 16);
    };
    each_sum([&]<int T>(const auto* at) __attribute__((always_inline)) {
        if (accumulate)
            Unit::template load<T>(at, row_bytes);
        else
            Unit::template zero<T>();
    });
    slice_prefetch ahead(panel, steps, step_bytes, block);
    for (index_t s = 0; s < steps; ++s, left += tile_bytes, panel += step_bytes) {
        ahead.advance();
        Unit::template load_past_l1<4>(left, tile_row_bytes);
        Unit::template load<6>(panel, row_bytes);
        Elements::template add<Unit, 0, 4, 6>();
        if constexpr (N > 1) {
            Unit::template load<7>(panel + tile_row_bytes, row_bytes);
            Elements::template add<Unit, 1, 4, 7>();
        }
        if constexpr (Groups > 1) {
            Unit::template load_past_l1<5>(left + group_bytes, tile_row_bytes);
            Elements::template add<Unit, 2, 5, 6>();
            if constexpr (N > 1) Elements::template add<Unit, 3, 5, 7>();
        }
    }
    each_sum([&]<int T>(auto* at) __attribute__((always_inline)) { Unit::template store<T>(at, row_bytes); });
}

/// The layout of a left operand in tiles. A chunk of rows has the rows of term 0, then those of term 1 and so on, 16 to
/// a group. The tiles of a group are consecutive along the inputs.
template <class Arch, class Unit, class Elements>
class tiled_left {
public:
    using sum = typename Elements::sum;
    static constexpr int terms = Elements::terms;
    static constexpr index_t depth = Elements::depth;
    /// The most rows of a chunk: that many are multiplied with a panel while the next comes from memory.
    static constexpr index_t max_chunk = 288 / terms, max_sums = max_chunk * terms;
    static_assert(max_sums % tile_rows == 0);

    static constexpr std::size_t bytes(index_t rows, index_t k) {
        const index_t chunk = chunk_of(rows, k);
        return to_size(ceil_div(rows, chunk) * groups_of(chunk) * ceil_div(k, depth) * tile_bytes);
    }
    tiled_left(std::byte* memory, index_t rows, index_t k) noexcept
        : data_(memory),
          rows_(rows),
          chunk_(chunk_of(rows, k)),
          steps_(ceil_div(k, depth)),
          passes_(passes_of(chunk_, k)) {}

    index_t chunk() const noexcept { return chunk_; }
    /// A chunk that is too large for the cache is multiplied in passes over parts of the inputs; the sums of all
    /// panels are kept between passes.
    index_t passes() const noexcept { return passes_; }
    /// The sums of tile t of the result, stored after the rows.
    float* sums(index_t t) const noexcept {
        return reinterpret_cast<float*>(data_ + bytes(rows_, steps_ * depth)) + t * chunk_ * blocking<Arch>::panel;
    }
    static constexpr std::size_t sum_bytes(index_t rows, index_t n, index_t k) {
        // also where fewer rows would have the larger chunk, which needs them
        if (passes_of((std::min)(round_up(rows, tile_rows), max_chunk), k) == 1) return 0;
        const index_t chunk = chunk_of(rows, k);
        return to_size(ceil_div(rows, chunk) * chunk * padded_outputs<Arch>(n) * 4);
    }
    /// The row of the first tile that holds inputs of row r; the one for the inputs from depth * i
    /// on is i * tile_bytes after it.
    std::byte* row_at(index_t r, index_t term = 0) const noexcept {
        const index_t first = r / chunk_ * chunk_, count = (std::min)(rows_ - first, chunk_);
        const index_t stacked = term * count + r - first;
        return group_at(first, stacked / tile_rows) + stacked % tile_rows * tile_row_bytes;
    }

    /// sums [terms * count, whole tiles][panel] (+)= one pass of the product of the `count` rows of the chunk at
    /// `first` with a panel's words. A slice of the panel, 16 tiles deep, stays in the L1 cache while all rows pass
    /// over it. With few rows the time goes into waiting for memory: with slices of 8 tiles less prefetched data
    /// displaces the rows from the L2 cache.
    void multiply(index_t first, index_t count, const std::byte* panel, sum* sums, bool accumulate = false,
                  index_t pass = 0) const noexcept {
        constexpr index_t P = blocking<Arch>::panel;
        const index_t group_bytes = steps_ * tile_bytes, slice = groups_of(count) <= 6 ? 8 : 16;
        const index_t of_pass = round_up(ceil_div(steps_, passes_), 16), begin = pass * of_pass;
        const index_t end = (std::min)(begin + of_pass, steps_);
        for (index_t s = begin; s < end || s == 0; s += slice) {
            const index_t steps = (std::min)(end - s, slice);
            for_each_block(groups_of(count), 2, [&](index_t g, index_t n, block_turn turn) {
                constexpr auto one = multiply_tile_groups<Arch, Unit, Elements, 1>;
                constexpr auto two = multiply_tile_groups<Arch, Unit, Elements, 2>;
                (n == 2 ? two : one)(group_at(first, g) + s * tile_bytes, group_bytes, panel + s * tile_rows * 4 * P,
                                     steps, sums + g * tile_rows * P, accumulate || s != 0, turn);
            });
        }
    }

private:
    /// The most bytes of a chunk, or of one pass over it, that leave room in an L2 cache of 2 MiB.
    static constexpr index_t most_bytes = index_t{9} << 17;

    static constexpr index_t row_bytes(index_t k) { return terms * ceil_div(k, depth) * tile_row_bytes; }
    /// Sums of several terms are not kept between passes.
    static constexpr index_t passes_of(index_t chunk, index_t k) {
        return terms == 1 ? (std::max)(ceil_div(chunk * row_bytes(k), most_bytes), index_t{1}) : 1;
    }
    /// The rows of a chunk, such that there are as few chunks as possible of about the same size.
    static constexpr index_t chunk_of(index_t rows, index_t k) {
        index_t most = max_chunk;
        if (terms > 1 && k > 0) { // whole tiles, so that more rows never need less memory
            const index_t that_fit = most_bytes / row_bytes(k) / tile_rows * tile_rows;
            most = (std::max)((std::min)(most, that_fit), 2 * tile_rows);
        }
        const index_t even = ceil_div(rows, (std::max)(ceil_div(rows, most), index_t{1}));
        return (std::max)((std::min)(round_up(even, tile_rows), max_chunk), index_t{1});
    }
    static constexpr index_t groups_of(index_t rows) { return ceil_div(rows * terms, tile_rows); }
    std::byte* group_at(index_t first, index_t g) const noexcept {
        return data_ + (first / chunk_ * groups_of(chunk_) + g) * steps_ * tile_bytes;
    }

    std::byte* data_;
    index_t rows_, chunk_, steps_, passes_;
};

/// A left operand for the matrix unit if this process may use it and there are at least
/// Tiled::fewest rows, else a plain one.
template <class Unit, class Tiled, class Plain>
class tiled_or_plain {
public:
    static constexpr index_t max_chunk = (std::max)(Tiled::max_chunk, Plain::max_chunk);
    static constexpr std::size_t bytes(index_t rows, index_t k) {
        return (std::max)(Tiled::bytes(rows, k), Plain::bytes(rows, k));
    }
    tiled_or_plain(std::byte* memory, index_t rows, index_t k) noexcept
        : tiled_(memory, rows, k), plain_(memory, rows, k), tiles_(rows >= Tiled::fewest && Unit::available()) {}

    index_t block() const noexcept { return tiles_ ? tiled_.block() : plain_.block(); }
    index_t chunk(index_t n) const noexcept { return tiles_ ? tiled_.chunk(n) : plain_.chunk(n); }
    void fill(const auto& in, index_t first, index_t last) const noexcept {
        tiles_ ? tiled_.fill(in, first, last) : plain_.fill(in, first, last);
    }
    void multiply(index_t first, index_t count, const auto& w, index_t p, float* tile) const noexcept {
        tiles_ ? tiled_.multiply(first, count, w, p, tile) : plain_.multiply(first, count, w, p, tile);
    }
    /// The tiles, if they are multiplied in several passes; else null.
    const Tiled* in_passes() const noexcept { return tiles_ && tiled_.passes() > 1 ? &tiled_ : nullptr; }
    static constexpr std::size_t sum_bytes(index_t rows, index_t n, index_t k) { return Tiled::sum_bytes(rows, n, k); }

    class session {
    public:
        explicit session(const tiled_or_plain& left) noexcept {
            if (left.tiles_) unit_.emplace();
        }

    private:
        std::optional<typename Unit::session> unit_;
    };

private:
    Tiled tiled_;
    Plain plain_;
    bool tiles_;
};
template <class Arch, class Tiled, class Plain>
using left_for_unit = std::conditional_t<has_matrix_unit<Arch>, tiled_or_plain<matrix_unit<Arch>, Tiled, Plain>, Plain>;

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
