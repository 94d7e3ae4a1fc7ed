// SPDX-License-Identifier: Apache-2.0
// Registers of a few numbers as vectors of gcc and clang: for instruction sets that xsimd does not support, such as
// WebAssembly's simd128. They need neither xsimd nor intrinsics, and work on every machine.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/blocking.hpp"
#include "apriori/device/cpu/int_lanes.hpp"

#include <cmath>
#include <cstdint>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// An architecture of registers of `Lanes` floats, or of half as many doubles. If the machine has none of that size,
/// the compiler splits them. Its packed weights are those of packing_arch<Lanes>.
///
///     cpu<vector_arch<4>> device;     // WebAssembly with -msimd128
template <int Lanes>
struct vector_arch {
    static_assert(Lanes >= 2 && (Lanes & (Lanes - 1)) == 0, "apriori: vector_arch has a power of two of lanes");
    static constexpr const char* name() noexcept { return "vectors"; }
};

namespace cpu_device {

template <class T, int N>
struct vector_type { // separate: in a class that uses the type, gcc would apply the attribute to T
    typedef T type __attribute__((vector_size(sizeof(T) * to_size(N))));
    typedef T anywhere
        __attribute__((vector_size(sizeof(T) * to_size(N)), aligned(alignof(T)), may_alias)); // in memory
};
/// N numbers of T as one of the compiler's vectors.
template <class T, int N>
struct vector_of {
    using type = typename vector_type<T, N>::type;
    type data;

    APRIORI_INLINE vector_of() = default;
    APRIORI_INLINE vector_of(type d) noexcept : data(d) {}
    APRIORI_INLINE explicit vector_of(T x) noexcept : data(x - type{}) {} // a difference keeps the sign of a zero

