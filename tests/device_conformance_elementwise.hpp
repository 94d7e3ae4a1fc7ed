// SPDX-License-Identifier: Apache-2.0
// Element-wise expressions on a device: every function, every kind of broadcast, every layout of an operand.
#pragma once

#include "device_conformance_harness.hpp"

namespace conformance {

using namespace apriori;

template <class Factory>
class device_elementwise : public device_test<Factory> {
protected:
    static constexpr auto some_rows = std::to_array<index_t>({0, 1, 2, 5});
    static constexpr auto some_cols = std::to_array<index_t>({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67, 100});

    /// Numbers at which functions change branch, infinities, NaN and denormals.
    static std::vector<float> special_values() {
        const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
        return {0.0f,  -0.0f, inf,   -inf,   nan,   1e-40f, -1e-40f, FLT_MIN, -FLT_MIN, 1e30f,  -1e30f, 1e-30f, -1e-30f,
                0.5f,  -0.5f, 1.0f,  -1.0f,  2.5f,  -2.5f,  5.0f,    -5.0f,   9.5f,     -9.5f,  15.0f,  -15.0f, 19.9f,
                20.0f, 20.1f, 25.0f, -25.0f, 50.0f, -50.0f, 86.0f,   -86.0f,  90.0f,    -90.0f, 100.0f, -100.0f};
    }

