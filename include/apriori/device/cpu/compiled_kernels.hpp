// SPDX-License-Identifier: Apache-2.0
// The kernels of apriori::compiled: those of every model in float32, for the instruction set that every x86-64 has. A
// file that is compiled for a newer one instantiates its own.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/attention.hpp"
#include "apriori/device/cpu/cached_attention.hpp"

#if defined(APRIORI_COMPILED) && defined(__x86_64__) && !defined(__SSE3__)
#define APRIORI_COMPILED_KERNELS

#if defined(APRIORI_COMPILING)
#define APRIORI_KERNEL template
#else
#define APRIORI_KERNEL extern template
#endif

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

namespace compiled {

using arch = default_arch;
using V = value_t<arch>;
using left = interleaved_rows<arch>;
using biased = el::apply<fn::add, el::acc, el::vector>;
using scaled = el::apply<fn::add, el::apply<fn::multiply, el::acc, el::vector>, el::vector>;
using normalized = ops::normalized<norms::layer_norm, el::matrix, scaled>;
} // namespace compiled

// For each number of rows: linear layers, scores, and weighted sums of values.
#define APRIORI_PRODUCT(M, ...)                                                                                        \
    APRIORI_KERNEL void multiply_block<compiled::arch, f32, M, block_steps{__VA_ARGS__}>(                              \
        const float*, const std::byte*, index_t, index_t, index_t, float*, bool, block_turn) noexcept;
#define APRIORI_PRODUCTS(M)                                                                                            \
    APRIORI_PRODUCT(M, 1, M, blocking<compiled::arch>::panel)                                                          \
    APRIORI_PRODUCT(M, 1, M, attention_blocks<compiled::arch>::tile)                                                   \
    APRIORI_PRODUCT(M, attention_blocks<compiled::arch>::tile, 1, blocking<compiled::arch>::panel)
APRIORI_PRODUCTS(1)
APRIORI_PRODUCTS(2)
APRIORI_PRODUCTS(3)
APRIORI_PRODUCTS(4)
APRIORI_PRODUCTS(5)
APRIORI_PRODUCTS(6)
static_assert(blocking<compiled::arch>::rows == 6);

// Linear layers, by the epilogue of their results.
#define APRIORI_TILES(...)                                                                                             \
    APRIORI_KERNEL void multiply_tiles<compiled::arch, compiled::left, f32, __VA_ARGS__>(                              \
        const compiled::left&, const result_tiles<compiled::arch, compiled::left>&,                                    \
        const packed<compiled::arch, f32>&, index_t, index_t, const __VA_ARGS__&, const ops::output&,                  \
        index_t) noexcept;
APRIORI_TILES(el::acc)
APRIORI_TILES(compiled::biased)
APRIORI_TILES(el::apply<fn::gelu, compiled::biased>)
APRIORI_TILES(el::apply<fn::quick_gelu, compiled::biased>)
APRIORI_TILES(el::apply<fn::silu, compiled::biased>)
APRIORI_TILES(el::apply<fn::add, el::matrix, compiled::biased>)
APRIORI_TILES(el::apply<fn::add, compiled::biased, el::matrix>)

// Left operands.
#define APRIORI_INPUT(...)                                                                                             \
    APRIORI_KERNEL void interleave_rows<compiled::arch, __VA_ARGS__>(const __VA_ARGS__&, index_t, index_t, index_t,    \
                                                                     index_t, float*) noexcept;
APRIORI_INPUT(ops::mapped<el::matrix>)
APRIORI_INPUT(ops::mapped<el::gathered>)
APRIORI_INPUT(compiled::normalized)

APRIORI_KERNEL void attend_block<compiled::arch>(const ops::attention<el::acc>&, index_t, index_t, index_t, index_t,
                                                 const float*, const float*, float*, float*) noexcept;
APRIORI_KERNEL void attend_group<compiled::arch>(const ops::cached_attention&, const attention_group&, index_t,
                                                 float*) noexcept;
APRIORI_KERNEL status pack_rows(packed<compiled::arch, f32>, index_t, std::span<const float>) noexcept;

#undef APRIORI_INPUT
#undef APRIORI_TILES
#undef APRIORI_PRODUCTS
#undef APRIORI_PRODUCT
#undef APRIORI_KERNEL

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH

#endif
