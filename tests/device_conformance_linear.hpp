// SPDX-License-Identifier: Apache-2.0
// Contractions on a device: sizes around every block size, every prologue and every epilogue, products of activations.
#pragma once

#include "device_conformance_harness.hpp"

namespace conformance {

using namespace apriori;

template <class Factory>
class device_linear : public device_test<Factory> {
protected:
    static constexpr auto some_rows = std::to_array<index_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 33, 97, 109});

    template <index_t N, index_t K>
    void size() {
        for (index_t rows : some_rows)
            this->expect(
                [&](auto& in) {
                    const auto x = in.tensor(extents<dyn, K>(rows));
                    const auto w = in.weight(extents<N, K>{});
                    return linear(x, w, in.tensor(extents<N>{}));
                },
                rows, N, K);
    }

    /// f(in, x) as the input of a linear layer, for few rows and for many.
    template <class F>
    void prologue(F f) {
        for (index_t rows : {1, 2, 5, 19})
            this->expect(
                [&](auto& in) {
                    const auto x = in.tensor(extents<dyn, 35>(rows));
                    const auto y = f(in, x);
                    return linear(y, in.weight(extents<21, 35>{}));
                },
                rows);
    }

    /// f(in, y) of the result of a linear layer, with rows in memory and with normalised rows.
    template <class F>
    void epilogue(F f) {
        for (index_t rows : {1, 4, 19}) {
            this->expect(
                [&](auto& in) {
                    const auto x = in.tensor(extents<dyn, 35>(rows));
                    const auto w = in.weight(extents<37, 35>{});
                    return f(in, linear(x, w, in.tensor(extents<37>{})), rows);
                },
                rows);
        }
    }
};
TYPED_TEST_SUITE_P(device_linear);

TYPED_TEST_P(device_linear, sizes) {
    this->template size<1, 1>();
    this->template size<1, 5>();
    this->template size<3, 4>();
    this->template size<8, 8>();
    this->template size<7, 16>();
    this->template size<16, 7>();
    this->template size<17, 33>();
    this->template size<33, 300>();
    this->template size<65, 31>();
    this->template size<96, 128>();
    this->template size<259, 2>();
}
TYPED_TEST_P(device_linear, no_rows) {
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<dyn, 8>(index_t{0}));
        return linear(x, in.weight(extents<4, 8>{}));
    });
}
TYPED_TEST_P(device_linear, of_one_vector_and_of_batches) {
    this->expect([](auto& in) {
        const auto x = in.tensor(extents<18>{});
        return linear(x, in.weight(extents<11, 18>{})) * 2.0f;
    });
    for (index_t batch : {1, 3})
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, 5, 18>(batch));
                const auto w = in.weight(extents<11, 18>{});
                return linear(x, w) + in.tensor(extents<5, 11>{});
            },
            batch);
}
TYPED_TEST_P(device_linear, of_values_that_are_no_numbers) {
    this->expect([](auto& in) {
        const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> x(6 * 10, 0.25f);
        x[3] = nan;
        x[10 + 9] = inf;
        x[20] = -inf;
        x[30] = inf, x[31] = -inf;
        x[40] = 1e30f;
        const auto w = in.weight(extents<9, 10>{});
        return linear(in.values(extents<6, 10>{}, x), w);
    });
}

