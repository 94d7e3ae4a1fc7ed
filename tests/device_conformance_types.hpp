// SPDX-License-Identifier: Apache-2.0
// Element types other than float on a device, against plain loops: promotion, wrapping of integers, counts of masks.
#pragma once

#include "device_conformance_harness.hpp"

#include <cmath>
#include <functional>
#include <numeric>

namespace conformance {

using namespace apriori;

template <class Factory>
class device_types : public testing::Test {
protected:
    using device_type = decltype(Factory::device);
    static constexpr auto sizes = std::to_array<index_t>({0, 1, 2, 7, 8, 16, 17, 33});
    using shape = extents<dyn, dyn>;

    void SetUp() override {
        if constexpr (requires { Factory::why_not(); })
            if (const std::string why = Factory::why_not(); !why.empty()) GTEST_SKIP() << why;
    }

    /// [3, cols] values that span T's range, with zeros and ties.
    template <class T>
    auto values(index_t cols) {
        std::vector<T> x(static_cast<std::size_t>(3 * cols));
        for (auto&& v : x) {
            const std::uint64_t bits = numbers_.bits();
            if constexpr (std::is_same_v<T, bool>)
                v = bits % 3 == 0;
            else if constexpr (std::is_integral_v<T>)
                v = bits % 4 == 0 ? static_cast<T>(bits >> 8) : static_cast<T>(bits >> 8 & 3);
            else
                v = T(numbers_.uniform(-3, 3));
        }
        return x;
    }
    /// A dense view of x in the device's memory.
    template <class T>
    view<const T, shape> put(const std::vector<T>& x, index_t cols) {
        kept_.push_back(factory_.device.allocate(x.size() * sizeof(T) + 1));
        // std::vector<bool> has no bytes
        std::vector<std::conditional_t<std::is_same_v<T, bool>, char, T>> bytes(x.begin(), x.end());
        EXPECT_TRUE(factory_.device.upload(kept_.back().data(), bytes.data(), x.size() * sizeof(T)).ok());
        return {reinterpret_cast<const T*>(kept_.back().data()), shape(index_t{3}, cols)};
    }
    /// x, computed by the device, as elements of T.
    template <class T, class X>
    std::vector<T> compute(const X& x) {
        auto& device = factory_.device;
        const auto e = as_node(x).ext();
        auto out = device.allocate(e.bytes(sizeof(T)) + 1);
        const view<T, extents_of<X>> to(reinterpret_cast<T*>(out.data()), e);
        auto memory = device.allocate(workspace_of<device_type>([&](auto& context) { context(to) = x; }));
        const status s = assign(device, {reinterpret_cast<std::byte*>(memory.data()), memory.size()}, to, x);
        EXPECT_TRUE(s.ok()) << s.what;
        EXPECT_TRUE(device.synchronize().ok());
        std::vector<std::conditional_t<std::is_same_v<T, bool>, char, T>> bytes(static_cast<std::size_t>(e.size()));
        EXPECT_TRUE(device.download(bytes.data(), out.data(), bytes.size() * sizeof(T)).ok());
        return {bytes.begin(), bytes.end()};
    }
    /// f(a, b) has elements of type Expected, equal to plain(a[i], b[i]).
    template <class Expected, class A, class B>
    void binary(auto f, auto plain) {
        for (const index_t cols : sizes) {
            const auto a = values<A>(cols);
            const auto b = values<B>(cols);
            const auto x = f(put(a, cols), put(b, cols));
            static_assert(std::is_same_v<element_of<decltype(x)>, Expected>);
            const auto got = compute<Expected>(x);
            for (std::size_t i = 0; i < got.size(); ++i)
                ASSERT_EQ(got[i], static_cast<Expected>(plain(A(a[i]), B(b[i])))) << "of " << cols << ", " << i;
        }
    }
    /// A reduction f of each row has elements of type Expected, equal to plain(row) within that many roundings of
    /// doubles.
    template <class Expected, class A>
    void reduction(auto f, auto plain, double roundings = 0) {
        for (const index_t cols : sizes) {
            const auto a = values<A>(cols);
            const auto x = f(put(a, cols));
            static_assert(std::is_same_v<element_of<decltype(x)>, Expected>);
            const auto got = compute<Expected>(x);
            ASSERT_EQ(got.size(), 3u);
            for (std::size_t r = 0; r < 3; ++r) {
                const auto first = a.begin() + static_cast<std::ptrdiff_t>(r) * cols;
                const auto expected = plain(std::vector<A>(first, first + cols));
                if (roundings == 0 || cols == 0)
                    ASSERT_EQ(testing::PrintToString(got[r]), testing::PrintToString(static_cast<Expected>(expected)))
                        << "of " << cols;
                else
                    ASSERT_NEAR(static_cast<double>(got[r]), static_cast<double>(expected),
                                roundings * 0x1p-52 * static_cast<double>(cols + 1))
                        << "of " << cols;
            }
        }
    }

