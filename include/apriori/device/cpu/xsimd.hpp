// SPDX-License-Identifier: Apache-2.0
// The only file that uses xsimd: registers of floats, doubles and words, with the operators that programs and
// kernels use. It absorbs the differences between xsimd 8.1 and later versions. xsimd is not needed where it
// has no architecture, or with APRIORI_NO_XSIMD: then only the one-lane architecture `scalar_arch` is
// available, which has no registers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/functions.hpp"
#include "apriori/expr/lane_math.hpp"

#include <cmath>
#include <cstdint>
#include <type_traits>

#if defined(APRIORI_NO_XSIMD)
#define APRIORI_XSIMD 0
#elif __has_include(<xsimd/config/xsimd_config.hpp>)
#include <xsimd/config/xsimd_config.hpp>
#if defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#define APRIORI_XSIMD 0
#else
#define APRIORI_XSIMD 1
#endif
#elif defined(__SSE2__) || defined(__ARM_NEON)
#error                                                                                                                 \
    "apriori: device/cpu needs xsimd (Debian: apt install libxsimd-dev); define APRIORI_NO_XSIMD to compute in plain floats"
#else
#define APRIORI_XSIMD 0
#endif

// gcc 12 warns of undefined registers inside its own AVX-512 intrinsics (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#if APRIORI_XSIMD
APRIORI_BEGIN_EXACT_MATH
#include <xsimd/xsimd.hpp>
APRIORI_END_EXACT_MATH
#endif

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// An architecture of one lane: plain floats, on every machine.
struct scalar_arch {
    static constexpr const char* name() noexcept { return "scalar"; }
};

namespace cpu_device {

/// A register of floats, or of doubles, of an xsimd architecture.
template <class Arch, class T = float>
struct simd;
/// As many 32-bit words as V has floats.
template <class V>
struct int_lanes;
/// A vector of N floats if this build has one, else Arch's own.
template <class Arch, int N>
struct value_of_lanes;

} // namespace cpu_device

#if !APRIORI_XSIMD

using default_arch = scalar_arch;

namespace detail {

template <class T, class Arch>
inline constexpr int batch_size = 0;

} // namespace detail

#else

using default_arch = xsimd::default_arch;

namespace cpu_device {

template <class Arch, class T>
struct simd : lane_math::value {
    using batch = xsimd::batch<T, Arch>;
    static constexpr int size = int{batch::size};
    batch v;

    APRIORI_INLINE simd() = default;
    APRIORI_INLINE simd(batch b) noexcept : v(b) {}

    /// Whether the compiler's own operators work on such registers.
    static constexpr bool native = requires(batch b) { b.data < b.data ? b.data + b.data : b.data; };
};

// These use the compiler's operators, not xsimd's, since those obey -ffast-math if their header was included earlier.
// They are not friends, which gcc's pragma would not reach.
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
// b where either is NaN, as x86 does in one instruction; gcc does not find it in a comparison with a constant
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
#if defined(__SSE2__) && (defined(__clang__) || APRIORI_FAST_MATH) // otherwise an estimate may replace it
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
#elif defined(__aarch64__) // xsimd 8 estimates it, with NaN for infinity, and 0 for -0
    if constexpr (std::is_same_v<decltype(x.v.data), float32x4_t>)
        return typename simd<Arch, T>::batch(vsqrtq_f32(x.v.data));
#endif
    return xsimd::sqrt(x.v);
}

} // namespace cpu_device

namespace detail {

/// The numbers of type T in a register of an xsimd architecture.
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
            if (stride == 2) return every_second(p); // as in complex numbers
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
    /// p[0], p[2], ..: from two registers, the second of which ends with the last of these.
    static APRIORI_INLINE V every_second(const U* p) noexcept {
        const V a = load(p), b = load(p + count - 1);
        return [&]<int... Is>(std::integer_sequence<int, Is...>) {
            return V(typename V::batch(
                __builtin_shufflevector(a.v.data, b.v.data, (Is < count / 2 ? 2 * Is : 2 * Is + 1)...)));
        }(std::make_integer_sequence<int, count>{});
    }
};

namespace cpu_device {

/// a * b + c, with one rounding if the architecture has an instruction for it.
template <class Arch, class T>
APRIORI_INLINE simd<Arch, T> multiply_add(simd<Arch, T> a, simd<Arch, T> b, simd<Arch, T> c) noexcept {
#ifdef __clang__ // contracts this expression, and does not apply -ffast-math to it
    if constexpr (simd<Arch, T>::native) return typename simd<Arch, T>::batch(a.v.data * b.v.data + c.v.data);
#endif
    return xsimd::fma(a.v, b.v, c.v);
}

template <class Arch>
struct int_lanes<simd<Arch>> {
    using V = simd<Arch>;
    using batch = xsimd::batch<std::uint32_t, Arch>;
    using integers = xsimd::batch<std::int32_t, Arch>;
    batch v;

    static APRIORI_INLINE int_lanes load(const std::uint32_t* p) noexcept { return {batch::load_unaligned(p)}; }
    static APRIORI_INLINE int_lanes set(std::uint32_t x) noexcept { return {batch(x)}; }
    static APRIORI_INLINE integers load_integers(const std::int32_t* p) noexcept { return integers::load_unaligned(p); }
    static APRIORI_INLINE void store_integers(std::int32_t* p, integers x) noexcept { x.store_unaligned(p); }
    static APRIORI_INLINE V to_floats(integers x) noexcept { return V(xsimd::batch_cast<float>(x)); }
    APRIORI_INLINE integers as_integers() const noexcept { return cast<std::int32_t, integers>(v); }
    APRIORI_INLINE int_lanes left(int bits) const noexcept { return {v << bits}; }
    APRIORI_INLINE int_lanes right(int bits) const noexcept { return {v >> bits}; }
    static APRIORI_INLINE int_lanes of(V x) noexcept { return {cast<std::uint32_t, batch>(x.v)}; }
    APRIORI_INLINE int_lanes masked(std::uint32_t mask) const noexcept { return {v & batch(mask)}; }
    APRIORI_INLINE int_lanes joined(int_lanes o) const noexcept { return {v | o.v}; }
    APRIORI_INLINE int_lanes flipped(int_lanes o) const noexcept { return {v ^ o.v}; }
    APRIORI_INLINE V as_floats() const noexcept { return cast<float, typename V::batch>(v); }
    APRIORI_INLINE V upper_signed(int bits) const noexcept { return to_floats(as_integers() >> (32 - bits)); }

private:
    // xsimd 8 casts to a batch, later versions to its element
    template <class T, class Batch, class From>
    static APRIORI_INLINE Batch cast(From b) noexcept {
        if constexpr (requires { xsimd::bitwise_cast<Batch>(b); })
            return xsimd::bitwise_cast<Batch>(b);
        else
            return xsimd::bitwise_cast<T>(b);
    }
};

template <class Arch, int N>
requires(!std::is_void_v<xsimd::make_sized_batch_t<float, to_size(N)>>)
struct value_of_lanes<Arch, N> {
    using type = simd<typename xsimd::make_sized_batch_t<float, to_size(N)>::arch_type>;
};

} // namespace cpu_device

#endif

} // namespace apriori
APRIORI_END_EXACT_MATH

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
