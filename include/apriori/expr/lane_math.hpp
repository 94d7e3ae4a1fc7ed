// SPDX-License-Identifier: Apache-2.0
// Functions of several lanes for which a device has no formula of its own: the C library's, lane by lane.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/lanes.hpp"

#include <cmath>
#include <concepts>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::lane_math {

/// Several real numbers side by side.
template <class V>
concept reals = std::derived_from<V, value> && std::is_floating_point_v<typename lanes<V>::number>;

/// f applied to each lane of x.
template <reals V, class T = typename lanes<V>::number>
APRIORI_NOINLINE V each(V x, T (*f)(T)) noexcept {
    T a[to_size(lanes<V>::count)];
    lanes<V>::store(a, x);
    for (T& v : a) v = f(v);
    return lanes<V>::load(a);
}
/// f applied to each lane of x and the same lane of y.
template <reals V, class T = typename lanes<V>::number>
APRIORI_NOINLINE V each(V x, V y, T (*f)(T, T)) noexcept {
    T a[to_size(lanes<V>::count)], b[to_size(lanes<V>::count)];
    lanes<V>::store(a, x);
    lanes<V>::store(b, y);
    for (int i = 0; i < lanes<V>::count; ++i) a[i] = f(a[i], b[i]);
    return lanes<V>::load(a);
}

// clang-format off
template <reals V, class T = typename lanes<V>::number> V abs(V x) noexcept { return each(x, +[](T a) { return std::fabs(a); }); }
template <reals V, class T = typename lanes<V>::number> V acos(V x) noexcept { return each(x, +[](T a) { return std::acos(a); }); }
template <reals V, class T = typename lanes<V>::number> V asin(V x) noexcept { return each(x, +[](T a) { return std::asin(a); }); }
template <reals V, class T = typename lanes<V>::number> V atan(V x) noexcept { return each(x, +[](T a) { return std::atan(a); }); }
template <reals V, class T = typename lanes<V>::number> V cbrt(V x) noexcept { return each(x, +[](T a) { return std::cbrt(a); }); }
template <reals V, class T = typename lanes<V>::number> V ceil(V x) noexcept { return each(x, +[](T a) { return std::ceil(a); }); }
template <reals V, class T = typename lanes<V>::number> V cos(V x) noexcept { return each(x, +[](T a) { return std::cos(a); }); }
template <reals V, class T = typename lanes<V>::number> V cosh(V x) noexcept { return each(x, +[](T a) { return std::cosh(a); }); }
template <reals V, class T = typename lanes<V>::number> V erf(V x) noexcept { return each(x, +[](T a) { return std::erf(a); }); }
template <reals V, class T = typename lanes<V>::number> V exp(V x) noexcept { return each(x, +[](T a) { return std::exp(a); }); }
template <reals V, class T = typename lanes<V>::number> V exp2(V x) noexcept { return each(x, +[](T a) { return std::exp2(a); }); }
template <reals V, class T = typename lanes<V>::number> V expm1(V x) noexcept { return each(x, +[](T a) { return std::expm1(a); }); }
template <reals V, class T = typename lanes<V>::number> V floor(V x) noexcept { return each(x, +[](T a) { return std::floor(a); }); }
template <reals V, class T = typename lanes<V>::number> V log(V x) noexcept { return each(x, +[](T a) { return std::log(a); }); }
template <reals V, class T = typename lanes<V>::number> V log1p(V x) noexcept { return each(x, +[](T a) { return std::log1p(a); }); }
template <reals V, class T = typename lanes<V>::number> V log2(V x) noexcept { return each(x, +[](T a) { return std::log2(a); }); }
template <reals V, class T = typename lanes<V>::number> V nearbyint(V x) noexcept { return each(x, +[](T a) { return std::nearbyint(a); }); }
template <reals V, class T = typename lanes<V>::number> V sin(V x) noexcept { return each(x, +[](T a) { return std::sin(a); }); }
template <reals V, class T = typename lanes<V>::number> V sinh(V x) noexcept { return each(x, +[](T a) { return std::sinh(a); }); }
template <reals V, class T = typename lanes<V>::number> V sqrt(V x) noexcept { return each(x, +[](T a) { return std::sqrt(a); }); }
template <reals V, class T = typename lanes<V>::number> V tan(V x) noexcept { return each(x, +[](T a) { return std::tan(a); }); }
template <reals V, class T = typename lanes<V>::number> V tanh(V x) noexcept { return each(x, +[](T a) { return std::tanh(a); }); }
template <reals V, class T = typename lanes<V>::number> V trunc(V x) noexcept { return each(x, +[](T a) { return std::trunc(a); }); }
template <reals V, class T = typename lanes<V>::number> V atan2(V x, V y) noexcept { return each(x, y, +[](T a, T b) { return std::atan2(a, b); }); }
template <reals V, class T = typename lanes<V>::number> V fmod(V x, V y) noexcept { return each(x, y, +[](T a, T b) { return std::fmod(a, b); }); }
template <reals V, class T = typename lanes<V>::number> V pow(V x, V y) noexcept { return each(x, y, +[](T a, T b) { return std::pow(a, b); }); }
// clang-format on

} // namespace apriori::lane_math
APRIORI_END_EXACT_MATH
