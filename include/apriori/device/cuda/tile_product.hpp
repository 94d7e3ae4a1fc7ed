// SPDX-License-Identifier: Apache-2.0
// The inner loop of both matrix products: a block of 16 x 16 threads multiplies panels in shared memory while it loads
// the next ones into registers.
#pragma once

#include "apriori/device/cuda/launch.hpp"
#include "apriori/expr/ops.hpp"

#include <type_traits>

namespace apriori::cuda_kernels {

/// A block's part of a product: Rows x Cols elements, with Depth elements of the summed axis at a time.
template <int Rows, int Cols, int Depth>
struct tile {
    static_assert(Rows % 64 == 0 && Cols % 64 == 0, "a thread computes groups of 4 x 4 elements, 64 apart");
    static constexpr int rows = Rows, cols = Cols, depth = Depth;
};

/// A panel of an operand in shared memory, with the summed axis outermost. Four extra columns avoid bank conflicts.
template <int Side, int Depth>
struct alignas(16) panel {
    float at[Depth][Side + 4];
};
template <class Tile>
struct tile_panels {
    panel<Tile::rows, Tile::depth> a;
    panel<Tile::cols, Tile::depth> b;
};

inline bool aligned_to_quads(const float* p, index_t a = 0, index_t b = 0, index_t c = 0) noexcept {
    return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 && a % 4 == 0 && b % 4 == 0 && c % 4 == 0;
}
inline bool aligned_to_quads(const float* p, const row_map& m) noexcept {
    return aligned_to_quads(p, m.inner, m.middle, m.outer);
}

/// Elements c .. c + 3 of a row of n; those from n on are 0. `aligned`: row.p + c is aligned to a float4, and n is a
/// multiple of 4.
template <class Cursor>
__device__ inline float4 load_quad(const Cursor& row, index_t c, index_t n, [[maybe_unused]] bool aligned) {
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if constexpr (std::is_same_v<Cursor, el::vector>)
        if (aligned) {
            if (c < n) v = *reinterpret_cast<const float4*>(row.p + c);
            return v;
        }
    if (c < n) v.x = row.at(c, 0.0f);
    if (c + 1 < n) v.y = row.at(c + 1, 0.0f);
    if (c + 2 < n) v.z = row.at(c + 2, 0.0f);
    if (c + 3 < n) v.w = row.at(c + 3, 0.0f);
    return v;
}

/// A thread's part of a panel whose sides are rows with contiguous columns: four columns of one row.
template <int Side, int Depth, class Cursor>
struct rows_source {
    static_assert(Side * Depth == 4 * block_threads, "one quad a thread");
    Cursor row; ///< the row of side(), or the last row if there is no such row
    index_t k;
    bool aligned;
    float4 held = {};

    __device__ static int side() { return thread_index() / (Depth / 4); }
    __device__ static int depth() { return thread_index() % (Depth / 4) * 4; }

    __device__ void fetch(index_t k0) { held = load_quad(row, k0 + depth(), k, aligned); }
    __device__ void store(panel<Side, Depth>& to) const {
        const int s = side(), d = depth();
        to.at[d][s] = held.x;
        to.at[d + 1][s] = held.y;
        to.at[d + 2][s] = held.z;
        to.at[d + 3][s] = held.w;
    }
};

/// A thread's part of a panel of a matrix with any strides. Consecutive threads read along the contiguous axis.
template <int Side, int Depth>
struct strided_source {
    static_assert(Side * Depth == 4 * block_threads, "four elements a thread");
    const float* p; ///< the first side
    index_t side_stride, depth_stride;
    index_t sides, k;
    float held[4] = {};

    __device__ int index(int e) const { return thread_index() + e * block_threads; }
    __device__ int side(int e) const { return depth_stride == 1 ? index(e) / Depth : index(e) % Side; }
    __device__ int depth(int e) const { return depth_stride == 1 ? index(e) % Depth : index(e) / Side; }

    __device__ void fetch(index_t k0) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const index_t s = side(e), d = k0 + depth(e);
            held[e] = s < sides && d < k ? p[s * side_stride + d * depth_stride] : 0.0f;
        }
    }
    __device__ void store(panel<Side, Depth>& to) const {
#pragma unroll
        for (int e = 0; e < 4; ++e) to.at[depth(e)][side(e)] = held[e];
    }
};

/// The sums of a thread: element (i, j) belongs to row(i) and col(j) of the block's tile.
template <class Tile>
struct tile_product {
    static constexpr int m = Tile::rows / 16, n = Tile::cols / 16;
    float sum[m][n] = {};

    __device__ static int row(int i) { return i / 4 * 64 + thread_index() / 16 * 4 + i % 4; }
    __device__ static int col(int j) { return j / 4 * 64 + thread_index() % 16 * 4 + j % 4; }

    /// sum += a b over k. The caller has fetched the first panels of a and b. All threads of the block call it; when it
    /// returns, the panels may be overwritten.
    template <class A, class B>
    __device__ void run(A& a, B& b, index_t k, panel<Tile::rows, Tile::depth>& pa, panel<Tile::cols, Tile::depth>& pb) {
        for (index_t k0 = 0; k0 < k; k0 += Tile::depth) {
            a.store(pa);
            b.store(pb);
            __syncthreads(); // panels are complete
            if (k0 + Tile::depth < k) {
                a.fetch(k0 + Tile::depth);
                b.fetch(k0 + Tile::depth);
            }
#pragma unroll
            for (int d = 0; d < Tile::depth; ++d) multiply_add(pa.at[d], pb.at[d]);
            __syncthreads(); // all threads have read the panels
        }
    }

    /// Writes the epilogue of the sums to `out`. The tile starts at row row0 of `rows` and at column col0 of `cols`;
    /// row r of `rows` is row base + r of the output and of the epilogue.
    template <class Epilogue>
    __device__ void write(const Epilogue& epilogue, const ops::output& out, index_t base, index_t row0, index_t rows,
                          index_t col0, index_t cols) const {
#pragma unroll
        for (int i = 0; i < m; ++i) {
            const index_t r = row0 + row(i);
            if (r >= rows) continue;
            const auto cursor = epilogue.row(base + r);
            float* const to = out.row(base + r);
#pragma unroll
            for (int j = 0; j < n; ++j) {
                const index_t c = col0 + col(j);
                if (c < cols) to[c] = cursor.at(c, sum[i][j]);
            }
        }
    }

private:
    /// Reads this thread's elements of a line of a panel: groups of four, 64 apart.
    template <int N>
    __device__ static void read(float (&to)[N], const float* line, int first) {
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            const float4 v = *reinterpret_cast<const float4*>(line + i * 16 + first);
            to[i] = v.x;
            to[i + 1] = v.y;
            to[i + 2] = v.z;
            to[i + 3] = v.w;
        }
    }
    __device__ void multiply_add(const float* pa, const float* pb) {
        float a[m], b[n];
        read(a, pa, row(0));
        read(b, pb, col(0));
#pragma unroll
        for (int i = 0; i < m; ++i)
#pragma unroll
            for (int j = 0; j < n; ++j) sum[i][j] += a[i] * b[j];
    }
};

} // namespace apriori::cuda_kernels
