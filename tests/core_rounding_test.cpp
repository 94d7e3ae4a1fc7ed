// SPDX-License-Identifier: Apache-2.0
// Rounding to four bits with errors that compensate each other, checked by the cost that it minimises, computed in
// double.
#include "apriori/core/compensated_rounding.hpp"
#include "apriori/models/nibble_source.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

using namespace apriori;

namespace {

using doubles = std::vector<double>;
using floats = std::vector<float>;

/// Rows x [rows, k] with few directions and some noise, as in activations.
doubles inputs(index_t rows, index_t k, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    const index_t directions = (std::max)(k / 4, index_t{1});
    doubles basis(to_size(directions * k)), x(to_size(rows * k));
    for (double& b : basis) b = normal(random);
    for (index_t r = 0; r < rows; ++r) {
        for (index_t c = 0; c < k; ++c) at(x, r * k + c) = 0.3 * normal(random);
        for (index_t d = 0; d < directions; ++d) {
            const double much = normal(random);
            for (index_t c = 0; c < k; ++c) at(x, r * k + c) += much * at(basis, d * k + c);
        }
    }
    return x;
}
doubles moments(const doubles& x, index_t k) {
    doubles h(to_size(k * k));
    for (index_t r = 0; r < std::ssize(x) / k; ++r)
        for (index_t i = 0; i < k; ++i)
            for (index_t j = 0; j < k; ++j) at(h, i * k + j) += at(x, r * k + i) * at(x, r * k + j);
    return h;
}
floats weights(index_t n, index_t k, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 0.05f);
    floats w(to_size(n * k));
    for (float& v : w) v = normal(random);
    return w;
}
/// The numbers that packing stores for rows [n, k].
floats nearest(const floats& w, index_t k) {
    floats q(w.size());
    for (index_t r = 0; r < std::ssize(w) / k; ++r)
        for (index_t c = 0; c < k; c += w4::group) {
            const index_t n = (std::min)(k - c, index_t{w4::group}), first = r * k + c;
            const float scale = detail::nibble_scale(w.data() + first, n);
            for (index_t i = 0; i < n; ++i)
                at(q, first + i) = float(detail::nearest_nibble(at(w, first + i), scale)) * scale;
        }
    return q;
}
/// The squared error of the outputs for inputs x: |x w^T + r - x q^T|^2, where r is [rows, n] or empty.
double cost(const doubles& x, const floats& w, const floats& q, index_t k, const doubles& r = {}) {
    const index_t n = std::ssize(w) / k;
    double sum = 0;
    for (index_t row = 0; row < std::ssize(x) / k; ++row)
        for (index_t o = 0; o < n; ++o) {
            double y = r.empty() ? 0 : at(r, row * n + o);
            for (index_t c = 0; c < k; ++c)
                y += at(x, row * k + c) * (double(at(w, o * k + c)) - double(at(q, o * k + c)));
            sum += y * y;
        }
    return sum;
}
floats rounded(const factored_moments& m, const floats& w, int scales, const floats& pull = {}) {
    floats q(w.size());
    round_to_nibbles(m, w, pull, scales, q);
    return q;
}

/// Several threads, each with a range.
struct threads {
    void operator()(index_t count, function_ref<void(index_t, index_t)> body) const {
        std::vector<std::jthread> all;
        for (index_t i = 0; i < 3; ++i) all.emplace_back([=] { body(count * i / 3, count * (i + 1) / 3); });
    }
};

} // namespace

TEST(core_rounding, factors_are_those_of_the_moments) {
    for (const index_t k : {1, 5, 64, 65, 200}) {
        const doubles h = moments(inputs(3 * k, k, 1), k);
        const factored_moments m(h, k, 0.0);
        ASSERT_TRUE(m.usable());
        double most = 0;
        for (index_t i = 0; i < k; ++i) most = (std::max)(most, at(h, i * k + i));
        const auto a = [&](index_t i, index_t c) { return i == c ? 1.0 : i < c ? m.row(i)[c] : 0.0; };
        for (index_t i = 0; i < k; ++i)
            for (index_t j = i; j < k; ++j) {
                double sum = 0;
                for (index_t c = j; c < k; ++c) sum += a(i, c) * m.diagonal(c) * a(j, c);
                // k rounded products and differences, each below the largest diagonal element
                EXPECT_NEAR(sum, at(h, i * k + j), 4 * double(k) * 0x1p-52 * most) << k << ": " << i << ", " << j;
            }
    }
}

