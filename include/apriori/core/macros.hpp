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

/// A function that apriori::compiled has compiled: with its APRIORI_COMPILED, headers declare it and leave out the definition, which
/// is there where APRIORI_DEFINITIONS is 1. Each is the entrance to much code that knows no configuration.
#if defined(APRIORI_COMPILED)
#define APRIORI_FUNCTION
#else
#define APRIORI_FUNCTION inline
#endif
#if !defined(APRIORI_COMPILED) || defined(APRIORI_COMPILING)
#define APRIORI_DEFINITIONS 1
#else
#define APRIORI_DEFINITIONS 0
#endif

/// Never inlined: one copy, and none of gcc's -Warray-bounds guesses about the caller's arrays in branches not taken.
#if defined(__GNUC__) || defined(__clang__)
#define APRIORI_NOINLINE __attribute__((noinline))
#else
#define APRIORI_NOINLINE
#endif