    static APRIORI_INLINE vector_of load(const T* p) noexcept {
        return type(*reinterpret_cast<const typename vector_type<T, N>::anywhere*>(p));
    }
    APRIORI_INLINE void store(T* p) const noexcept {
        *reinterpret_cast<typename vector_type<T, N>::anywhere*>(p) = data;
    }
};
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator+(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data + b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator-(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data - b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator*(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data * b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator&(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data & b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator|(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data | b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator^(vector_of<T, N> a, vector_of<T, N> b) noexcept {
    return a.data ^ b.data;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator<<(vector_of<T, N> a, int bits) noexcept {
    return a.data << bits;
}
template <class T, int N>
APRIORI_INLINE vector_of<T, N> operator>>(vector_of<T, N> a, int bits) noexcept {
    return a.data >> bits;
}
/// -1 where the comparison holds, else 0.
template <int N>
APRIORI_INLINE vector_of<std::int32_t, N> operator<(vector_of<std::uint32_t, N> a,
                                                    vector_of<std::uint32_t, N> b) noexcept {
    return a.data < b.data;
}
template <int N>
APRIORI_INLINE vector_of<std::int32_t, N> operator<=(vector_of<std::uint32_t, N> a,
                                                     vector_of<std::uint32_t, N> b) noexcept {
    return a.data <= b.data;
}
template <int N>
APRIORI_INLINE bool all(vector_of<std::int32_t, N> x) noexcept {
    std::int32_t every = -1;
    for (int i = 0; i < N; ++i) every &= x.data[i];
    return every != 0;
}

/// A register of floats, or half as many doubles.
template <int Lanes, class T>
struct simd<vector_arch<Lanes>, T> : lane_math::value {
    static constexpr int numbers = Lanes * 4 / int{sizeof(T)};
    static constexpr bool native = false; // no code for the registers of a particular machine
    using batch = vector_of<T, numbers>;
    batch v;

    APRIORI_INLINE simd() = default;
    APRIORI_INLINE simd(batch b) noexcept : v(b) {}
};
template <int Lanes, class T = float>
using vectors = simd<vector_arch<Lanes>, T>;

template <int L, class T>
APRIORI_INLINE vectors<L, T> operator+(vectors<L, T> a, vectors<L, T> b) noexcept {
    return a.v + b.v;
}
template <int L, class T>
APRIORI_INLINE vectors<L, T> operator-(vectors<L, T> a, vectors<L, T> b) noexcept {
    return a.v - b.v;
}
template <int L, class T>
APRIORI_INLINE vectors<L, T> operator*(vectors<L, T> a, vectors<L, T> b) noexcept {
    return a.v * b.v;
}
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> operator/(vectors<L, T> a, vectors<L, T> b) noexcept {
    return typename vectors<L, T>::batch(a.v.data / b.v.data);
}
template <int L, class T>
APRIORI_INLINE vectors<L, T> operator-(vectors<L, T> a) noexcept {
    return typename vectors<L, T>::batch(-a.v.data);
}
/// a < b ? yes : no, and a == b ? yes : no, lane by lane.
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> where_less(vectors<L, T> a, vectors<L, T> b, vectors<L, T> yes,
                                              vectors<L, T> no) noexcept {
    return typename vectors<L, T>::batch(a.v.data < b.v.data ? yes.v.data : no.v.data);
}
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> where_equal(vectors<L, T> a, vectors<L, T> b, vectors<L, T> yes,
                                               vectors<L, T> no) noexcept {
    return typename vectors<L, T>::batch(a.v.data == b.v.data ? yes.v.data : no.v.data);
}
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> fmin(vectors<L, T> a, vectors<L, T> b) noexcept {
    return where_less(a, b, a, b);
}
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> fmax(vectors<L, T> a, vectors<L, T> b) noexcept {
    return where_less(b, a, a, b);
}
template <int L, class T>
APRIORI_EXACT_INLINE vectors<L, T> sqrt(vectors<L, T> x) noexcept {
    for (int i = 0; i < vectors<L, T>::numbers; ++i) x.v.data[i] = std::sqrt(x.v.data[i]);
    return x;
}
/// a * b + c, with one rounding if the machine has an instruction for it.
template <int L, class T>
APRIORI_INLINE vectors<L, T> multiply_add(vectors<L, T> a, vectors<L, T> b, vectors<L, T> c) noexcept {
#ifdef FP_FAST_FMAF
    for (int i = 0; i < vectors<L, T>::numbers; ++i) c.v.data[i] = std::fma(a.v.data[i], b.v.data[i], c.v.data[i]);
    return c;
#else
    return a.v * b.v + c.v;
#endif
}

template <int L>
struct int_lanes<vectors<L>> {
    using V = vectors<L>;
    using batch = vector_of<std::uint32_t, L>;
    using integers = vector_of<std::int32_t, L>;
    batch v;

    static APRIORI_INLINE int_lanes load(const std::uint32_t* p) noexcept { return {batch::load(p)}; }
    static APRIORI_INLINE int_lanes set(std::uint32_t x) noexcept { return {batch(x)}; }
    static APRIORI_INLINE integers load_integers(const std::int32_t* p) noexcept { return integers::load(p); }
    static APRIORI_INLINE void store_integers(std::int32_t* p, integers x) noexcept { x.store(p); }
    static APRIORI_INLINE V to_floats(integers x) noexcept {
        return typename V::batch(__builtin_convertvector(x.data, typename V::batch::type));
    }
    APRIORI_INLINE integers as_integers() const noexcept { return __builtin_bit_cast(typename integers::type, v.data); }
    APRIORI_INLINE int_lanes left(int bits) const noexcept { return {v << bits}; }
    APRIORI_INLINE int_lanes right(int bits) const noexcept { return {v >> bits}; }
    static APRIORI_INLINE int_lanes of(V x) noexcept {
        return {batch(__builtin_bit_cast(typename batch::type, x.v.data))};
    }
    APRIORI_INLINE int_lanes masked(std::uint32_t mask) const noexcept { return {v & batch(mask)}; }
    APRIORI_INLINE int_lanes joined(int_lanes o) const noexcept { return {v | o.v}; }
    APRIORI_INLINE int_lanes flipped(int_lanes o) const noexcept { return {v ^ o.v}; }
    APRIORI_INLINE V as_floats() const noexcept {
        return typename V::batch(__builtin_bit_cast(typename V::batch::type, v.data));
    }
    APRIORI_INLINE V upper_signed(int bits) const noexcept { return to_floats(as_integers() >> (32 - bits)); }
};

template <int L, class T>
struct value_of_arch<vector_arch<L>, T> {
    using type = vectors<L, T>;
};

} // namespace cpu_device

namespace detail {

template <class T, int L>
inline constexpr int batch_size<T, vector_arch<L>> = 0; // xsimd has no batch for it

template <class T, int N, int L>
requires(std::is_floating_point_v<T> && cpu_device::vectors<L, T>::numbers == N)
struct lane_value<T, N, vector_arch<L>> {
    using type = cpu_device::vectors<L, T>;
};
template <int N, int L>
requires(N == L || N * 2 == L)
struct lane_value<bool, N, vector_arch<L>> {
    using type = cpu_device::vectors<L, std::conditional_t<N == L, float, double>>;
};

} // namespace detail

template <int L, class U>
struct lanes<cpu_device::vectors<L, U>> {
    using V = cpu_device::vectors<L, U>;
    static constexpr int count = V::numbers;
    using number = U;
    template <class T>
    using as = lane_value_t<T, count, vector_arch<L>>;
    template <class T>
    static APRIORI_INLINE V load(const T* p) noexcept {
        if constexpr (std::is_same_v<T, U>)
            return V::batch::load(p);
        else
            return load_strided(p, 1);
    }
    template <class T>
    static APRIORI_INLINE V load_strided(const T* p, index_t stride) noexcept {
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
            x.v.store(p);
        else
            for (int i = 0; i < count; ++i) p[i] = element_cast<T>(x.v.data[i]);
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