    /// f of random numbers between low and high in all shapes, then of special values.
    template <class F>
    void unary(F f, float low, float high) {
        for (index_t rows : some_rows)
            for (index_t cols : some_cols)
                this->expect([&](auto& in) { return f(in.tensor(extents<dyn, dyn>(rows, cols), low, high)); }, rows,
                             cols);
        const auto special = special_values();
        const index_t n = static_cast<index_t>(special.size());
        this->expect([&](auto& in) { return f(in.values(extents<dyn, dyn>(index_t{2}, n), special)); }, n);
    }
    template <class F>
    void binary(F f) {
        for (index_t cols : some_cols)
            this->expect(
                [&](auto& in) {
                    const auto a = in.tensor(extents<dyn, dyn>(index_t{3}, cols), 0.1f, 2.0f);
                    return f(a, in.tensor(extents<dyn, dyn>(index_t{3}, cols), 0.1f, 2.0f));
                },
                cols);
        const auto special = special_values();
        const index_t n = static_cast<index_t>(special.size());
        this->expect([&](auto& in) { // each with each
            std::vector<float> a, b;
            for (float x : special)
                for (float y : special) a.push_back(x), b.push_back(y);
            const auto left = in.values(extents<dyn, dyn>(n, n), a);
            return f(left, in.values(extents<dyn, dyn>(n, n), b));
        });
    }
};
TYPED_TEST_SUITE_P(device_elementwise);

TYPED_TEST_P(device_elementwise, function_add) {
    this->binary([](auto a, auto b) { return a + b; });
}
TYPED_TEST_P(device_elementwise, function_subtract) {
    this->binary([](auto a, auto b) { return a - b; });
}
TYPED_TEST_P(device_elementwise, function_multiply) {
    this->binary([](auto a, auto b) { return a * b; });
}
TYPED_TEST_P(device_elementwise, function_divide) {
    this->binary([](auto a, auto b) { return a / b; });
}
TYPED_TEST_P(device_elementwise, function_minimum) {
    this->binary([](auto a, auto b) { return minimum(a, b); });
}
TYPED_TEST_P(device_elementwise, function_maximum) {
    this->binary([](auto a, auto b) { return maximum(a, b); });
}
TYPED_TEST_P(device_elementwise, function_negate) {
    this->unary([](auto x) { return -x; }, -1, 1);
}
TYPED_TEST_P(device_elementwise, function_square) {
    this->unary([](auto x) { return square(x); }, -1, 1);
}
TYPED_TEST_P(device_elementwise, function_exp) {
    this->unary([](auto x) { return exp(x); }, -10, 10);
}
TYPED_TEST_P(device_elementwise, function_log) {
    this->unary([](auto x) { return log(x); }, 0, 10);
}
TYPED_TEST_P(device_elementwise, function_sqrt) {
    this->unary([](auto x) { return sqrt(x); }, 0, 10);
}
TYPED_TEST_P(device_elementwise, function_sin) {
    this->unary([](auto x) { return sin(x); }, -1000, 1000);
}
TYPED_TEST_P(device_elementwise, function_cos) {
    this->unary([](auto x) { return cos(x); }, -1000, 1000);
}
TYPED_TEST_P(device_elementwise, function_tanh) {
    this->unary([](auto x) { return tanh(x); }, -5, 5);
}
TYPED_TEST_P(device_elementwise, function_erf) {
    this->unary([](auto x) { return erf(x); }, -5, 5);
}
TYPED_TEST_P(device_elementwise, function_affine) {
    this->unary([](auto x) { return affine(x, 0.3f, -1.7f); }, -1, 1);
}
TYPED_TEST_P(device_elementwise, function_clamp) {
    this->unary([](auto x) { return clamp(x, -0.25f, 0.5f); }, -1, 1);
}
TYPED_TEST_P(device_elementwise, function_gelu) {
    this->unary([](auto x) { return gelu(x); }, -6, 6);
}
TYPED_TEST_P(device_elementwise, function_quick_gelu) {
    this->unary([](auto x) { return quick_gelu(x); }, -6, 6);
}
TYPED_TEST_P(device_elementwise, function_silu) {
    this->unary([](auto x) { return silu(x); }, -10, 10);
}
TYPED_TEST_P(device_elementwise, function_mish) {
    this->unary([](auto x) { return mish(x); }, -10, 10);
}
TYPED_TEST_P(device_elementwise, function_relu) {
    this->unary([](auto x) { return relu(x); }, -1, 1);
}
TYPED_TEST_P(device_elementwise, function_sigmoid) {
    this->unary([](auto x) { return sigmoid(x); }, -10, 10);
}

// Several functions in one expression, each in its own rows: compile time depends on the number of expressions.
TYPED_TEST_P(device_elementwise, functions_of_magnitude) {
    this->unary([](auto x) { return concat<0>(abs(x), sign(x), floor(x), ceil(x), trunc(x), round(x), isnan(x), !x); },
                -9, 9);
}
TYPED_TEST_P(device_elementwise, functions_of_powers) {
    this->unary(
        [](auto x) { return concat<0>(rsqrt(x), cbrt(x), exp2(x), expm1(x), log2(x), log1p(x), sinh(x), cosh(x)); }, 0,
        5);
    this->binary([](auto a, auto b) { return concat<0>(pow(a, b), fmod(a, b)); });
}
TYPED_TEST_P(device_elementwise, functions_of_angles) {
    this->unary([](auto x) { return concat<0>(tan(x), asin(x), acos(x), atan(x)); }, -1, 1);
    this->binary([](auto a, auto b) { return atan2(a, b); });
}
TYPED_TEST_P(device_elementwise, comparisons) {
    this->binary([](auto a, auto b) {
        return concat<0>(a<b, a <= b, a> b, a >= b, equal(a, b), not_equal(a, b), a && b, a || b);
    });
    this->binary([](auto a, auto b) { return where(a < b, a * 2.0f, where(b, 1.0f, a)); });
}

struct multiply_add_of_three {
    static constexpr const char* name = "multiply_add_of_three";
    static constexpr int flops = 2;
    template <class V>
    APRIORI_HD V operator()(V a, V b, V c) const noexcept {
        return a * b + c;
    }
};
TYPED_TEST_P(device_elementwise, functions_of_the_user) {
    for (index_t cols : this->some_cols)
        this->expect(
            [&](auto& in) {
                const auto a = in.tensor(extents<dyn, dyn>(index_t{3}, cols));
                const auto b = in.tensor(extents<dyn, 1>(index_t{3}));
                return elementwise(multiply_add_of_three{}, a, b, in.tensor(extents<dyn>(cols)));
            },
            cols);
}

TYPED_TEST_P(device_elementwise, broadcasts_rows_columns_and_numbers) {
    for (index_t rows : {1, 2, 7})
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, 19>(rows));
                const auto row = in.tensor(extents<19>{});
                const auto one_row = in.tensor(extents<1, 19>{});
                const auto column = in.tensor(extents<dyn, 1>(rows));
                const auto one = in.tensor(extents<1>{});
                const auto number = in.tensor(extents<>{});
                return (x + row) * one_row + column * (2.0f - one) + number / 3.0f;
            },
            rows);
    // The result has axes that no single operand has.
    this->expect([](auto& in) {
        const auto column = in.tensor(extents<5, 1>{});
        return column * in.tensor(extents<11>{});
    });
    this->expect([](auto& in) { return in.tensor(extents<13>{}) - in.tensor(extents<1>{}); });
}

