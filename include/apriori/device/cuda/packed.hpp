// SPDX-License-Identifier: Apache-2.0
// Packed weights of the GPU: row-major, each row a whole number of float4s.
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/device/cuda/launch.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstddef>
#include <span>

namespace apriori {

template <class Format>
struct cuda_packed;

/// A weight matrix [n, k]: element (j, i) lies at j * row_stride(k) + i. A row ends in zeros.
template <>
struct cuda_packed<f32> {
    const float* data = nullptr; ///< on the device
    index_t n = 0, k = 0;

    constexpr cuda_packed() = default;
    cuda_packed(std::byte* p, index_t n, index_t k) : data(reinterpret_cast<const float*>(p)), n(n), k(k) {}

    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return to_size(round_up(n * row_stride(k) * 4, index_t{buffer_alignment}));
    }
    __host__ __device__ static constexpr index_t row_stride(index_t k) noexcept { return round_up(k, 4); }
};

/// Rows first .. of w from float32 [count, k] on the host; complete when it returns.
inline status pack_rows(cudaStream_t stream, cuda_packed<f32> w, index_t first, std::span<const float> rows) noexcept {
    const index_t size = std::ssize(rows);
    const index_t count = w.k > 0 ? size / w.k : 0;
    if (first < 0 || first + count > w.n || count * w.k != size)
        return status::shape("pack: rows past the end of the matrix, or not whole ones", first + count, w.n);
    if (count == 0) return {};
    const index_t stride = w.row_stride(w.k);
    float* to = const_cast<float*>(w.data) + first * stride;
    const auto bytes = [](index_t n) { return to_size(n) * sizeof(float); };
    const auto height = to_size(count);
    if (stride != w.k)
        if (const status s =
                cuda_status(cudaMemset2DAsync(to + w.k, bytes(stride), 0, bytes(stride - w.k), height, stream));
            !s)
            return s;
    if (const status s = cuda_status(cudaMemcpy2DAsync(to, bytes(stride), rows.data(), bytes(w.k), bytes(w.k), height,
                                                       cudaMemcpyHostToDevice, stream));
        !s)
        return s;
    return cuda_status(cudaStreamSynchronize(stream));
}

} // namespace apriori
