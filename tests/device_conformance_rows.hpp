// SPDX-License-Identifier: Apache-2.0
// Norms and reductions on a device: each one over rows of many lengths, over every axis, and with the operations that
// are folded into it.
#pragma once

#include "device_conformance_harness.hpp"

namespace conformance {

using namespace apriori;

template <class Factory>
class device_rows : public device_test<Factory> {
protected:
    static constexpr auto some_cols =
        std::to_array<index_t>({1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 200, 1024});

    /// f of rows of every length, of constant rows, of rows with a large mean, and of rows with infinities and NaN.
    template <class F>
    void each(F f) {
        for (index_t cols : some_cols)
            for (index_t rows : {0, 1, 5})
                this->expect([&](auto& in) { return f(in.tensor(extents<dyn, dyn>(rows, cols), -2.0f, 3.0f)); }, rows,
                             cols);
        const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
        for (index_t cols : {1, 5, 8, 19, 33}) {
            this->expect([&](auto& in) { return f(in.tensor(extents<dyn, dyn>(index_t{3}, cols), 1000.0f, 1001.0f)); },
                         cols);
            for (float x : {0.0f, 3.0f, -1e6f, 1e-30f, inf, -inf, nan})
                this->expect([&](auto& in) { return f(in.values(extents<dyn, dyn>(index_t{2}, cols), {x})); }, cols, x);
            for (float x : {inf, -inf, nan, 1e18f})
                for (index_t at : {index_t{0}, cols / 2, cols - 1})
                    this->expect(
                        [&](auto& in) {
                            std::vector<float> row(static_cast<std::size_t>(cols), 0.5f);
                            row[static_cast<std::size_t>(at)] = x;
                            return f(in.values(extents<dyn, dyn>(index_t{2}, cols), row));
                        },
                        cols, at, x);
        }
    }
    /// f, a reduction, over each of the three axes.
    template <class F>
    void axes(F f) {
        this->expect([&](auto& in) { return f.template operator()<0>(in.tensor(extents<4, 5, 7>{})); });
        this->expect([&](auto& in) { return f.template operator()<1>(in.tensor(extents<4, 5, 7>{})); });
        this->expect([&](auto& in) { return f.template operator()<2>(in.tensor(extents<4, 5, 7>{})); });
    }
};
TYPED_TEST_SUITE_P(device_rows);

TYPED_TEST_P(device_rows, norm_layer_norm) {
    this->each([](auto x) { return layer_norm(x); });
}
TYPED_TEST_P(device_rows, norm_rms_norm) {
    this->each([](auto x) { return rms_norm(x); });
}
TYPED_TEST_P(device_rows, norm_softmax) {
    this->each([](auto x) { return softmax(x); });
    for (index_t cols : {511, 512, 513, 4096, 4097, 8192, 8193}) // with an epilogue, and without
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, dyn>(index_t{2}, cols), -2.0f, 3.0f);
                return softmax(x) + x;
            },
            cols);
    for (index_t cols : {4095, 4096, 4097, 8191, 8192, 8193})
        this->expect([&](auto& in) { return softmax(in.tensor(extents<dyn, dyn>(index_t{2}, cols), -2.0f, 3.0f)); },
                     cols);
    for (float slope : {0.25f, -0.25f, 3.0f, -3.0f}) // the largest element comes late or first
        for (index_t without : {0, 200})             // elements of -inf before it
            this->expect(
                [&](auto& in) {
                    std::vector<float> row(403, -std::numeric_limits<float>::infinity());
                    for (std::size_t i = static_cast<std::size_t>(without); i < row.size(); ++i)
                        row[i] = slope * static_cast<float>(i);
                    return softmax(in.values(extents<dyn, dyn>(index_t{2}, index_t{403}), row)) * 3.0f;
                },
                slope, without);
}
TYPED_TEST_P(device_rows, reduction_sum) {
    this->each([](auto x) { return sum(x); });
    this->axes([]<int Axis>(auto x) { return sum<Axis>(x); });
}
TYPED_TEST_P(device_rows, reduction_mean) {
    this->each([](auto x) { return mean(x); });
    this->axes([]<int Axis>(auto x) { return mean<Axis>(x); });
}
TYPED_TEST_P(device_rows, reduction_max) {
    this->each([](auto x) { return max(x); });
    this->axes([]<int Axis>(auto x) { return max<Axis>(x); });
}
TYPED_TEST_P(device_rows, reduction_min) {
    this->each([](auto x) { return min(x); });
    this->axes([]<int Axis>(auto x) { return min<Axis>(x); });
}