TYPED_TEST_P(device_linear, input_slice) {
    this->prologue([](auto& in, auto x) { return slice<1, 35>(in.tensor(extents<dyn, 50>(x.ext()[0])), 7); });
}
TYPED_TEST_P(device_linear, input_transpose) {
    this->prologue([](auto& in, auto x) { return transpose<0, 1>(in.tensor(extents<35, dyn>(x.ext()[0]))); });
}
TYPED_TEST_P(device_linear, input_gather) {
    this->prologue([](auto& in, auto x) {
        const auto table = in.tensor(extents<10, 35>{});
        return gather(table, in.indices(extents<dyn>(x.ext()[0]), 10));
    });
}
TYPED_TEST_P(device_linear, input_gather_and_sum) {
    this->prologue([](auto& in, auto x) {
        const auto table = in.tensor(extents<10, 35>{});
        return x + gather(table, in.indices(extents<dyn>(x.ext()[0]), 10));
    });
}
TYPED_TEST_P(device_linear, input_function) {
    this->prologue([](auto&, auto x) { return silu(x); });
}
TYPED_TEST_P(device_linear, input_broadcasts) {
    this->prologue([](auto& in, auto x) {
        const auto row = in.tensor(extents<35>{});
        return (x + row) * in.tensor(extents<dyn, 1>(x.ext()[0])) - 0.5f;
    });
}
TYPED_TEST_P(device_linear, input_normalised) {
    this->prologue([](auto&, auto x) { return layer_norm(x); });
}
TYPED_TEST_P(device_linear, input_layer_norm) {
    this->prologue([](auto& in, auto x) {
        const auto g = in.tensor(extents<35>{});
        return layer_norm(x, g, in.tensor(extents<35>{}));
    });
}
TYPED_TEST_P(device_linear, input_layer_norm_of_sum) {
    this->prologue([](auto& in, auto x) {
        const auto g = in.tensor(extents<35>{});
        const auto b = in.tensor(extents<35>{});
        return layer_norm(x + in.tensor(extents<1, 35>{}), g, b, 1e-3f);
    });
}
TYPED_TEST_P(device_linear, input_rms_norm) {
    this->prologue([](auto& in, auto x) { return rms_norm(x, in.tensor(extents<35>{})); });
}
TYPED_TEST_P(device_linear, input_softmax) {
    this->prologue([](auto&, auto x) { return softmax(x * 3.0f); });
}
TYPED_TEST_P(device_linear, input_of_norm_of_linear) { // cannot be folded: needs a temporary
    this->prologue([](auto& in, auto x) { return layer_norm(linear(x, in.weight(extents<35, 35>{}))); });
}
TYPED_TEST_P(device_linear, input_concat) {
    this->prologue([](auto& in, auto x) {
        const auto a = in.tensor(extents<dyn, 30>(x.ext()[0]));
        return concat<1>(a, slice<1, 5>(x, 2));
    });
}

TYPED_TEST_P(device_linear, result_scaled) {
    this->epilogue([](auto&, auto y, index_t) { return y * 0.125f; });
}
TYPED_TEST_P(device_linear, result_gelu) {
    this->epilogue([](auto&, auto y, index_t) { return gelu(y); });
}
TYPED_TEST_P(device_linear, result_silu) {
    this->epilogue([](auto&, auto y, index_t) { return silu(y); });
}
TYPED_TEST_P(device_linear, result_mish) {
    this->epilogue([](auto&, auto y, index_t) { return mish(y); });
}
TYPED_TEST_P(device_linear, result_relu) {
    this->epilogue([](auto&, auto y, index_t) { return relu(y); });
}
TYPED_TEST_P(device_linear, result_quick_gelu) {
    this->epilogue([](auto&, auto y, index_t) { return quick_gelu(y); });
}
TYPED_TEST_P(device_linear, result_and_residual) {
    this->epilogue([](auto& in, auto y, index_t rows) { return in.tensor(extents<dyn, 37>(rows)) + y; });
}
TYPED_TEST_P(device_linear, result_and_residual_in_place) {
    this->epilogue([](auto& in, auto y, index_t rows) { return in.destination(extents<dyn, 37>(rows)) + y; });
}
TYPED_TEST_P(device_linear, result_and_strided_operands) {
    this->epilogue([](auto& in, auto y, index_t rows) {
        const auto across = in.tensor(extents<37, dyn>(rows));
        const auto wide = in.tensor(extents<dyn, 60>(rows));
        return transpose<0, 1>(across) * y + slice<1, 37>(wide, 11);
    });
}
TYPED_TEST_P(device_linear, result_and_columns_and_gathered_rows) {
    this->epilogue([](auto& in, auto y, index_t rows) {
        const auto column = in.tensor(extents<dyn, 1>(rows));
        const auto table = in.tensor(extents<6, 37>{});
        return y * column + gather(table, in.indices(extents<dyn>(rows), 6));
    });
}
TYPED_TEST_P(device_linear, sum_and_product_of_two) {
    this->epilogue([](auto& in, auto y, index_t rows) {
        const auto x = in.tensor(extents<dyn, 9>(rows));
        const auto gate = linear(x, in.weight(extents<37, 9>{}));
        return silu(gate) * y;
    });
}
TYPED_TEST_P(device_linear, result_normalised) { // needs its own kernel
    this->epilogue([](auto&, auto y, index_t) { return layer_norm(y) * 2.0f; });
}
TYPED_TEST_P(device_linear, result_seen_through_views) {
    this->epilogue([](auto&, auto y, index_t) { return slice<1, 12>(y, 20) + 1.0f; });
    this->epilogue([](auto&, auto y, index_t) { return transpose<0, 1>(y); });
}

TYPED_TEST_P(device_linear, feed_forward_half_of_a_block) {
    for (index_t rows : {1, 2, 11})
        this->expect(
            [&](auto& in) {
                const auto x = in.destination(extents<dyn, 24>(rows));
                const auto g = in.tensor(extents<24>{});
                const auto b = in.tensor(extents<24>{});
                const auto w1 = in.weight(extents<96, 24>{});
                const auto b1 = in.tensor(extents<96>{});
                const auto w2 = in.weight(extents<24, 96>{});
                return x + linear(gelu(linear(layer_norm(x, g, b), w1, b1)), w2, in.tensor(extents<24>{}));
            },
            rows);
}

