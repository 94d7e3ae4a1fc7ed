// SPDX-License-Identifier: Apache-2.0
// Packed weights of the CPU: panels of outputs, so that a kernel reads them front to back. The layout inside a panel is
// defined by its format (formats/).
#pragma once

#include "apriori/core/fixed_string.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/quantization.hpp"
#include "apriori/core/status.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/device/cpu/blocking.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstddef>
#include <span>
#include <string_view>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// How a format lays out a panel of P = blocking<Arch>::panel outputs over k inputs. Each format has
///     left                              the type of the left operand: usually interleaved_rows (panel_product.hpp)
///     panel_bytes(k)                    constexpr
///     store_scale(panel, j, k, row)     stores the per-output part of output j, from its row [k]; a null row: zeros
///     store(panel, j, k, row, k0)       stores inputs k0 .. k0 + store_slice of that row, padded after the last one
/// and, for interleaved_rows,
///     multiply(panel, k, k0, k1, block, body)
///                                       calls body(w) for inputs k0 .. k1 in order, w being a V[blocking::vectors] of
///                                       the panel's weights;
///                                       k0 is a multiple of blocking::depth; prefetches the part that the block_turn
///                                       selects
///     finish(panel, k, tile, rows)      completes sums tile [rows][P]
template <class Arch, class Format>
struct panel_format;

template <class Arch>
class interleaved_rows;

/// For a left operand that needs no state while it is multiplied.
struct no_session {
    explicit no_session(const auto&) noexcept {}
};

/// Whether kernels prefetch. Not on microcontrollers, where memory is near and prefetches
/// would be half of the instructions.
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
inline constexpr bool prefetches = false;
#else
inline constexpr bool prefetches = true;
#endif

/// Prefetches the slice of k after the one that is in the cache. Each block of rows prefetches its share of it, evenly,
/// so that memory is read as long as there is something to multiply.
class slice_prefetch {
public:
    /// The current slice begins at `now` and has `units` units of unit_bytes each.
    slice_prefetch(const void* now, index_t units, index_t unit_bytes, block_turn block) noexcept
        : step_(ceil_div(unit_bytes, block.of)),
          next_(static_cast<const char*>(now) + units * unit_bytes + block.turn * units * unit_bytes / block.of),
          due_(next_) {}
    /// Must be called for every unit.
    APRIORI_INLINE void advance() noexcept {
        constexpr index_t line = 64;
        if constexpr (!prefetches) return;
        for (due_ += step_; next_ < due_; next_ += line) __builtin_prefetch(next_, 0, 2);
    }

private:
    index_t step_;
    const char *next_, *due_;
};

/// A weight matrix [n, k] in panels.
template <class Arch, class Format>
struct packed {
    using weight_format = Format;
    using format = panel_format<Arch, Format>;
    static constexpr index_t panel = blocking<Arch>::panel;

    std::byte* data = nullptr;
    index_t n = 0, k = 0;

    constexpr packed() = default;
    /// A handle to a matrix stored at p, of stored_bytes(outputs, inputs).
    packed(std::byte* p, index_t outputs, index_t inputs) : data(p), n(outputs), k(inputs) {}

    /// Names the layout. Memory packed under one name can only be read under the same name.
    static constexpr std::string_view layout_name() noexcept { return layout.view(); }
    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return to_size(round_up(ceil_div(n, panel) * format::panel_bytes(k), index_t{buffer_alignment}));
    }
    std::byte* panel_at(index_t p) const noexcept { return data + p * format::panel_bytes(k); }

private:
    static constexpr auto layout = [] {
        short_text<32> text;
        text.add("cpu panels of ", panel);
        return text;
    }();
};

/// The number of inputs of all rows of a panel that are stored together, so that cache lines that
/// rows share stay in the cache.
inline constexpr index_t store_slice = 64;

/// Packs rows from `first` on of w from float32 [count, k]. With the last row of w, zeros are stored to the end of
/// the last panel. shape_mismatch if the rows are not whole, or extend past the end of w; invalid_argument if the
/// format cannot represent a value.
template <class Arch, class Format>
status pack_rows(packed<Arch, Format> w, index_t first, std::span<const float> rows) noexcept {
    using format = panel_format<Arch, Format>;
    constexpr index_t P = blocking<Arch>::panel;
    const index_t count = std::ssize(rows) / w.k;
    if (first < 0 || first + count > w.n || count * w.k != std::ssize(rows))
        return status::shape("pack: rows past the end of the matrix, or not whole ones", first + count, w.n);
    for (index_t r = 0; r < count; ++r)
        if (const status s = detail::representable<Format>(part(rows, r * w.k, w.k)); !s) return s;
    const index_t last = first + count, end = last == w.n ? padded_outputs<Arch>(w.n) : last;
    for (index_t j = first, next = 0; j < end; j = next) { // panel by panel
        next = (std::min)(j / P * P + P, end);
        std::byte* panel = w.panel_at(j / P);
        const auto row_of = [&](index_t i) { return i < last ? rows.data() + (i - first) * w.k : nullptr; };
        for (index_t i = j; i < next; ++i) format::store_scale(panel, i % P, w.k, row_of(i));
        for (index_t k0 = 0; k0 < w.k; k0 += store_slice)
            for (index_t i = j; i < next; ++i) format::store(panel, i % P, w.k, row_of(i), k0);
    }
    return {};
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