TYPED_TEST_P(device_rows, reductions_of_more_kinds) {
    this->each([](auto x) { return concat<1>(var(x), norm(x), any(x), all(x)); });
    this->axes([]<int Axis>(auto x) { return concat<0>(var<Axis>(x, 1), stddev<Axis>(x), norm<Axis>(x)); });
    this->expect([](auto& in) { return sum<0, 2>(in.tensor(extents<4, 5, 7>{})); });
    this->expect([](auto& in) { // of no elements
        const auto x = in.tensor(extents<dyn, dyn>(index_t{3}, index_t{0}));
        return concat<1>(sum(x), max(x), mean(x));
    });
    this->expect([](auto& in) { // broadcast back along a run-time axis
        const auto x = in.tensor(extents<dyn, dyn>(index_t{3}, index_t{9}));
        return (x - mean(x)) * x;
    });
    this->expect([](auto& in) { return mean<1, 0>(in.tensor(extents<4, 5, 7>{})); });
    this->expect(
        [](auto& in) { return softmax<0>(in.tensor(extents<4, 5, 7>{})) + softmax<1>(in.tensor(extents<4, 5, 7>{})); });
}

// As many columns as several registers have lanes, and fewer; columns that are long enough to be split.
TYPED_TEST_P(device_rows, columns_of_many_widths) {
    for (index_t cols : {0, 1, 3, 17, 63, 64, 65, 128, 255, 256, 257, 600})
        for (index_t rows : {1, 3, 17, 257})
            this->expect(
                [=](auto& in) {
                    const auto x = in.tensor(extents<dyn, dyn>(rows, cols), -2.0f, 3.0f);
                    return concat<0>(sum<0>(x * 2.0f) + in.tensor(extents<1, dyn>(cols)), max<0>(x), var<0>(x));
                },
                rows, cols);
    for (index_t rows : {1023, 1024, 1025, 9001}) {
        if (sanitized && rows != 1025) continue;
        this->expect([=](auto& in) { return mean<0>(in.tensor(extents<dyn, dyn>(rows, index_t{130}))); }, rows);
        this->expect([=](auto& in) { return softmax<0>(in.tensor(extents<dyn, dyn>(rows, index_t{257}))); }, rows);
    }
    this->expect([](auto& in) { return softmax<1>(in.tensor(extents<3, 17, 300>{})) * in.tensor(extents<300>{}); });
    this->expect([](auto& in) { return softmax<0>(in.destination(extents<20, 300>{}) + 1.0f); });
}

TYPED_TEST_P(device_rows, long_rows) {
    for (index_t cols : {65535, 65536, 65537, 100003})
        this->expect(
            [=](auto& in) {
                const auto x = in.tensor(extents<dyn, dyn>(index_t{2}, cols));
                return concat<1>(sum(x * x) + 1.0f, min(x));
            },
            cols);
}

