// SPDX-License-Identifier: Apache-2.0
// The one place that touches xsimd: a vector of floats with the operators and functions that programs and kernels use.
// It absorbs the differences between xsimd 8.1 and later ones, and stands aside for the one-lane architecture `scalar_arch`.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/lane_math.hpp"

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

/// A register of floats, or of doubles, of an xsimd architecture.
template <class Arch, class T = float>
struct simd : lane_math::value {
    using batch = xsimd::batch<T, Arch>;
    static constexpr int size = int{batch::size};
    batch v;

    APRIORI_INLINE simd() = default;
    APRIORI_INLINE simd(batch b) noexcept : v(b) {}

    /// Whether the compiler's own operators take such registers.
    static constexpr bool native = requires(batch b) { b.data < b.data ? b.data + b.data : b.data; };
};

// These are the compiler's operators, not xsimd's: those of a header that came before this one obey -ffast-math. They are no
// friends, which gcc's pragma would not reach.
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> operator+(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data + b.v.data);
    else
        return a.v + b.v;
}
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> operator-(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data - b.v.data);
    else
        return a.v - b.v;
}
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> operator*(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data * b.v.data);
    else
        return a.v * b.v;
}
template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> operator/(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data / b.v.data);
    else
        return a.v / b.v;
}
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> operator-(simd<Arch, T> a) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(-a.v.data);
    else
        return -a.v;
}

/// a < b ? yes : no, lane by lane.
template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> where_less(simd<Arch, T> a, simd<Arch, T> b, simd<Arch, T> yes,
                                              simd<Arch, T> no) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data < b.v.data ? yes.v.data : no.v.data);
    else
        return xsimd::select(a.v < b.v, yes.v, no.v);
}
/// a == b ? yes : no, lane by lane.
template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> where_equal(simd<Arch, T> a, simd<Arch, T> b, simd<Arch, T> yes,
                                               simd<Arch, T> no) noexcept {
    if constexpr (simd<Arch, T>::native)
        return typename simd<Arch, T>::batch(a.v.data == b.v.data ? yes.v.data : no.v.data);
    else
        return xsimd::select(a.v == b.v, yes.v, no.v);
}
// b where either is NaN, as x86 has it in one instruction, which gcc does not find in a comparison with a constant
#if defined(__SSE2__) && !defined(__clang__) && !APRIORI_FAST_MATH
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> fmin(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    return (xsimd::min)(a.v, b.v);
}
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> fmax(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    return (xsimd::max)(a.v, b.v);
}
#else
template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> fmin(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    return where_less(a, b, a, b);
}
template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> fmax(simd<Arch, T> a, simd<Arch, T> b) noexcept {
    return where_less(b, a, a, b);
}
#endif

template <class Arch, class T>
APRIORI_EXACT_INLINE simd<Arch, T> sqrt(simd<Arch, T> x) noexcept {
#if defined(__SSE2__) && (defined(__clang__) || APRIORI_FAST_MATH) // else an estimate may take its place
    if constexpr (simd<Arch, T>::native) {
#ifdef __AVX__
        if constexpr (sizeof(T) == 4)
            __asm__("vsqrtps %1, %0" : "=v"(x.v.data) : "v"(x.v.data));
        else
            __asm__("vsqrtpd %1, %0" : "=v"(x.v.data) : "v"(x.v.data));
#else
        if constexpr (sizeof(T) == 4)
            __asm__("sqrtps %1, %0" : "=x"(x.v.data) : "x"(x.v.data));
        else
            __asm__("sqrtpd %1, %0" : "=x"(x.v.data) : "x"(x.v.data));
#endif
        return x;
    }
#endif
    return xsimd::sqrt(x.v);
}

} // namespace cpu_device

namespace detail {

/// T's numbers in a register of an xsimd architecture.
template <class T, class Arch>
inline constexpr int batch_size = [] {
    if constexpr (requires { xsimd::batch<T, Arch>::size; })
        return int{xsimd::batch<T, Arch>::size};
    else
        return 0;
}();

template <class T, int N, class Arch>
requires(std::is_floating_point_v<T> && batch_size<T, Arch> == N)
struct lane_value<T, N, Arch> {
    using type = cpu_device::simd<Arch, T>;
};
template <int N, class Arch>
requires(batch_size<float, Arch> == N || batch_size<double, Arch> == N)
struct lane_value<bool, N, Arch> {
    using type = cpu_device::simd<Arch, std::conditional_t<batch_size<float, Arch> == N, float, double>>;
};

} // namespace detail

