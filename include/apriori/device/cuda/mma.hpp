// SPDX-License-Identifier: Apache-2.0
// The instructions of tensor cores, one function each, and the order in which a warp holds their operands.
#pragma once

#include "apriori/device/cuda/launch.hpp"

#include <cstdint>

namespace apriori::cuda_kernels {

/// A lane's part of the 16 x 16 operand. Word i holds two neighbours along k, of row lane / 4 + 8 (i % 2), from k =
/// lane % 4 * 2 + 8 (i / 2) on.
struct alignas(16) operand_words {
    std::uint32_t word[4];
};

/// The place of element (row, k) of the operand: the lane that holds it, and which of the lane's eight numbers it is.
struct operand_place {
    int lane, number;
    APRIORI_HD static constexpr operand_place of(int row, int k) {
        return {row % 8 * 4 + k % 8 / 2, (row / 8 + k / 8 * 2) * 2 + k % 2};
    }
};

/// d += a b, with a [16, 16] and b [16, 8] in bfloat16 and d [16, 8] in float. d[i] is row lane / 4 + 8 (i / 2), column
/// lane % 4 * 2 + i % 2. Word i of b holds column lane / 4, from k = lane % 4 * 2 + 8 i on. All lanes of a warp call
/// it.
__device__ inline void multiply_add(float (&d)[4], const operand_words& a, const std::uint32_t (&b)[2]) {
#ifdef __CUDACC__
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b[0]), "r"(b[1]));
#else
    cuda_emulation::multiply_add(d, a.word, b);
#endif
}

/// Starts a copy of 16 bytes to shared memory that bypasses the L1 cache, for data that is read once.
__device__ inline void copy_ahead(operand_words* shared, const operand_words* global) {
#ifdef __CUDACC__
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16;" ::"r"(
                     static_cast<unsigned>(__cvta_generic_to_shared(shared))),
                 "l"(global)
                 : "memory");
#else
    cuda_emulation::copy_ahead(shared, global, sizeof(operand_words));
#endif
}
/// Ends a group of this thread's copies. The group may be empty.
__device__ inline void end_copies() {
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    cuda_emulation::end_copies();
#endif
}
/// Waits until all but the last Groups groups of this thread's copies are complete. Only this thread may rely on it.
template <int Groups>
__device__ inline void wait_for_copies() {
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
#else
    cuda_emulation::wait_for_copies(Groups);
#endif
}

} // namespace apriori::cuda_kernels
