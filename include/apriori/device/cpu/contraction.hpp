// SPDX-License-Identifier: Apache-2.0
// Contractions on the CPU. The left operand is computed once into interleaved rows. Then panels of outputs are
// processed, and each row block's results pass through the epilogue while they are in the L1 cache.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/double_matmul.hpp"
#include "apriori/device/cpu/executor.hpp"
#include "apriori/device/cpu/formats/bfloat16.hpp"
#include "apriori/device/cpu/formats/w8.hpp"
#include "apriori/device/cpu/panel_product.hpp"
#include "apriori/device/cpu/small_matmul.hpp"
#include "apriori/device/cpu/tiny_matmul.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// The tiles of a result: chunks of rows, whose results wait on the stack for their epilogue, by panels of outputs. The
/// tiles of a chunk are consecutive.
template <class Arch, class Left>
struct result_tiles {
    index_t rows, chunk, panels;

    result_tiles(const Left& left, index_t all_rows, index_t n)
        : rows(all_rows), chunk(left.chunk(n)), panels(padded_outputs<Arch>(n) / blocking<Arch>::panel) {}
    index_t count() const noexcept { return ceil_div(rows, chunk) * panels; }
};

/// Computes tiles of a left operand that multiplies in passes; calls store(tile, sums) after the last pass of each.
template <class Arch, class Left, class Format>
void multiply_in_passes(const auto& left, const result_tiles<Arch, Left>& tiles, const packed<Arch, Format>& w,
                        index_t first, index_t last, const auto& store) noexcept {
    for (index_t t = first, end = 0; t < last; t = end) {
        const index_t r0 = t / tiles.panels * tiles.chunk, count = (std::min)(tiles.rows - r0, tiles.chunk);
        end = (std::min)(last, (t / tiles.panels + 1) * tiles.panels); // of the same rows
        for (index_t pass = 0; pass < left.passes(); ++pass)
            for (index_t u = t; u < end; ++u) {
                left.multiply(r0, count, w, u % tiles.panels, left.sums(u), pass);
                if (pass + 1 == left.passes()) store(u, left.sums(u));
            }
    }
}

/// Computes tiles first .. last of a result and applies the epilogue. Row 0 of the left operand is
/// row `first_row` of the result.
template <class Arch, class Left, class Format, class Epilogue>
void multiply_tiles(const Left& left, const result_tiles<Arch, Left>& tiles, const packed<Arch, Format>& w,
                    index_t first, index_t last, const Epilogue& epilogue, const ops::output& out,
                    index_t first_row) noexcept {
    using V = value_t<Arch>;
    constexpr int P = blocking<Arch>::panel;
    [[maybe_unused]] const typename Left::session in_use(left);
    const auto store = [&](index_t t, const float* sums) {
        const index_t p = t % tiles.panels, r0 = t / tiles.panels * tiles.chunk;
        const index_t count = (std::min)(tiles.rows - r0, tiles.chunk), cols = std::min<index_t>(w.n - p * P, P);
        for (index_t r = 0; r < count; ++r) store_row<V>(epilogue, out, first_row + r0 + r, sums + r * P, p * P, cols);
    };
    if constexpr (requires { left.in_passes(); })
        if (const auto* in_passes = left.in_passes())
            return multiply_in_passes(*in_passes, tiles, w, first, last, store);
    alignas(buffer_alignment) float tile[Left::max_chunk * P];
    for (index_t t = first; t < last; ++t) {
        const index_t p = t % tiles.panels, r0 = t / tiles.panels * tiles.chunk;
        left.multiply(r0, (std::min)(tiles.rows - r0, tiles.chunk), w, p, tile);
        store(t, tile);
    }
}

template <class Arch, class Format>
using left_of = typename panel_format<Arch, Format>::left;

template <class Arch, class In, class Format, class E>
constexpr std::size_t scratch_bytes(const ops::contraction<In, packed<Arch, Format>, E>& op) {
    using left = left_of<Arch, Format>;
    std::size_t bytes = left::bytes(op.rows, op.k);
    if constexpr (requires { left::sum_bytes(op.rows, op.n, op.k); }) bytes += left::sum_bytes(op.rows, op.n, op.k);
    return bytes;
}
template <class Arch, class In, class Format, class E, executor X>
void run(X& x, const ops::contraction<In, packed<Arch, Format>, E>& op) {
    const left_of<Arch, Format> left(op.scratch, op.rows, op.k);
    const index_t block = left.block();
    parallel_ranges(x, ceil_div(op.rows, block), operations(8, op.rows, op.k), [&](index_t first, index_t last) {
        left.fill(op.input, first * block, (std::min)(last * block, op.rows));
    });
    const result_tiles<Arch, left_of<Arch, Format>> tiles(left, op.rows, op.n);
    parallel_ranges(x, tiles.count(), operations(2, op.rows, op.k, op.n), [&](index_t first, index_t last) {
        multiply_tiles<Arch>(left, tiles, op.weights, first, last, op.epilogue, op.out, 0);
    });
}

// ---- products of two activations: the right operand is packed into panels first -------------------------------------

/// The number of floats that the right operand of one batch item takes in panels.
template <class Arch>
constexpr index_t matmul_panels(index_t n, index_t k) {
    return index_t(packed<Arch, f32>::stored_bytes(n, k)) / 4;
}
template <class Arch, class E, class Map>
constexpr std::size_t scratch_bytes(const ops::matmul<E, float, Map>& op) {
    if (is_small_matmul(op.m, op.n, op.k)) return 0;
    return to_size(op.batch * (op.m * op.k + matmul_panels<Arch>(op.n, op.k))) * sizeof(float);
}
template <class Arch, class E, class Map, executor X>
void run(X& x, const ops::matmul<E, float, Map>& op) {
    const double cost = operations(2, op.batch, op.m, op.n, op.k);
    if (is_small_matmul(op.m, op.n, op.k)) {
        if (run_tiny<Arch>(x, op)) return;
        parallel_ranges(x, op.batch, cost, [&](index_t first, index_t last) {
            for (index_t i = first; i < last; ++i) multiply_small<Arch>(op, i);
        });
        return;
    }
    const index_t right = matmul_panels<Arch>(op.n, op.k);
    float* b = reinterpret_cast<float*>(op.scratch);
    float* a = b + op.batch * right;
    const auto left = [&](index_t i) {
        return interleaved_rows<Arch>(reinterpret_cast<std::byte*>(a + i * op.m * op.k), op.m, op.k);
    };
    const auto pack = [&](index_t i) {
        pack_panels<Arch>(b + i * right, op.b.p + op.b.batch(i), op.b.col, op.b.row, op.n, op.k);
        left(i).fill(ops::mapped<el::strided>{{op.a.p + op.a.batch(i), row_map{.inner = op.a.row}, op.a.col}}, 0, op.m);
    };
    const result_tiles<Arch, interleaved_rows<Arch>> tiles(left(0), op.m, op.n);
    const auto multiply = [&](index_t i, index_t first, index_t last) {
        const packed<Arch, f32> panels(reinterpret_cast<std::byte*>(b + i * right), op.n, op.k);
        multiply_tiles<Arch>(left(i), tiles, panels, first, last, op.epilogue, op.out, i * op.m);
    };
    if (op.batch > 1)
        parallel_ranges(x, op.batch, cost, [&](index_t first, index_t last) {
            for (index_t i = first; i < last; ++i) {
                pack(i);
                multiply(i, 0, tiles.count());
            }
        });
    else if (op.batch == 1) {
        pack(0);
        parallel_ranges(x, tiles.count(), cost, [&](index_t first, index_t last) { multiply(0, first, last); });
    }
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
