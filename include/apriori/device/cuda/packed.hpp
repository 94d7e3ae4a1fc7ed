// SPDX-License-Identifier: Apache-2.0
// Packed weights of the GPU: float32 is row-major, with rows of whole float4s; the other formats are in the order of
// tensor cores.
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/device/cuda/fragments.hpp"
#include "apriori/device/cuda/memory.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstddef>
#include <span>

namespace apriori {

/// A weight matrix [n, k] in tiles of 16 outputs (cuda_kernels::fragments).
template <class Format>
struct cuda_packed {
    using fragments = cuda_kernels::fragments<Format>;
    static constexpr index_t outputs = cuda_kernels::tile_outputs,
                             inputs = fragments::tiles * cuda_kernels::tile_inputs;

    std::byte* data = nullptr; ///< on the device
    index_t n = 0, k = 0;

    constexpr cuda_packed() = default;
    cuda_packed(std::byte* p, index_t n, index_t k) : data(p), n(n), k(k) {}

    /// The bytes of a packed [n, k], a multiple of buffer_alignment.
    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return to_size(round_up(ceil_div(n, outputs) * tile_bytes(k), index_t{buffer_alignment}));
    }
    APRIORI_HD static constexpr index_t units(index_t k) noexcept { return ceil_div(k, inputs); }
    APRIORI_HD static constexpr index_t tile_bytes(index_t k) noexcept {
        return units(k) * fragments::unit_bytes + fragments::extra_bytes;
    }
    /// The units of the 16 outputs from 16 i on, and the bytes that follow these units.
    APRIORI_HD std::byte* tile(index_t i) const noexcept { return data + i * tile_bytes(k); }
    APRIORI_HD std::byte* extra(index_t i) const noexcept { return tile(i) + units(k) * fragments::unit_bytes; }
};

/// A weight matrix [n, k]: element (j, i) is at j * row_stride(k) + i. Rows are padded with zeros.
template <>
struct cuda_packed<f32> {
    const float* data = nullptr; ///< on the device
    index_t n = 0, k = 0;

    constexpr cuda_packed() = default;
    cuda_packed(std::byte* p, index_t n, index_t k) : data(reinterpret_cast<const float*>(p)), n(n), k(k) {}

    /// The bytes of a packed [n, k], a multiple of buffer_alignment.
    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return to_size(round_up(n * row_stride(k) * 4, index_t{buffer_alignment}));
    }
    __host__ __device__ static constexpr index_t row_stride(index_t k) noexcept { return round_up(k, 4); }
};

namespace cuda_kernels {

/// Sets `count` to the number of rows [k] in `rows`, which start at row `first` of w. Incomplete rows, and rows past
/// the end of w, are an error.
template <class Format>
status check_rows(const cuda_packed<Format>& w, index_t first, std::span<const float> rows, index_t& count) noexcept {
    const index_t size = std::ssize(rows);
    count = w.k > 0 ? size / w.k : 0;
    if (first < 0 || first + count > w.n || count * w.k != size)
        return status::shape("pack: rows past the end of the matrix, or not whole ones", first + count, w.n);
    return {};
}

/// One block for each row.
template <class Format>
__global__ void __launch_bounds__(block_threads) pack(cuda_packed<Format> w, index_t first, const float* rows) {
    const index_t j = first + block_index(), tile = j / w.outputs;
    fragments<Format>::store(w.tile(tile), w.extra(tile), w.k, int(j % w.outputs), rows + block_index() * w.k);
}

} // namespace cuda_kernels

/// Packs rows `first` and on of w from float32 [count, k] on the host. It is complete when this returns.
inline status pack_rows(const cuda_queue& queue, cuda_packed<f32> w, index_t first,
                        std::span<const float> rows) noexcept {
    index_t count = 0;
    if (const status s = cuda_kernels::check_rows(w, first, rows, count); !s || count == 0) return s;
    const index_t stride = w.row_stride(w.k);
    float* to = const_cast<float*>(w.data) + first * stride;
    const auto bytes = [](index_t n) { return to_size(n) * sizeof(float); };
    const auto height = to_size(count);
    if (stride != w.k)
        if (const status s =
                cuda_status(cudaMemset2DAsync(to + w.k, bytes(stride), 0, bytes(stride - w.k), height, queue.stream()));
            !s)
            return s;
    if (const status s = cuda_status(cudaMemcpy2DAsync(to, bytes(stride), rows.data(), bytes(w.k), bytes(w.k), height,
                                                       cudaMemcpyHostToDevice, queue.stream()));
        !s)
        return s;
    return cuda_status(cudaStreamSynchronize(queue.stream()));
}

/// The same for the other formats, by a kernel. A number that Format cannot represent is an error.
template <class Format>
status pack_rows(const cuda_queue& queue, cuda_packed<Format> w, index_t first, std::span<const float> rows) noexcept {
    index_t count = 0;
    if (const status s = cuda_kernels::check_rows(w, first, rows, count); !s || count == 0) return s;
    for (index_t r = 0; r < count; ++r)
        if (const status s = detail::representable<Format>(part(rows, r * w.k, w.k)); !s) return s;
    const cuda_buffer staged = queue.allocate(rows.size_bytes());
    if (staged.empty()) return {errc::device_error, "cuda: no memory for the rows that are packed"};
    status s = cuda_status(
        cudaMemcpyAsync(staged.data(), rows.data(), rows.size_bytes(), cudaMemcpyHostToDevice, queue.stream()));
    if (s)
        s = cuda_kernels::launch(queue.stream(), count, cuda_kernels::block_threads, cuda_kernels::pack<Format>, w,
                                 first, reinterpret_cast<const float*>(staged.data()));
    const status ended = cuda_status(cudaStreamSynchronize(queue.stream()));
    return s ? ended : s;
}

} // namespace apriori