TYPED_TEST_P(device_elementwise, broadcasts_batches) {
    for (index_t batch : {1, 2, 3})
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, 4, 6>(batch));
                const auto positions = in.tensor(extents<4, 6>{});
                const auto sample = in.tensor(extents<dyn, 1, 6>(batch));
                const auto token = in.tensor(extents<1, 4, 1>{});
                const auto each = in.tensor(extents<dyn, 4, 1>(batch));
                return (x + positions) * sample + token * each;
            },
            batch);
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<2, 3, 4, 5>{});
        const auto a = in.tensor(extents<2, 1, 4, 1>{});
        const auto b = in.tensor(extents<3, 1, 5>{});
        const auto c = in.tensor(extents<2, 1, 1, 5>{});
        return x * a + b - c * in.tensor(extents<4, 5>{});
    });
}

TYPED_TEST_P(device_elementwise, run_time_extents_of_one_broadcast) {
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<dyn, 4, 6>(index_t{3}));
        const auto one = in.tensor(extents<dyn, 4, 6>(index_t{1}));
        return x * one + in.tensor(extents<dyn, dyn, 6>(index_t{3}, index_t{1}));
    });
}

TYPED_TEST_P(device_elementwise, reads_slices_and_transposes) {
    this->expect([](auto& in) {
        const auto wide = in.tensor(extents<6, 40>{});
        return slice<1, 17>(wide, 3) + slice<1, 17>(wide, 21);
    });
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<9, 6, 13>{});
        return slice<1, 2>(slice<0, 4>(x, 5), 3) * 2.0f;
    });
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<21, 6>{});
        return transpose<0, 1>(x) + in.tensor(extents<6, 21>{});
    });
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<3, 5, 4, 9>{});
        const auto y = transpose<1, 2>(x) * in.tensor(extents<3, 4, 1, 9>{});
        const auto heads = transpose<1, 2>(split<4>(in.tensor(extents<3, 5, 36>{})));
        const auto last_moved = transpose<1, 3>(in.tensor(extents<3, 9, 5, 4>{}));
        const auto twice_moved = transpose<2, 3>(transpose<1, 2>(in.tensor(extents<3, 9, 4, 5>{})));
        return y + heads * last_moved - twice_moved;
    });
    this->expect([](auto& in) { // a column of a matrix as a row, and as a column
        const auto x = in.tensor(extents<12, 5>{});
        const auto y = in.tensor(extents<7, 3>{});
        return transpose<0, 1>(slice<1, 1>(x, 2)) * slice<1, 1>(y, 1);
    });
}

TYPED_TEST_P(device_elementwise, views_alone) {
    this->expect([](auto& in) { return in.tensor(extents<5, 7>{}); });
    this->expect([](auto& in) { return transpose<0, 1>(in.tensor(extents<5, 7>{})); });
    this->expect([](auto& in) { return slice<1, 3>(in.tensor(extents<5, 7>{}), 4); });
    this->expect([](auto& in) { return in.tensor(extents<23>{}); });
}

