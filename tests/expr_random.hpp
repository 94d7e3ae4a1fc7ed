// SPDX-License-Identifier: Apache-2.0
// Random expressions: the compiler draws each one from a seed, with up to a dozen nodes over three axes. Plain loops
// over arrays compute it a second time, without lowering, broadcast views or fusion. Every element has to be within the
// bound of a running error analysis (device_oracle_real.hpp), for random sizes with extents of 0, of 1 and odd ones.
#pragma once

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/device.hpp"
#include "apriori/expr.hpp"
#include "apriori/expr/print.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

namespace random_expressions {

using namespace apriori;
using oracle::real;

// ---- arrays in plain loops -----------------------------------------------------------------------------------------

struct array3 {
    std::array<index_t, 3> size{};
    std::vector<real> v{};

    explicit array3(std::array<index_t, 3> s) : size(s), v(to_size(s[0] * s[1] * s[2])) {}
    real& at(std::array<index_t, 3> i) { return v[to_size((i[0] * size[1] + i[1]) * size[2] + i[2])]; }
    /// The element for an index of a larger array: axes of extent 1 are broadcast.
    real of(std::array<index_t, 3> i) const {
        for (std::size_t axis = 0; axis < 3; ++axis)
            if (size[axis] == 1) i[axis] = 0;
        return v[to_size((i[0] * size[1] + i[1]) * size[2] + i[2])];
    }
};
template <class Body>
void for_each_index(const std::array<index_t, 3>& size, const Body& body) {
    for (index_t i = 0; i < size[0]; ++i)
        for (index_t j = 0; j < size[1]; ++j)
            for (index_t k = 0; k < size[2]; ++k) body(std::array<index_t, 3>{i, j, k});
}
template <class F, class... A>
array3 map(std::array<index_t, 3> size, F f, const A&... a) {
    array3 out(size);
    for_each_index(size, [&](auto i) { out.at(i) = f(a.of(i)...); });
    return out;
}
/// f of each line along an axis, given as a vector. f returns one number, or as many as the line has.
template <class F>
array3 along(std::size_t axis, const array3& x, F f) {
    std::array<index_t, 3> lines = x.size;
    lines[axis] = 1;
    using result = decltype(f(std::vector<real>()));
    constexpr bool reduces = std::is_same_v<result, real>;
    array3 out(reduces ? lines : x.size);
    for_each_index(lines, [&](auto i) {
        std::vector<real> line;
        for (index_t n = 0; n < x.size[axis]; ++n) {
            i[axis] = n;
            line.push_back(x.of(i));
        }
        if constexpr (reduces) {
            i[axis] = 0;
            out.at(i) = f(line);
        } else {
            const std::vector<real> whole = f(line);
            for (index_t n = 0; n < x.size[axis]; ++n) {
                i[axis] = n;
                out.at(i) = whole[to_size(n)];
            }
        }
    });
    return out;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

/// The names of an expression's extents: 'a', 'b' and 'c' are known at run time, '1' is 1.
using signature = std::array<char, 3>;

constexpr std::uint64_t mixed(std::uint64_t z) { // splitmix64
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
constexpr signature with(signature s, std::size_t axis, char name) {
    s[axis] = name;
    return s;
}
/// s with the extent of some axes replaced by 1.
constexpr signature narrowed(signature s, std::uint64_t seed) {
    for (std::size_t i = 0; i < 3; ++i)
        if ((seed >> i & 3) == 3) s[i] = '1';
    return s;
}
constexpr index_t static_extent(char name) { return name == '1' ? 1 : dyn; }

/// The tensors of T that expressions refer to, and the sizes of one run.
template <class T>
struct world {
    std::uint64_t state;
    std::array<index_t, 3> sizes{};
    std::deque<std::vector<T>> memory{};

    explicit world(std::uint64_t seed) : state(mixed(seed)) {
        constexpr std::array<index_t, 10> choice{0, 1, 1, 2, 3, 4, 5, 7, 16, 19};
        for (index_t& n : sizes) n = choice[to_size(index_t(next() % choice.size()))];
    }
    std::uint64_t next() { return state = mixed(state); }
    index_t size(char name) const { return name == '1' ? 1 : sizes[to_size(name - 'a')]; }
    std::array<index_t, 3> size(signature s) const { return {size(s[0]), size(s[1]), size(s[2])}; }
};

template <class X>
struct drawn {
    X x; ///< the expression
    array3 plain;
};
template <class X>
drawn(X, array3) -> drawn<X>;

/// A tensor: dense, transposed, or a part of a larger one.
template <std::uint64_t Seed, signature S, class T>
auto leaf(world<T>& w) {
    constexpr bool turned = Seed % 3 == 1, part = Seed % 3 == 2;
    constexpr signature stored = turned ? signature{S[1], S[0], S[2]} : S;
    const auto n = w.size(stored);
    const index_t wide = n[2] + (part ? 3 : 0);
    std::vector<T>& numbers = w.memory.emplace_back(to_size(n[0] * n[1] * wide + 1));
    for (T& v : numbers) // with all bits of precision that a T has
        v = static_cast<T>(sizeof(T) == 4 ? static_cast<double>(w.next() >> 40) * 0x1p-22 - 2
                                          : static_cast<double>(w.next() >> 11) * 0x1p-51 - 2);
    using E = extents<static_extent(stored[0]), static_extent(stored[1]), static_extent(stored[2])>;
    const view<const T, E, layout::rows> rows(numbers.data(), extents_of_sizes<E>(n), {n[1] * wide, wide, 1});
    const auto v = [&] {
        if constexpr (turned)
            return transpose<0, 1>(rows);
        else if constexpr (part)
            return rows;
        else
            return view<const T, E>(rows.data, rows.shape);
    }();
    array3 plain(w.size(S));
    for_each_index(plain.size, [&](auto i) {
        const index_t offset =
            turned ? i[1] * n[1] * wide + i[0] * wide + i[2] : i[0] * n[1] * wide + i[1] * wide + i[2];
        plain.at(i) = {static_cast<double>(numbers[to_size(offset)]), 0};
    });
    return drawn{v, std::move(plain)};
}

template <std::uint64_t Seed, int Nodes, signature S, class T>
auto draw(world<T>& w);

template <std::uint64_t Seed, int Nodes, signature S, class T>
auto unary(world<T>& w) {
    const auto a = draw<mixed(Seed + 1), Nodes - 1, S>(w);
    const auto both = [&](auto expression, auto f) { return drawn{expression, map(w.size(S), f, a.plain)}; };
    using namespace oracle;
    if constexpr (Seed % 8 == 0)
        return both(tanh(a.x), [](real x) { return tanh(x); });
    else if constexpr (Seed % 8 == 1)
        return both(abs(a.x) * 0.5f, [](real x) { return abs(x) * number(0.5); });
    else if constexpr (Seed % 8 == 2)
        return both(square(a.x), [](real x) { return x * x; });
    else if constexpr (Seed % 8 == 3)
        return both(-a.x, [](real x) { return -x; });
    else if constexpr (Seed % 8 == 4)
        return both(sigmoid(a.x), [](real x) { return number(1) / (number(1) + exp(-x)); });
    else if constexpr (Seed % 8 == 5)
        return both(floor(a.x * 3.0f), [](real x) { return floor(x * number(3)); });
    else if constexpr (Seed % 8 == 6)
        return both(clamp(a.x, -1.0f, 0.5f), [](real x) { return fmin(number(0.5), fmax(number(-1), x)); });
    else
        return both(cast<T>(!(a.x > 0.25f)), [](real x) { return where_less(number(0.25), x, number(0), number(1)); });
}
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto binary(world<T>& w) {
    constexpr int left = 1 + int((Seed >> 8) % std::uint64_t(Nodes - 1));
    const auto a = draw<mixed(Seed + 1), left, S>(w);
    const auto b = draw<mixed(Seed + 2), Nodes - left, narrowed(S, Seed >> 16)>(w);
    const auto both = [&](auto expression, auto f) { return drawn{expression, map(w.size(S), f, a.plain, b.plain)}; };
    if constexpr (Seed % 6 == 0)
        return both(a.x + b.x, [](real x, real y) { return x + y; });
    else if constexpr (Seed % 6 == 1)
        return both(a.x - b.x, [](real x, real y) { return x - y; });
    else if constexpr (Seed % 6 == 2)
        return both(b.x * a.x, [](real x, real y) { return y * x; });
    else if constexpr (Seed % 6 == 3)
        return both(maximum(a.x, b.x), [](real x, real y) { return fmax(x, y); });
    else if constexpr (Seed % 6 == 4)
        return both(where(a.x < b.x, a.x, b.x * 2.0f),
                    [](real x, real y) { return where_less(x, y, x, y * oracle::number(2)); });
    else
        return both(a.x / (abs(b.x) + 1.0f), [](real x, real y) { return x / (abs(y) + oracle::number(1)); });
}
/// A reduction, which makes an axis of extent 1.
template <std::uint64_t Seed, int Nodes, signature S, int Axis, class T>
auto reduction(world<T>& w) {
    const auto a = draw<mixed(Seed + 1), Nodes - 1, with(S, Axis, char('a' + (Seed >> 8) % 3))>(w);
    const auto both = [&](auto expression, auto policy) {
        return drawn{expression,
                     along(Axis, a.plain, [=](const std::vector<real>& x) { return oracle::reduce(policy, x); })};
    };
    if constexpr (Seed % 4 == 0)
        return both(sum<Axis>(a.x), norms::sum{});
    else if constexpr (Seed % 4 == 1)
        return both(mean<Axis>(a.x), norms::mean{});
    else if constexpr (Seed % 4 == 2)
        return both((max<Axis>)(a.x), norms::max{});
    else
        return both(var<Axis>(a.x), norms::variance{});
}
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto norm_of(world<T>& w) {
    constexpr int axis = int((Seed >> 8) % 3);
    const auto a = draw<mixed(Seed + 1), Nodes - 1, S>(w);
    const auto both = [&](auto expression, auto policy) {
        return drawn{expression,
                     along(axis, a.plain, [=](const std::vector<real>& x) { return oracle::normalize(policy, x); })};
    };
    if constexpr (Seed % 2 == 0)
        return both(softmax<axis>(a.x), norms::softmax{});
    else
        return both(normalize<axis>(norms::layer_norm{}, a.x), norms::layer_norm{});
}
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto transposed(world<T>& w) {
    constexpr std::size_t i = Seed % 3, j = (i + 1 + (Seed >> 8) % 2) % 3;
    constexpr signature from = with(with(S, i, S[j]), j, S[i]);
    const auto a = draw<mixed(Seed + 1), Nodes - 1, from>(w);
    array3 plain(w.size(S));
    for_each_index(plain.size, [&](auto at) {
        auto other = at;
        std::swap(other[i], other[j]);
        plain.at(at) = a.plain.of(other);
    });
    return drawn{transpose<int{i}, int{j}>(a.x), std::move(plain)};
}
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto product(world<T>& w) {
    constexpr char inner = char('a' + (Seed >> 8) % 3);
    constexpr int left = 1 + int((Seed >> 12) % std::uint64_t(Nodes - 1));
    const auto a = draw<mixed(Seed + 1), left, with(S, 2, inner)>(w);
    const auto b = draw<mixed(Seed + 2), Nodes - left, with(S, 1, inner)>(w);
    array3 plain(w.size(S));
    for_each_index(plain.size, [&](auto i) {
        std::vector<real> x, y;
        for (index_t k = 0; k < w.size(inner); ++k) {
            x.push_back(a.plain.of({i[0], i[1], k}));
            y.push_back(b.plain.of({i[0], k, i[2]}));
        }
        plain.at(i) = oracle::dot(x, y);
    });
    if constexpr (Seed % 2 == 0)
        return drawn{matmul(a.x, b.x), std::move(plain)};
    else
        return drawn{einsum<"bik,bkj->bij">(a.x, b.x), std::move(plain)};
}
/// Two expressions joined along an axis, of which the second half is taken.
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto joined(world<T>& w) {
    constexpr int axis = int((Seed >> 8) % 3);
    constexpr int left = 1 + int((Seed >> 12) % std::uint64_t(Nodes - 1));
    const auto a = draw<mixed(Seed + 1), left, S>(w);
    const auto b = draw<mixed(Seed + 2), Nodes - left, S>(w);
    const index_t n = w.size(S)[axis], first = (n + 1) / 2;
    array3 plain(w.size(S));
    for_each_index(plain.size, [&](auto i) {
        auto from = i;
        from[axis] += first;
        const bool second = from[axis] >= n;
        if (second) from[axis] -= n;
        plain.at(i) =
            (second ? b.plain : a.plain).v[to_size((from[0] * plain.size[1] + from[1]) * plain.size[2] + from[2])];
    });
    const auto whole = concat<axis>(a.x, b.x);
    if constexpr (S[axis] == '1')
        return drawn{slice<axis, 1>(whole, first), std::move(plain)};
    else
        return drawn{slice<axis>(whole, first, n), std::move(plain)};
}

/// The same elements at other places, or running totals of them.
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto rearranged(world<T>& w) {
    constexpr int axis = int((Seed >> 8) % 3);
    const auto a = draw<mixed(Seed + 1), Nodes - 1, S>(w);
    const index_t n = w.size(S)[axis];
    // `from` changes an index, and returns false where the element is 0
    const auto both = [&](auto expression, auto from) {
        array3 plain(w.size(S));
        for_each_index(plain.size, [&](auto i) { plain.at(i) = from(i) ? a.plain.of(i) : oracle::number(0); });
        return drawn{expression, std::move(plain)};
    };
    const auto part = [&](auto x, index_t first) {
        if constexpr (S[axis] == '1')
            return slice<axis, 1>(x, first);
        else
            return slice<axis>(x, first, n);
    };
    if constexpr (Seed % 6 == 0)
        return both(reverse<axis>(a.x), [n](auto& i) { return i[axis] = n - 1 - i[axis], true; });
    else if constexpr (Seed % 6 == 1)
        return both(tril(a.x), [](auto& i) { return i[2] <= i[1]; });
    else if constexpr (Seed % 6 == 2)
        return both(part(pad<axis, 1, 2>(a.x), 2), [n](auto& i) { return ++i[axis] < n; });
    else if constexpr (Seed % 6 == 3)
        return both(part(repeat<axis, 3>(a.x), n), [n](auto& i) { return i[axis] = (i[axis] + n) / 3, true; });
    else if constexpr (Seed % 6 == 4)
        return both(part(tile<axis, 2>(a.x), n / 2), [n](auto& i) { return i[axis] = (i[axis] + n / 2) % n, true; });
    else
        return drawn{cumsum<axis>(a.x), along(axis, a.plain, [](const std::vector<real>& x) {
                         std::vector<real> totals;
                         for (std::size_t i = 0; i < x.size(); ++i) {
                             real total = oracle::number(0);
                             for (std::size_t j = 0; j <= i; ++j) total = total + x[j];
                             totals.push_back(total);
                         }
                         return totals;
                     })};
}

/// An expression of that shape with at most so many nodes, and its value.
template <std::uint64_t Seed, int Nodes, signature S, class T>
auto draw(world<T>& w) {
    constexpr std::uint64_t kind = (Seed >> 24) % 16;
    constexpr int axis = S[0] == '1' ? 0 : S[1] == '1' ? 1 : S[2] == '1' ? 2 : -1;
    if constexpr (Nodes <= 1)
        return leaf<(Seed >> 32), S>(w);
    else if constexpr (axis >= 0 && kind < 8)
        return reduction<(Seed >> 32), Nodes, S, axis>(w);
    else if constexpr (kind < 3)
        return unary<(Seed >> 32), Nodes, S>(w);
    else if constexpr (kind < 4)
        return norm_of<(Seed >> 32), Nodes, S>(w);
    else if constexpr (kind < 6)
        return rearranged<(Seed >> 32), Nodes, S>(w);
    else if constexpr (kind < 7)
        return transposed<(Seed >> 32), Nodes, S>(w);
    else if constexpr (Nodes == 2)
        return unary<(Seed >> 32), Nodes, S>(w);
    else if constexpr (kind < 9)
        return product<(Seed >> 32), Nodes, S>(w);
    else if constexpr (kind < 11)
        return joined<(Seed >> 32), Nodes, S>(w);
    else
        return binary<(Seed >> 32), Nodes, S>(w);
}

// ---- the test ------------------------------------------------------------------------------------------------------

struct tally {
    std::int64_t elements = 0, bounded = 0; ///< elements that were compared, and those with a tight bound
};

/// The factor of the bounds, which are those of float32, for T.
template <class T>
inline constexpr double finer = sizeof(T) == 4 ? 1 : 0x1p-29;

template <class T, class Device, class X>
void compare(Device& device, const drawn<X>& d, tally& seen, const std::string& what) {
    static_assert(std::is_same_v<element_of<X>, T>);
    const auto got = evaluate(device, d.x);
    ASSERT_TRUE(got) << what << got.error().message;
    ASSERT_EQ(std::size_t(got->size()), d.plain.v.size()) << what;
    for (std::size_t i = 0; i < d.plain.v.size(); ++i) {
        const real e = d.plain.v[i];
        const double g = static_cast<double>(got->flat()[i]);
        ++seen.elements;
        seen.bounded += e.error < 0.01 * (1 + std::fabs(e.value));
        // the oracle itself rounds as doubles do
        const double bound = e.error * finer<T> + (sizeof(T) == 8 ? 64 * DBL_EPSILON * std::fabs(e.value) : 0);
        if (std::isnan(e.value) ? std::isnan(g) || e.error > 0 : g == e.value || std::fabs(g - e.value) <= bound)
            continue;
        if (std::isinf(e.error)) continue;
        FAIL() << what << "element " << i << " is " << g << ", expected " << e.value << " +- " << bound;
    }
}

/// Draws an expression of T from its seed, and compares it in `runs` sizes on each of the devices.
template <class T, std::uint64_t Seed, class... Devices>
void one_expression(tally& seen, int runs, Devices&... devices) {
    constexpr signature shapes[] = {{'a', 'b', 'c'}, {'c', 'a', 'b'}, {'a', '1', 'b'}, {'b', 'c', '1'}};
    for (int run = 0; run < runs; ++run) {
        world<T> w(Seed * 1000 + std::uint64_t(run));
        const auto d = draw<mixed(Seed), 4 + int(Seed % 8), shapes[Seed % 4]>(w);
        std::ostringstream what;
        what << "seed " << Seed << ", run " << run << ", sizes " << w.sizes[0] << ' ' << w.sizes[1] << ' ' << w.sizes[2]
             << ", " << d.x << ": ";
        (compare<T>(devices, d, seen, std::string(Devices::name) + ", " + what.str()), ...);
        if (testing::Test::HasFailure()) return;
    }
}

template <class T, class... Devices, std::uint64_t... Seeds>
void all(std::integer_sequence<std::uint64_t, Seeds...>, int runs, Devices&... devices) {
    tally seen;
    (one_expression<T, Seeds>(seen, runs, devices...), ...);
    EXPECT_GT(seen.elements, 100'000);
    EXPECT_GT(double(seen.bounded) / double(seen.elements), 0.8) << "the bounds say nothing";
}

} // namespace random_expressions
