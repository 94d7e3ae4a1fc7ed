// SPDX-License-Identifier: Apache-2.0
// The few macros: what no template or attribute of the standard can say.
#pragma once

/// Callable on the host and, when nvcc compiles, on the device.
#if defined(__CUDACC__)
#define APRIORI_HD __host__ __device__
#else
#define APRIORI_HD
#endif

/// Inlined whatever the optimiser's budget: the inner functions of a kernel.
#if defined(__GNUC__) || defined(__clang__)
#define APRIORI_INLINE inline __attribute__((always_inline))
#else
#define APRIORI_INLINE inline
#endif

/// Never inlined: one copy, and none of gcc's -Warray-bounds guesses about the caller's arrays in branches not taken.
#if defined(__GNUC__) || defined(__clang__)
#define APRIORI_NOINLINE __attribute__((noinline))
#else
#define APRIORI_NOINLINE
#endif