TYPED_TEST_P(device_linear, weights_that_are_views) {
    for (index_t rows : {1, 2, 9, 17})
        this->expect(
            [&](auto& in) {
                const auto x = in.tensor(extents<dyn, 30>(rows));
                const auto w = in.tensor(extents<21, 30>{});
                return gelu(linear(x, w, in.tensor(extents<21>{})));
            },
            rows);
}

REGISTER_TYPED_TEST_SUITE_P(device_linear, sizes, no_rows, of_one_vector_and_of_batches, of_values_that_are_no_numbers,
                            input_slice, input_transpose, input_gather, input_gather_and_sum, input_function,
                            input_broadcasts, input_normalised, input_layer_norm, input_layer_norm_of_sum,
                            input_rms_norm, input_softmax, input_of_norm_of_linear, input_concat, result_scaled,
                            result_gelu, result_silu, result_mish, result_relu, result_quick_gelu, result_and_residual,
                            result_and_residual_in_place, result_and_strided_operands,
                            result_and_columns_and_gathered_rows, sum_and_product_of_two, result_normalised,
                            result_seen_through_views, feed_forward_half_of_a_block, weights_that_are_views);

template <class Factory>
class device_matmul : public device_test<Factory> {};
TYPED_TEST_SUITE_P(device_matmul);

TYPED_TEST_P(device_matmul, sizes) {
    for (index_t m : {0, 1, 2, 5, 8, 17})
        for (index_t n : {1, 3, 8, 9, 16, 33, 65})
            for (index_t k : {1, 2, 7, 64})
                this->expect(
                    [&](auto& in) {
                        const auto a = in.tensor(extents<dyn, dyn>(m, k));
                        return matmul(a, in.tensor(extents<dyn, dyn>(k, n)));
                    },
                    m, n, k);
}
TYPED_TEST_P(device_matmul, of_transposed_operands) {
    for (index_t m : {1, 6, 19})
        this->expect(
            [&](auto& in) {
                const auto a = in.tensor(extents<14, dyn>(m));
                const auto b = in.tensor(extents<23, 14>{});
                return matmul(transpose<0, 1>(a), transpose<0, 1>(b)) * 0.5f;
            },
            m);
}
TYPED_TEST_P(device_matmul, of_batches) {
    for (index_t batch : {1, 3})
        this->expect(
            [&](auto& in) {
                const auto a = in.tensor(extents<dyn, 5, 7>(batch));
                const auto b = in.tensor(extents<dyn, 7, 9>(batch));
                return matmul(a, b) + in.tensor(extents<dyn, 1, 9>(batch));
            },
            batch);
}
TYPED_TEST_P(device_matmul, of_heads) {
    for (index_t batch : {1, 2})
        this->expect(
            [&](auto& in) { // [batch, tokens, heads * d] seen as [batch, heads, tokens, d]
                const auto q = transpose<1, 2>(split<3>(in.tensor(extents<dyn, 6, 15>(batch))));
                const auto k = transpose<1, 2>(split<3>(in.tensor(extents<dyn, 6, 15>(batch))));
                return softmax(matmul(q, transpose<2, 3>(k)) * 0.4f);
            },
            batch);
}
TYPED_TEST_P(device_matmul, of_expressions) {
    this->expect([](auto& in) {
        const auto a = in.tensor(extents<6, 10>{});
        const auto b = in.tensor(extents<10, 12>{});
        return exp(matmul(softmax(a), relu(b))) - 1.0f;
    });
}

// Batches of rotations and similar matrices, whose rows or whole items fit into a register.
TYPED_TEST_P(device_matmul, of_small_squares) {
    const auto of = [this]<index_t N>(std::integral_constant<index_t, N>) {
        for (index_t batch : {1, 2, 7}) {
            const auto items = extents<dyn, N, N>(batch);
            this->expect([=](auto& in) { return matmul(in.tensor(items), in.tensor(items)); }, N, batch);
            this->expect([=](auto& in) { return matmul(in.tensor(items), in.tensor(extents<N, N>{})); }, N, batch);
            this->expect([=](auto& in) { return matmul(transpose<1, 2>(in.tensor(items)), in.tensor(items)) + 1.0f; },
                         N, batch);
        }
    };
    of(std::integral_constant<index_t, 3>{});
    of(std::integral_constant<index_t, 4>{});
}

REGISTER_TYPED_TEST_SUITE_P(device_matmul, sizes, of_transposed_operands, of_batches, of_heads, of_expressions,
                            of_small_squares);

} // namespace conformance
