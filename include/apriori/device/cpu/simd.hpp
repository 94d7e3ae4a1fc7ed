// SPDX-License-Identifier: Apache-2.0
// The one place that touches xsimd: a vector of floats with the operators and functions that programs and kernels use.
// It absorbs the differences between xsimd 8.1 and later ones, and stands aside for the one-lane architecture `scalar_arch`.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"

// gcc 12 takes the undefined registers inside its own AVX-512 intrinsics for a mistake of their callers (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <cmath>
APRIORI_BEGIN_EXACT_MATH
#include <xsimd/xsimd.hpp>
APRIORI_END_EXACT_MATH

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// An architecture of one lane: plain floats, everywhere.
struct scalar_arch {
    static constexpr const char* name() noexcept { return "scalar"; }
};

#ifdef XSIMD_NO_SUPPORTED_ARCHITECTURE
using default_arch = scalar_arch;
#else
using default_arch = xsimd::default_arch;
#endif

namespace cpu_device {

/// A register of floats of an xsimd architecture.
template <class Arch>
struct simd {
    using batch = xsimd::batch<float, Arch>;
    static constexpr int size = int{batch::size};
    batch v;

    APRIORI_INLINE simd() = default;
    APRIORI_INLINE simd(batch b) noexcept : v(b) {}

    /// Whether the compiler's own operators take such registers.
    static constexpr bool native = requires(batch b) { b.data < b.data ? b.data + b.data : b.data; };
};

// These are the compiler's operators, not xsimd's: those of a header that came before this one obey -ffast-math. They are no
// friends, which gcc's pragma would not reach.
template <class Arch>
APRIORI_INLINE simd<Arch> operator+(simd<Arch> a, simd<Arch> b) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data + b.v.data);
    else
        return a.v + b.v;
}
template <class Arch>
APRIORI_INLINE simd<Arch> operator-(simd<Arch> a, simd<Arch> b) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data - b.v.data);
    else
        return a.v - b.v;
}
template <class Arch>
APRIORI_INLINE simd<Arch> operator*(simd<Arch> a, simd<Arch> b) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data * b.v.data);
    else
        return a.v * b.v;
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> operator/(simd<Arch> a, simd<Arch> b) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data / b.v.data);
    else
        return a.v / b.v;
}
template <class Arch>
APRIORI_INLINE simd<Arch> operator-(simd<Arch> a) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(-a.v.data);
    else
        return -a.v;
}

/// a < b ? yes : no, lane by lane.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> where_less(simd<Arch> a, simd<Arch> b, simd<Arch> yes, simd<Arch> no) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data < b.v.data ? yes.v.data : no.v.data);
    else
        return xsimd::select(a.v < b.v, yes.v, no.v);
}
/// a == b ? yes : no, lane by lane.
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> where_equal(simd<Arch> a, simd<Arch> b, simd<Arch> yes, simd<Arch> no) noexcept {
    if constexpr (simd<Arch>::native)
        return typename simd<Arch>::batch(a.v.data == b.v.data ? yes.v.data : no.v.data);
    else
        return xsimd::select(a.v == b.v, yes.v, no.v);
}
// b where either is NaN, as x86 has it in one instruction, which gcc does not find in a comparison with a constant
#if defined(__SSE2__) && !defined(__clang__) && !APRIORI_FAST_MATH
template <class Arch>
APRIORI_INLINE simd<Arch> fmin(simd<Arch> a, simd<Arch> b) noexcept {
    return (xsimd::min)(a.v, b.v);
}
template <class Arch>
APRIORI_INLINE simd<Arch> fmax(simd<Arch> a, simd<Arch> b) noexcept {
    return (xsimd::max)(a.v, b.v);
}
#else
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> fmin(simd<Arch> a, simd<Arch> b) noexcept {
    return where_less(a, b, a, b);
}
template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> fmax(simd<Arch> a, simd<Arch> b) noexcept {
    return where_less(b, a, a, b);
}
#endif

template <class Arch>
APRIORI_EXACT_INLINE simd<Arch> sqrt(simd<Arch> x) noexcept {
#if defined(__SSE2__) && (defined(__clang__) || APRIORI_FAST_MATH) // else an estimate may take its place
    if constexpr (simd<Arch>::native) {
#ifdef __AVX__
        __asm__("vsqrtps %1, %0" : "=v"(x.v.data) : "v"(x.v.data));
#else
        __asm__("sqrtps %1, %0" : "=x"(x.v.data) : "x"(x.v.data));
#endif
        return x;
    }
#endif
    return xsimd::sqrt(x.v);
}

} // namespace cpu_device

template <class Arch>
struct lanes<cpu_device::simd<Arch>> {
    using V = cpu_device::simd<Arch>;
    static constexpr int count = V::size;
    static APRIORI_INLINE V load(const float* p) noexcept { return V::batch::load_unaligned(p); }
    static APRIORI_INLINE V load_strided(const float* p, index_t stride) noexcept {
        float a[to_size(count)];
        for (int i = 0; i < count; ++i) a[i] = p[i * stride];
        return load(a);
    }
    static APRIORI_INLINE V set(float x) noexcept { return typename V::batch(x); }
};

namespace cpu_device {

/// Stores all lanes; p need not be aligned.
template <class Arch>
APRIORI_INLINE void store(float* p, simd<Arch> x) noexcept {
    x.v.store_unaligned(p);
}
APRIORI_INLINE void store(float* p, float x) noexcept { *p = x; }

/// a * b + c, in one rounding where the architecture has such an instruction.
template <class Arch>
APRIORI_INLINE simd<Arch> multiply_add(simd<Arch> a, simd<Arch> b, simd<Arch> c) noexcept {
#ifdef __clang__ // contracts this expression, and keeps -ffast-math out of it
    if constexpr (simd<Arch>::native) return typename simd<Arch>::batch(a.v.data * b.v.data + c.v.data);
#endif
    return xsimd::fma(a.v, b.v, c.v);
}
APRIORI_INLINE float multiply_add(float a, float b, float c) noexcept {
#ifdef FP_FAST_FMAF // said, not left to the compiler, which contracts in one kernel and not in the next
    return std::fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// The lanes joined by halves: the same order on every run.
template <class V, class Join>
APRIORI_INLINE float join_lanes(V x, Join join) noexcept {
    float a[lanes<V>::count];
    store(a, x);
#pragma GCC unroll 8
    for (int half = lanes<V>::count / 2; half > 0; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < half; ++i) a[i] = join(a[i], a[i + half]);
    return a[0];
}
APRIORI_INLINE float sum_lanes(auto x) noexcept {
    return join_lanes(x, [](float a, float b) { return a + b; });
}
APRIORI_INLINE float max_lanes(auto x) noexcept {
    return join_lanes(x, [](float a, float b) { return fn::fmax(a, b); });
}

/// The value type that code for an architecture computes in.
template <class Arch>
struct value_of_arch {
    using type = simd<Arch>;
};
template <>
struct value_of_arch<scalar_arch> {
    using type = float;
};
template <class Arch>
using value_t = typename value_of_arch<Arch>::type;

/// body(V{}, c) for whole vectors of columns first .. last, then body(float{}, c) for the rest one by one.
template <class V, class Body>
APRIORI_INLINE void for_columns(index_t first, index_t last, Body&& body) {
    index_t c = first;
    for (; c + lanes<V>::count <= last; c += lanes<V>::count) body(V{}, c);
    if constexpr (lanes<V>::count > 1)
        for (; c < last; ++c) body(float{}, c);
}

} // namespace cpu_device
} // namespace apriori
APRIORI_END_EXACT_MATH

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