    numbers numbers_{7};
    Factory factory_;
    std::deque<typename device_type::buffer> kept_;
};
TYPED_TEST_SUITE_P(device_types);

TYPED_TEST_P(device_types, operands_are_promoted_as_numpy_does) {
    const auto plus = [](auto a, auto b) { return a + b; };
    const auto times = [](auto a, auto b) { return a * b; };
    using u32 = std::uint32_t;
    const auto wrapped = [](std::int32_t a, std::int32_t b) { return u32(a) + u32(b); };
    this->template binary<std::int32_t, std::int32_t, std::int32_t>(plus, wrapped);
    this->template binary<std::int32_t, std::int32_t, std::uint8_t>(plus, wrapped);
    this->template binary<std::int32_t, bool, std::int32_t>(plus, wrapped);
    this->template binary<std::uint8_t, std::uint8_t, std::uint8_t>(plus, [](int a, int b) { return a + b; });
    this->template binary<std::uint8_t, std::uint8_t, std::uint8_t>(times, [](int a, int b) { return a * b; });
    this->template binary<std::int64_t, std::int64_t, std::int32_t>(
        times, [](std::int64_t a, std::int64_t b) { return std::uint64_t(a) * std::uint64_t(b); });
    const auto product = [](double a, double b) { return a * b; };
    this->template binary<double, std::int32_t, float>(times, product);
    this->template binary<double, double, float>(times, product);
    this->template binary<double, double, bool>(times, product);
    this->template binary<float, std::uint8_t, float>(times, [](float a, float b) { return a * b; });
    this->template binary<float, bool, float>(times, [](float a, float b) { return a * b; });
    this->template binary<float, bfloat16, float16>(times, [](float a, float b) { return a * b; });
    this->template binary<double, std::int32_t, bfloat16>(times, product);
}
TYPED_TEST_P(device_types, numbers_take_the_type_of_tensors) {
    this->template binary<float, float, float>([](auto a, auto) { return a * 0.1; },
                                               [](float a, float) { return a * 0.1f; });
    this->template binary<double, double, float>([](auto a, auto) { return a * 0.1; },
                                                 [](double a, float) { return a * 0.1; });
    this->template binary<std::int32_t, std::int32_t, bool>([](auto a, auto) { return a - 1; },
                                                            [](std::int32_t a, bool) { return std::uint32_t(a) - 1; });
    this->template binary<double, std::int32_t, bool>([](auto a, auto) { return a * 0.5f; },
                                                      [](std::int32_t a, bool) { return a * 0.5; });
    this->template binary<float, bool, bool>([](auto a, auto) { return a * 0.5f; },
                                             [](bool a, bool) { return a ? 0.5f : 0.0f; });
    this->template binary<std::int64_t, bool, bool>([](auto a, auto) { return a + 1; },
                                                    [](bool a, bool) { return a + 1; });
    this->template binary<double, double, double>(
        [](auto a, auto) { return clamp(a, -0.1, 0.3) + where(a > 0, 0.7, a); },
        [](double a, double) { return std::clamp(a, -0.1, 0.3) + (a > 0 ? 0.7 : a); });
}
TYPED_TEST_P(device_types, functions_of_real_numbers_take_integers) {
    this->template binary<double, std::int32_t, std::int32_t>([](auto a, auto b) { return a / where(b, b, 3); },
                                                              [](double a, double b) { return a / (b != 0 ? b : 3); });
}
TYPED_TEST_P(device_types, comparisons_are_masks) {
    this->template binary<bool, std::int64_t, std::int64_t>([](auto a, auto b) { return a < b; }, std::less<>());
    this->template binary<bool, std::uint8_t, std::int32_t>([](auto a, auto b) { return a <= b; },
                                                            [](int a, int b) { return a <= b; });
    this->template binary<bool, double, float>([](auto a, auto b) { return a > b; },
                                               [](double a, double b) { return a > b; });
    this->template binary<bool, bool, std::int32_t>([](auto a, auto b) { return (a && b > 1) || !a; },
                                                    [](bool a, int b) { return (a && b > 1) || !a; });
    this->template binary<bool, bool, bool>([](auto a, auto b) { return equal(a, b); },
                                            [](bool a, bool b) { return a == b; });
    this->template binary<float, bool, float>([](auto a, auto b) { return where(a, b, -1.0f); },
                                              [](bool a, float b) { return a ? b : -1.0f; });
    this->template binary<float, double, float>([](auto a, auto b) { return where(a * 1e-300, b, 2); },
                                                [](double a, float b) { return a != 0 ? b : 2.0f; });
    this->template binary<std::int32_t, std::int64_t, std::int32_t>([](auto a, auto b) { return where(a, b, 5); },
                                                                    [](std::int64_t a, int b) { return a ? b : 5; });
}
TYPED_TEST_P(device_types, conversions_saturate_or_wrap) {
    this->template binary<std::int32_t, float, float>( // one operation only: compilers may contract two
        [](auto a, auto) { return cast<std::int32_t>(a * 1e9f); },
        [](float a, float) { return std::clamp(std::trunc(double(a * 1e9f)), -2147483648.0, 2147483647.0); });
    this->template binary<std::uint8_t, std::int32_t, bool>([](auto a, auto) { return cast<std::uint8_t>(a); },
                                                            [](std::int32_t a, bool) { return a; });
    this->template binary<bool, float, bool>([](auto a, auto) { return cast<bool>(floor(a)); },
                                             [](float a, bool) { return std::floor(a) != 0; });
    for (const index_t cols : this->sizes) { // into destinations of another type
        const auto a = this->template values<float>(cols);
        const auto x = this->put(a, cols) * 1.1f;
        const auto half = this->template compute<float16>(x);
        const auto brain = this->template compute<bfloat16>(x);
        const auto wide = this->template compute<double>(x);
        const auto truth = this->template compute<std::int64_t>(x > 0);
        for (std::size_t i = 0; i < a.size(); ++i) {
            ASSERT_EQ(half[i].bits, float_to_half(a[i] * 1.1f));
            ASSERT_EQ(brain[i].bits, float_to_bfloat16(a[i] * 1.1f));
            ASSERT_EQ(wide[i], static_cast<double>(a[i] * 1.1f));
            ASSERT_EQ(truth[i], a[i] > 0 ? 1 : 0);
        }
    }
}
TYPED_TEST_P(device_types, reductions_of_integers_and_masks_are_exact) {
    const auto total = [](const auto& row) {
        std::uint64_t s = 0;
        for (const auto v : row) s += static_cast<std::uint64_t>(v);
        return s;
    };
    this->template reduction<std::int64_t, std::int32_t>([](auto a) { return sum(a); }, total);
    this->template reduction<std::int64_t, std::uint8_t>([](auto a) { return sum(a); }, total);
    this->template reduction<std::int64_t, bool>([](auto a) { return sum(a); }, total);
    this->template reduction<std::int64_t, std::uint8_t>([](auto a) { return prod(a); },
                                                         [](const auto& row) {
                                                             std::uint64_t p = 1;
                                                             for (const auto v : row) p *= v;
                                                             return p;
                                                         });
    const auto largest = [](const auto& row) {
        using T = typename std::remove_cvref_t<decltype(row)>::value_type;
        return row.empty() ? std::numeric_limits<T>::lowest() : *std::max_element(row.begin(), row.end());
    };
    const auto smallest = [](const auto& row) {
        using T = typename std::remove_cvref_t<decltype(row)>::value_type;
        return row.empty() ? (std::numeric_limits<T>::max)() : *std::min_element(row.begin(), row.end());
    };
    this->template reduction<std::int32_t, std::int32_t>([](auto a) { return (apriori::max)(a); }, largest);
    this->template reduction<std::int32_t, std::int32_t>([](auto a) { return (apriori::min)(a); }, smallest);
    this->template reduction<std::uint8_t, std::uint8_t>([](auto a) { return (apriori::min)(a); }, smallest);
    this->template reduction<std::int64_t, std::int64_t>([](auto a) { return (apriori::min)(a); }, smallest);
    this->template reduction<std::int64_t, std::int32_t>(
        [](auto a) { return argmax(a); },
        [](const auto& row) { return std::max_element(row.begin(), row.end()) - row.begin(); });
    this->template reduction<std::int64_t, double>(
        [](auto a) { return argmin(a); },
        [](const auto& row) { return std::min_element(row.begin(), row.end()) - row.begin(); });
    this->template reduction<bool, std::uint8_t>(
        [](auto a) { return any(a); },
        [](const auto& row) { return std::any_of(row.begin(), row.end(), [](auto v) { return v != 0; }); });
    this->template reduction<bool, bool>(
        [](auto a) { return all(a); },
        [](const auto& row) { return std::all_of(row.begin(), row.end(), [](bool v) { return v; }); });
}
TYPED_TEST_P(device_types, reductions_of_doubles_round_as_doubles) {
    const auto total = [](const auto& row) { return std::accumulate(row.begin(), row.end(), 0.0); };
    this->template reduction<double, double>([](auto a) { return sum(a * 0.1); },
                                             [&](const auto& row) { return 0.1 * total(row); }, 8);
    this->template reduction<double, std::uint8_t>(
        [](auto a) { return mean(cast<double>(a) + 0.5) * 1.0; },
        [&](const auto& row) { return total(row) / static_cast<double>(row.size()) + 0.5; }, 4000);
    this->template reduction<double, double>([](auto a) { return log(sum(exp(a))); },
                                             [](const auto& row) {
                                                 double s = 0;
                                                 for (const double v : row) s += std::exp(v);
                                                 return std::log(s);
                                             },
                                             16);
    this->template reduction<double, double>([](auto a) { return sum(square(softmax(a))); },
                                             [](const auto& row) {
                                                 double s = 0, q = 0;
                                                 for (const double v : row) s += std::exp(v);
                                                 for (const double v : row) q += std::exp(v) / s * (std::exp(v) / s);
                                                 return q;
                                             },
                                             32);
    this->template reduction<double, double>([](auto a) { return sum(layer_norm(a, 1e-5f) + a); }, total, 200);
}
TYPED_TEST_P(device_types, products_of_doubles) {
    for (const index_t n : {1, 2, 5, 8, 9, 17}) {
        const auto a = this->template values<double>(n);
        const auto b = this->template values<float>(n);
        const auto x = this->put(a, n);
        const auto y = this->put(b, n);
        const auto got = this->template compute<double>(matmul(x, transpose<0, 1>(y)) * 0.1 + 1);
        const auto grown = this->template compute<double>(einsum<"ki,kj->ij">(x, y));
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j) {
                double s = 0;
                for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k)
                    s += a[i * static_cast<std::size_t>(n) + k] *
                         static_cast<double>(b[j * static_cast<std::size_t>(n) + k]);
                ASSERT_NEAR(got[i * 3 + j], s * 0.1 + 1, 0x1p-49 * static_cast<double>(n)) << n;
            }
        for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
            for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) {
                double s = 0;
                for (std::size_t k = 0; k < 3; ++k)
                    s += a[k * static_cast<std::size_t>(n) + i] *
                         static_cast<double>(b[k * static_cast<std::size_t>(n) + j]);
                ASSERT_NEAR(grown[i * static_cast<std::size_t>(n) + j], s, 0x1p-48) << n;
            }
    }
}
TYPED_TEST_P(device_types, totals_and_additions_by_index) {
    for (const index_t cols : this->sizes) {
        const auto a = this->template values<std::int32_t>(cols);
        const auto sums = this->template compute<std::int64_t>(cumsum(this->put(a, cols)));
        const auto d = this->template values<double>(cols);
        const auto products = this->template compute<double>(cumprod(this->put(d, cols)));
        std::vector<std::int32_t> to{2, 0, 2}, mod(static_cast<std::size_t>(3 * cols));
        const auto rows = this->put(to, 1);
        const view<const std::int32_t, extents<3>> indices(rows.data, {});
        const auto added = this->template compute<double>(scatter_add(this->put(d, cols), indices, this->put(a, cols)));
        const auto taken = this->template compute<double>(take(this->put(d, cols), indices + 0));
        for (std::size_t r = 0, i = 0; r < 3; ++r) {
            std::int64_t s = 0;
            double p = 1;
            for (std::size_t c = 0; c < static_cast<std::size_t>(cols); ++c, ++i) {
                ASSERT_EQ(sums[i], s += a[i]);
                ASSERT_EQ(products[i], p *= d[i]);
                const std::size_t n = static_cast<std::size_t>(cols);
                const double expected = r == 0 ? d[i] + a[n + c] : r == 1 ? d[i] : (d[i] + a[c]) + a[2 * n + c];
                ASSERT_EQ(added[i], expected);
                ASSERT_EQ(taken[i], d[static_cast<std::size_t>(to[r]) * n + c]);
            }
        }
    }
}

REGISTER_TYPED_TEST_SUITE_P(device_types, operands_are_promoted_as_numpy_does, numbers_take_the_type_of_tensors,
                            functions_of_real_numbers_take_integers, comparisons_are_masks,
                            conversions_saturate_or_wrap, reductions_of_integers_and_masks_are_exact,
                            reductions_of_doubles_round_as_doubles, products_of_doubles, totals_and_additions_by_index);

} // namespace conformance