TYPED_TEST_P(device_elementwise, reshapes_expressions) {
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<6, 8>{});
        const auto y = in.tensor(extents<dyn, 4, 4>(index_t{3}));
        return reshape(x + 1.0f, extents<dyn, 4, 4>(index_t{3})) * y;
    });
    this->expect([](auto& in) { return slice<0, 2>(exp(in.tensor(extents<6, 8>{})), 3); });
    this->expect([](auto& in) { return transpose<0, 1>(exp(in.tensor(extents<6, 8>{}))) + 1.0f; });
    this->expect([](auto& in) { return split<3>(in.tensor(extents<4, 9>{}) * 2.0f); });
}

TYPED_TEST_P(device_elementwise, gathers_rows) {
    for (index_t rows : {1, 2, 9})
        this->expect(
            [&](auto& in) {
                const auto table = in.tensor(extents<11, 13>{});
                const auto indices = in.indices(extents<dyn>(rows), 11);
                const auto column = in.tensor(extents<dyn, 1>(rows));
                return gather(table, indices) * column + in.tensor(extents<13>{});
            },
            rows);
    this->expect([](auto& in) {
        const auto table = in.tensor(extents<dyn, 20>(index_t{7}));
        return gather(slice<1, 9>(table, 4), in.indices(extents<5>{}, 7));
    });
}

TYPED_TEST_P(device_elementwise, concatenates) {
    this->expect([](auto& in) {
        const auto a = in.tensor(extents<2, 7>{});
        const auto b = in.tensor(extents<3, 7>{});
        return concat<0>(a, b, a * 2.0f, reshape<1, 7>(in.tensor(extents<7>{})));
    });
    this->expect([](auto& in) {
        const auto a = in.tensor(extents<4, 7>{});
        const auto b = in.tensor(extents<5, 4>{});
        return concat<1>(a, exp(a), transpose<0, 1>(b), in.tensor(extents<4, 1>{}));
    });
    for (index_t batch : {1, 3})
        this->expect(
            [&](auto& in) { // the sequence of a prior: tokens, one more, and a learned one for all
                const auto tokens = in.tensor(extents<dyn, 4, 6>(batch));
                const auto one = in.tensor(extents<dyn, 1, 6>(batch));
                const auto all = concat<1>(tokens, one * 2.0f, tokens);
                return all + in.tensor(extents<9, 6>{});
            },
            batch);
    this->expect([](auto& in) {
        const auto table = in.tensor(extents<11, 13>{});
        const auto picked = gather(table, in.indices(extents<3>{}, 11));
        return concat<0>(picked, in.tensor(extents<2, 13>{})) * 2.0f;
    });
}

// One operand in many places, which a kernel may load once; and as many different operands.
TYPED_TEST_P(device_elementwise, polynomials) {
    const auto polynomial = [](auto a, auto b, auto c, auto d) {
        return 0.5f + a * (0.25f - b * (1.5f + c * (d * (a + b) - c * d)));
    };
    for (index_t n : {0, 1, 3, 17, 255, 256, 257}) {
        this->expect(
            [=](auto& in) {
                const auto x = in.tensor(extents<dyn>(n));
                return polynomial(x, x, x, x);
            },
            n);
        this->expect(
            [=](auto& in) {
                const auto x = in.tensor(extents<3, dyn>(n)), y = in.tensor(extents<3, dyn>(n));
                return concat<0>(polynomial(x, x, x, x), polynomial(x, x, y, x));
            },
            n);
        this->expect(
            [=](auto& in) {
                const auto x = in.destination(extents<3, dyn>(n));
                return polynomial(x, x, x, x);
            },
            n);
    }
    this->expect([=](auto& in) { // the same memory, read in another order
        const auto x = in.tensor(extents<19, 19>{});
        const auto two = [](const auto& v) { return slice<0, 3>(v, 0); };
        return polynomial(two(x), slice<1, 19>(two(x), 0), two(x), slice<0, 3>(x, 1));
    });
}