TEST(core_rounding, equals_what_packing_stores_where_inputs_are_independent) {
    for (const index_t k : {1, 31, 32, 100}) {
        doubles one(to_size(k * k));
        for (index_t i = 0; i < k; ++i) at(one, i * k + i) = 7;
        const floats w = weights(9, k, 2);
        EXPECT_EQ(rounded(factored_moments(one, k, 0.01), w, 0), nearest(w, k)) << k;
        EXPECT_EQ(rounded(factored_moments(doubles(to_size(k * k)), k, 0.01), w, 0), nearest(w, k)) << k; // no inputs
    }
}

TEST(core_rounding, costs_less_than_rounding_to_nearest) {
    for (const index_t k : {40, 128, 192}) {
        const doubles x = inputs(4 * k, k, 3);
        const floats w = weights(20, k, 4);
        const factored_moments m(moments(x, k), k, 0.01);
        const double plain = cost(x, w, nearest(w, k), k), compensated = cost(x, w, rounded(m, w, 0), k),
                     searched = cost(x, w, rounded(m, w, 16), k);
        EXPECT_LT(compensated, 0.6 * plain) << k;
        EXPECT_LT(searched, compensated) << k;
    }
}

TEST(core_rounding, makes_up_for_what_was_lost_before) {
    const index_t k = 96, n = 12;
    const doubles x = inputs(4 * k, k, 5), exact = [&] { // the inputs before they were changed
        doubles y = x;
        std::mt19937 random(6);
        std::normal_distribution<double> normal(0.0, 0.3);
        for (double& v : y) v = 1.1 * v + normal(random);
        return y;
    }();
    const floats w = weights(n, k, 7);
    const index_t rows = std::ssize(x) / k;
    doubles lost(to_size(rows * n));
    for (index_t r = 0; r < rows; ++r)
        for (index_t o = 0; o < n; ++o)
            for (index_t c = 0; c < k; ++c)
                at(lost, r * n + o) += (at(exact, r * k + c) - at(x, r * k + c)) * double(at(w, o * k + c));
    floats pull(to_size(n * k));
    for (index_t o = 0; o < n; ++o)
        for (index_t c = 0; c < k; ++c) {
            double sum = 0;
            for (index_t r = 0; r < rows; ++r) sum += at(lost, r * n + o) * at(x, r * k + c);
            at(pull, o * k + c) = float(sum);
        }
    const factored_moments m(moments(x, k), k, 0.01);
    EXPECT_LT(cost(x, w, rounded(m, w, 16, pull), k, lost), 0.75 * cost(x, w, rounded(m, w, 16), k, lost));
}

TEST(core_rounding, packing_finds_the_same_integers_and_scales) {
    for (const index_t k : {7, 64, 90}) {
        floats w = weights(33, k, 8);
        for (index_t c = 0; c < (std::min)(k, index_t{32}); ++c) at(w, c) = 0;         // a group of zeros
        for (index_t c = 0; c < k; ++c) at(w, k + c) = c % 2 == 0 ? 0.25f : -0.25f;    // one magnitude
        for (index_t c = 0; c < k; ++c) at(w, 2 * k + c) = c == k / 2 ? 3.0f : 1e-30f; // one large weight
        for (index_t c = 0; c < k; ++c) at(w, 3 * k + c) = std::abs(at(w, 3 * k + c)); // one sign
        for (const int scales : {0, 16}) {
            const floats q = rounded(factored_moments(moments(inputs(2 * k, k, 9), k), k, 0.01), w, scales);
            EXPECT_EQ(nearest(q, k), q) << k;
            floats halved = q, stored(q.size());
            for (float& v : halved) v *= 0.125f; // as when a factor of attention scores is folded in
            EXPECT_EQ(nearest(halved, k), halved) << k;
            nibble_matrix(q, k).read(0, stored);
            EXPECT_EQ(stored, q);
            nibble_matrix(q, k).read(k + 3, std::span(stored).first(to_size(k)));
            for (index_t i = 0; i < k; ++i) EXPECT_EQ(at(stored, i), at(q, k + 3 + i));
        }
    }
}

TEST(core_rounding, gives_the_same_on_any_number_of_threads) {
    const index_t k = 200;
    const doubles h = moments(inputs(300, k, 10), k);
    const floats w = weights(50, k, 11);
    floats q(w.size());
    round_to_nibbles(factored_moments(h, k, 0.01, threads{}), w, {}, 16, q, threads{});
    EXPECT_EQ(q, rounded(factored_moments(h, k, 0.01), w, 16));
}

TEST(core_rounding, says_where_inputs_were_no_numbers) {
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        doubles h(9, 0.0);
        h[0] = h[4] = h[8] = 1;
        h[5] = bad;
        EXPECT_FALSE(factored_moments(h, 3, 0.01).usable());
    }
}
