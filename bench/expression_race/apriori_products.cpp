// SPDX-License-Identifier: Apache-2.0
// Rows of products in apriori.
#include "in_apriori.hpp"

#include "apriori/layers/weight_storage.hpp"

namespace race {

namespace {

/// A weight matrix, packed once as a program would do it.
template <index_t Out, index_t In>
auto packed(array& values) {
    any_executor executor(1);
    device_type device(executor);
    using storage = weight_storage<Out, In, device_type>;
    auto made = storage::make(device, values.flat());
    return std::make_shared<storage>(std::move(*made));
}

call mlp(problem& p, int threads) {
    const auto first = packed<mlp_hidden, mlp_in>(p.in[1]);
    const auto second = packed<mlp_hidden, mlp_hidden>(p.in[3]);
    const auto third = packed<mlp_out, mlp_hidden>(p.in[5]);
    const auto hidden = relu(linear(input<dyn, mlp_in>(p, 0), first->operand(), input<mlp_hidden>(p, 2)));
    const auto e = linear(relu(linear(hidden, second->operand(), input<mlp_hidden>(p, 4))), third->operand(),
                          input<mlp_out>(p, 6));
    const call body = assigned(threads, output<dyn, mlp_out>(p), e);
    return [=] { (void)first, (void)second, (void)third, body(); };
}
call attention_rows_(problem& p, int threads) {
    const index_t sequences = p.in[0].ext(0);
    const auto rows = [&](const float* data) {
        return view<const float, extents<dyn, head>>(data, extents<dyn, head>(sequences * tokens));
    };
    const view<float, extents<dyn, head>> out(p.out[0].data(), extents<dyn, head>(sequences * tokens));
    const attention_rows who{.count = sequences, .tokens = tokens};
    return assigned(threads, out,
                    attention<1>(rows(p.in[0].data()), rows(p.in[1].data()), rows(p.in[2].data()), who, head_scale));
}
call lstm(problem& p, int threads) {
    const auto storage = packed<4 * cell, 2 * cell>(p.in[3]);
    const auto x = input<dyn, cell>(p, 0), h = input<dyn, cell>(p, 1), c = input<dyn, cell>(p, 2);
    const auto bias = input<4 * cell>(p, 4);
    const auto next_h = output<dyn, cell>(p, 0), next_c = output<dyn, cell>(p, 1);
    const index_t rows = x.ext()[0];
    const std::size_t bytes = std::size_t(rows) * 6 * cell * sizeof(float) + (std::size_t{1} << 20) +
                              std::size_t(rows) * 2 * cell * sizeof(float);
    return in_context(threads, bytes, [=](auto& to) {
        const auto gates = to.temporary(extents<dyn, 4 * cell>(rows));
        to(gates) = linear(concat<1>(x, h), storage->operand(), bias);
        const auto gate = [&](index_t i) { return slice<1, cell>(gates, i * cell); };
        to(next_c) = sigmoid(gate(1)) * c + sigmoid(gate(0)) * tanh(gate(2));
        to(next_h) = sigmoid(gate(3)) * tanh(next_c);
    });
}
call kalman(problem& p, int threads) {
    const auto covariance = input<dyn, state, state>(p, 0);
    const view<const float, extents<dyn, state, state>, layout::rows> f(p.in[1].data(), covariance.ext(),
                                                                        {0, state, 1}); // the same for all items
    return assigned(threads, output<dyn, state, state>(p),
                    matmul(matmul(f, covariance), transpose<1, 2>(f)) + input<state, state>(p, 2));
}
template <index_t N>
call products(problem& p, int threads) {
    return assigned(threads, output<dyn, N, N>(p), matmul(input<dyn, N, N>(p, 0), input<dyn, N, N>(p, 1)));
}

} // namespace

void add_apriori_products(entries& to) {
    to.insert(to.end(), {{"mlp", "apriori", mlp},
                         {"attention", "apriori", attention_rows_},
                         {"lstm", "apriori", lstm},
                         {"kalman", "apriori", kalman},
                         {"products3", "apriori", products<3>},
                         {"products4", "apriori", products<4>}});
}

} // namespace race