TYPED_TEST_P(device_rows, norms_with_what_is_around_them) {
    for (index_t rows : {1, 6})
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, 29>(rows));
                const auto y = in.tensor(extents<29>{});
                const auto g = in.tensor(extents<29>{});
                const auto b = in.tensor(extents<29>{});
                return layer_norm(x * 2.0f + y, g, b) + x;
            },
            rows);
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<3, 4, 18>{});
        const auto g = in.tensor(extents<18>{});
        return silu(rms_norm(transpose<0, 1>(x), g, 1e-3f)) * in.tensor(extents<3, 18>{});
    });
    this->expect([](auto& in) { return softmax(transpose<0, 1>(in.tensor(extents<9, 12>{}))); });
    this->expect([](auto& in) { // two norms: one is a temporary
        const auto x = in.tensor(extents<5, 12>{});
        return layer_norm(x) + softmax(x * 0.5f);
    });
    this->expect([](auto& in) { return softmax(in.tensor(extents<37>{})); });
    this->expect([](auto& in) { return layer_norm(in.destination(extents<5, 20>{}) + 1.0f); });
}

TYPED_TEST_P(device_rows, reductions_with_what_is_around_them) {
    this->expect([](auto& in) { // a softmax written out
        const auto x = in.tensor(extents<7, 22>{});
        const auto e = exp(x - max(x));
        return e / sum(e);
    });
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<7, 22>{});
        const auto column = in.tensor(extents<7, 1>{});
        return sqrt(mean(square(x)) + 1e-5f) * column;
    });
    this->expect([](auto& in) { return sum<0>(in.tensor(extents<31, 6>{}) * 2.0f) + in.tensor(extents<1, 6>{}); });
    this->expect([](auto& in) { return sum(in.tensor(extents<41>{})); });
}

// One launch on a device that reduces rows inside a map.
TYPED_TEST_P(device_rows, rows_with_reductions_of_their_own) {
    for (index_t rows : {0, 1, 5, 33})
        for (index_t cols : {1, 3, 17, 33, 300}) {
            const auto shape = extents<dyn, dyn>(rows, cols);
            this->expect( // standardised
                [=](auto& in) {
                    const auto x = in.tensor(shape);
                    return (x - mean(x)) / sqrt(var(x) + 0.1f) * in.tensor(extents<dyn>(cols));
                },
                rows, cols);
            this->expect( // the mean of the elements that a mask selects
                [=](auto& in) {
                    const auto x = in.tensor(shape), m = in.tensor(shape);
                    return sum(where(m > 0.0f, x, 0.0f)) / (1.0f + sum(where(m > 0.0f, 1.0f, 0.0f)));
                },
                rows, cols);
            this->expect([=](auto& in) { return mean(square(in.tensor(shape) - mean(in.tensor(shape)))); }, rows, cols);
            this->expect( // in place: each row is written after it is reduced
                [=](auto& in) {
                    const auto x = in.destination(shape);
                    return x - (max)(x) + sum(x * 0.5f);
                },
                rows, cols);
        }
    this->expect([](auto& in) { // rows that others share are reduced once for each of them
        return in.tensor(extents<4, 5, 21>{}) + sum(in.tensor(extents<5, 21>{})) +
               sum(in.tensor(extents<4, 1, 21>{}) * in.tensor(extents<21>{}));
    });
    this->expect([](auto& in) { // and rows that other kernels compute
        const auto x = in.tensor(extents<6, 12>{});
        const auto y = softmax(x) + x;
        return y / sum(y) + sum<0>(x);
    });
    for (index_t cols : {40000, 100003}) // split among threads
        this->expect(
            [=](auto& in) {
                const auto x = in.tensor(extents<dyn>(cols));
                return x / (10.0f + sum(square(x)));
            },
            cols);
}

REGISTER_TYPED_TEST_SUITE_P(device_rows, norm_layer_norm, norm_rms_norm, norm_softmax, reduction_sum, reduction_mean,
                            reduction_max, reduction_min, reductions_of_more_kinds, columns_of_many_widths, long_rows,
                            norms_with_what_is_around_them, reductions_with_what_is_around_them,
                            rows_with_reductions_of_their_own);

} // namespace conformance
