// SPDX-License-Identifier: Apache-2.0
// The library's few macros, for what no template or standard attribute can express.
#pragma once

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error                                                                                                                 \
    "apriori needs C++20: compile with -std=c++20 or newer; in CMake, target_compile_features(your_target PRIVATE cxx_std_20)"
#include <see the error above> // no such file: the compiler stops here
#endif

#if defined(APRIORI_SINGLE_HEADER) // defined by scripts/amalgamate
#error                                                                                                                 \
    "apriori: headers in apriori/ are included behind a single header, which has the same contents; include one or the other"
#include <see the error above>
#endif

/// Callable on the host and, when nvcc compiles, on the device.
#if defined(__CUDACC__)
#define APRIORI_HD __host__ __device__
#else
#define APRIORI_HD
#endif

/// Inlined regardless of the optimiser's budget: for the inner functions of a kernel.
#if defined(__GNUC__) || defined(__clang__)
#define APRIORI_INLINE inline __attribute__((always_inline))
#else
#define APRIORI_INLINE inline
#endif

/// Between these two, arithmetic follows IEEE 754 whatever flags the user compiles with (-ffast-math, -Ofast, /fp:fast
/// and parts of them): numbers round as written, and NaN and infinity exist. Every header that computes with floats has
/// its code between them; scripts/check_layers checks this. APRIORI_FAST_MATH is 1 if the compiler reports such flags;
/// clang reports only some of them.
///
/// gcc's pragma is used only with such flags, because it costs compile time; clang's is always used. Functions that gcc
/// inlines early into a user's function, such as always_inline ones, take the flags of that function. Those that depend
/// on rounding and that users call in their own function objects are therefore APRIORI_EXACT_INLINE.
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) ||                         \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#define APRIORI_FAST_MATH 1
#else
#define APRIORI_FAST_MATH 0
#endif
#define APRIORI_EXACT_INLINE APRIORI_INLINE
#if defined(__CUDACC__)
#if APRIORI_FAST_MATH || defined(__USE_FAST_MATH__)
#error "apriori: nvcc compiles this with -use_fast_math or with a host compiler's -ffast-math; leave that flag out"
#endif
#define APRIORI_BEGIN_EXACT_MATH
#define APRIORI_END_EXACT_MATH
#elif defined(__wasm__) // clang has no such pragma for wasm, and wasm has no instruction that contracts
#if APRIORI_FAST_MATH
#error                                                                                                                 \
    "apriori: WebAssembly is compiled with -ffast-math or parts of it, and no pragma undoes this; leave that flag out"
#endif
#define APRIORI_BEGIN_EXACT_MATH
#define APRIORI_END_EXACT_MATH
#elif defined(__clang__)
#if __clang_major__ >= 17 && defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error                                                                                                                 \
    "apriori: with -ffast-math, -Ofast or -ffinite-math-only clang 17 and newer assume that no argument is NaN or infinite, and no pragma undoes this; add -fno-finite-math-only after that flag"
#endif
#define APRIORI_BEGIN_EXACT_MATH _Pragma("float_control(precise, on, push)") _Pragma("clang fp contract(off)")
#define APRIORI_END_EXACT_MATH _Pragma("float_control(pop)")
#elif defined(__GNUC__) && APRIORI_FAST_MATH
#undef APRIORI_EXACT_INLINE
#define APRIORI_EXACT_INLINE inline
#define APRIORI_BEGIN_EXACT_MATH                                                                                       \
    _Pragma("GCC push_options") _Pragma(                                                                               \
        "GCC optimize(\"no-fast-math\", \"no-unsafe-math-optimizations\", \"signed-zeros\", \"trapping-math\")")       \
        _Pragma("GCC optimize(\"no-associative-math\", \"no-reciprocal-math\", \"no-finite-math-only\")")
#define APRIORI_END_EXACT_MATH _Pragma("GCC pop_options")
#else
#define APRIORI_BEGIN_EXACT_MATH
#define APRIORI_END_EXACT_MATH
#endif

/// A function that apriori::compiled contains in compiled form. If its APRIORI_COMPILED is defined, headers declare the
/// function and leave out the definition, which is present only where APRIORI_DEFINITIONS is 1. Each such function is
/// the entry point to much code that depends on no configuration.
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

/// Ends the program, also from a GPU kernel.
#if defined(__CUDA_ARCH__)
#define APRIORI_TRAP() __trap()
#else
#define APRIORI_TRAP() __builtin_trap()
#endif

/// Never inlined: keeps one copy of the code, and avoids gcc's -Warray-bounds guesses about the caller's arrays in
/// branches that are not taken.
#if defined(__GNUC__) || defined(__clang__)
#define APRIORI_NOINLINE __attribute__((noinline))
#else
#define APRIORI_NOINLINE
#endif