// Parts that are written next to each other.
TYPED_TEST_P(device_elementwise, stacks_on_the_last_axis) {
    for (index_t n : {0, 1, 3, 17, 255, 256, 257, 600}) {
        this->expect(
            [=](auto& in) { // a product of complex numbers
                const auto part = [](const auto& x, index_t i) { return squeeze<1>(slice<1, 1>(x, i)); };
                const auto a = in.tensor(extents<dyn, 2>(n)), b = in.tensor(extents<dyn, 2>(n));
                return stack<1>(part(a, 0) * part(b, 0) - part(a, 1) * part(b, 1),
                                part(a, 0) * part(b, 1) + part(a, 1) * part(b, 0));
            },
            n);
        this->expect(
            [=](auto& in) {
                const auto x = in.tensor(extents<3, dyn>(n));
                const auto pixels = in.tensor(extents<3, dyn, 4>(n));
                return stack<2>(x, squeeze<2>(slice<2, 1>(pixels, 3)) + in.tensor(extents<3, 1>{}), exp(x) * 0.5f);
            },
            n);
    }
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<40>{});
        return stack<1>(x, x * 2.0f, x, exp(x));
    });
    this->expect([](auto& in) { // in place
        const auto z = in.destination(extents<70, 2>{});
        const auto part = [&](index_t i) { return squeeze<1>(slice<1, 1>(z, i)); };
        return stack<1>(part(0) + part(1), part(1) * 2.0f);
    });
    this->expect([](auto& in) { // each part with its own kernel
        const auto x = in.tensor(extents<20, 8>{});
        return stack<1>(squeeze<1>(sum(x)), squeeze<1>(slice<1, 1>(x, 2)));
    });
}

TYPED_TEST_P(device_elementwise, writes_in_place) {
    for (index_t rows : {1, 3, 8})
        this->expect(
            [&](auto& in) {
                const auto x = in.destination(extents<dyn, 21>(rows));
                return x * 0.5f + exp(x) * in.tensor(extents<dyn, 21>(rows));
            },
            rows);
}

TYPED_TEST_P(device_elementwise, writes_to_any_strides) {
    auto& device = this->factory.device;
    conforms_strided(device, [](auto& in) { return in.tensor(extents<5, 7>{}) * 2.0f; });
    conforms_strided(device, [](auto& in) { return softmax(in.tensor(extents<dyn, 3, 6>(index_t{4}))); });
    conforms_strided(device, [](auto& in) { return in.tensor(extents<3, 2, 4, 5>{}) + in.tensor(extents<5>{}); });
}
TYPED_TEST_P(device_elementwise, writes_single_numbers) {
    this->expect([](auto& in) { return reshape(sum(in.tensor(extents<9>{})), extents<>{}); });
    this->expect([](auto& in) {
        const auto a = in.tensor(extents<>{});
        return exp(a) - in.tensor(extents<>{});
    });
}

REGISTER_TYPED_TEST_SUITE_P(device_elementwise, function_add, function_subtract, function_multiply, function_divide,
                            function_minimum, function_maximum, function_negate, function_square, function_exp,
                            function_log, function_sqrt, function_sin, function_cos, function_tanh, function_erf,
                            function_affine, function_clamp, function_gelu, function_quick_gelu, function_silu,
                            function_mish, function_relu, function_sigmoid, functions_of_the_user,
                            broadcasts_rows_columns_and_numbers, broadcasts_batches, run_time_extents_of_one_broadcast,
                            reads_slices_and_transposes, views_alone, reshapes_expressions, gathers_rows, concatenates,
                            polynomials, stacks_on_the_last_axis, writes_in_place, writes_to_any_strides,
                            writes_single_numbers, functions_of_magnitude, functions_of_powers, functions_of_angles,
                            comparisons);

} // namespace conformance