template <class Arch, class U>
struct lanes<cpu_device::simd<Arch, U>> {
    using V = cpu_device::simd<Arch, U>;
    static constexpr int count = V::size;
    using number = U;
    template <class T>
    using as = lane_value_t<T, count, Arch>;
    template <class T>
    static APRIORI_INLINE V load(const T* p) noexcept {
        if constexpr (std::is_same_v<T, U>)
            return V::batch::load_unaligned(p);
        else
            return load_strided(p, 1);
    }
    template <class T>
    static APRIORI_INLINE V load_strided(const T* p, index_t stride) noexcept {
        if constexpr (V::native && count > 1 && std::is_same_v<T, U>)
            if (stride == 2) return every_second(p); // of complex numbers
        U a[to_size(count)];
        for (int i = 0; i < count; ++i) a[i] = element_cast<U>(p[i * stride]);
        return load(a);
    }
    template <class T>
    static APRIORI_INLINE V set(T x) noexcept {
        return typename V::batch(element_cast<U>(x));
    }
    /// p need not be aligned.
    template <class T>
    static APRIORI_INLINE void store(T* p, V x) noexcept {
        if constexpr (std::is_same_v<T, U>)
            x.v.store_unaligned(p);
        else {
            U a[to_size(count)];
            store(a, x);
            for (int i = 0; i < count; ++i) p[i] = element_cast<T>(a[i]);
        }
    }

private:
    /// p[0], p[2], ..: of two registers, the second of which ends with the last of these.
    static APRIORI_INLINE V every_second(const U* p) noexcept {
        const V a = load(p), b = load(p + count - 1);
        return [&]<int... Is>(std::integer_sequence<int, Is...>) {
            return V(typename V::batch(
                __builtin_shufflevector(a.v.data, b.v.data, (Is < count / 2 ? 2 * Is : 2 * Is + 1)...)));
        }(std::make_integer_sequence<int, count>{});
    }
};

namespace cpu_device {

/// Stores all lanes as T; p need not be aligned.
template <class T, class V>
APRIORI_INLINE void store(T* p, V x) noexcept {
    lanes<V>::store(p, x);
}

/// a * b + c, in one rounding where the architecture has such an instruction.
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> multiply_add(simd<Arch, T> a, simd<Arch, T> b, simd<Arch, T> c) noexcept {
#ifdef __clang__ // contracts this expression, and keeps -ffast-math out of it
    if constexpr (simd<Arch, T>::native) return typename simd<Arch, T>::batch(a.v.data * b.v.data + c.v.data);
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
APRIORI_INLINE double multiply_add(double a, double b, double c) noexcept {
#ifdef FP_FAST_FMA
    return std::fma(a, b, c);
#else
    return a * b + c;
#endif
}

/// The lanes joined by halves: the same order on every run.
template <class V, class Join>
APRIORI_INLINE auto join_lanes(V x, Join join) noexcept {
    typename lanes<V>::number a[to_size(lanes<V>::count)];
    store(a, x);
#pragma GCC unroll 8
    for (int half = lanes<V>::count / 2; half > 0; half /= 2)
#pragma GCC unroll 16
        for (int i = 0; i < half; ++i) a[i] = join(a[i], a[i + half]);
    return a[0];
}
APRIORI_INLINE auto sum_lanes(auto x) noexcept {
    return join_lanes(x, [](auto a, auto b) { return a + b; });
}
APRIORI_INLINE auto max_lanes(auto x) noexcept {
    return join_lanes(x, [](auto a, auto b) { return a > b ? a : b; });
}

/// The value type that code for an architecture computes in: of floats, or of doubles where it has registers of those.
template <class Arch, class T>
struct value_of_arch {
    using type = std::conditional_t<(detail::batch_size<T, Arch> > 0), simd<Arch, T>, T>;
};
template <class T>
struct value_of_arch<scalar_arch, T> {
    using type = T;
};
template <class Arch, class T = float>
using value_t = typename value_of_arch<Arch, T>::type;

/// body(V{}, c) for whole vectors of columns first .. last, then body(a value of one lane, c) for the rest one by one.
template <class V, class Body>
APRIORI_INLINE void for_columns(index_t first, index_t last, Body&& body) {
    index_t c = first;
    for (; c + lanes<V>::count <= last; c += lanes<V>::count) body(V{}, c);
    if constexpr (lanes<V>::count > 1)
        for (; c < last; ++c) body(one_lane_t<V>{}, c);
}

} // namespace cpu_device
} // namespace apriori
APRIORI_END_EXACT_MATH

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
