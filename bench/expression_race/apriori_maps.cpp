// SPDX-License-Identifier: Apache-2.0
// Element-wise rows in apriori.
#include "in_apriori.hpp"

namespace race {

namespace {

call saxpy(problem& p, int threads) {
    const auto x = input<dyn>(p, 0), y = input<dyn>(p, 1), z = input<dyn>(p, 2);
    return assigned(threads, output<dyn>(p), 0.5f * (2.0f * x + y) + z);
}
call nhwc(problem& p, int threads) {
    const auto mean = input<3>(p, 1), deviation = input<3>(p, 2);
    return assigned(threads, output<dyn, 3>(p), (input<dyn, 3>(p, 0) - mean) / deviation);
}
call nchw(problem& p, int threads) {
    const auto mean = input<3, 1>(p, 1), deviation = input<3, 1>(p, 2);
    return assigned(threads, output<dyn, 3, dyn>(p), (input<dyn, 3, dyn>(p, 0) - mean) / deviation);
}
call convolution(problem& p, int threads) {
    const auto x = input<dyn, dyn>(p, 0);
    const index_t n = p.out[0].ext(0);
    const auto shifted = [&](int i, int j) { return filter[i][j] * slice<1>(slice<0>(x, i, n), j, n); };
    return assigned(threads, output<dyn, dyn>(p),
                    shifted(0, 0) + shifted(0, 1) + shifted(0, 2) + shifted(1, 0) + shifted(1, 1) + shifted(1, 2) +
                        shifted(2, 0) + shifted(2, 1) + shifted(2, 2));
}
call average(problem& p, int threads) {
    const auto x = input<dyn>(p, 0);
    const auto from = [&](index_t first) { return slice<0>(x, first, p.out[0].size()); };
    return assigned(threads, output<dyn>(p),
                    (from(0) + from(1) + from(2) + from(3) + from(4) + from(5) + from(6) + from(7)) * (1.0f / window));
}
call evaluate_polynomial(problem& p, int threads) {
    const auto x = input<dyn>(p, 0);
    const auto& c = polynomial;
    return assigned(
        threads, output<dyn>(p),
        c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * (c[5] + x * (c[6] + x * (c[7] + x * c[8]))))))));
}
call complex_product(problem& p, int threads) {
    const auto part = [](const auto& v, index_t i) { return squeeze<1>(slice<1, 1>(v, i)); };
    const auto a = input<dyn, 2>(p, 0), b = input<dyn, 2>(p, 1);
    const auto ar = part(a, 0), ai = part(a, 1), br = part(b, 0), bi = part(b, 1);
    return assigned(threads, output<dyn, 2>(p), stack<1>(ar * br - ai * bi, ar * bi + ai * br));
}
call gather_rows(problem& p, int threads) {
    const view<const std::int32_t, extents<dyn>> rows(p.indices.data(), extents<dyn>(std::ssize(p.indices)));
    return assigned(threads, output<dyn, row_of_table>(p),
                    gather(input<dyn, row_of_table>(p, 0), rows) * input<row_of_table>(p, 1));
}
call outer(problem& p, int threads) {
    return assigned(threads, output<dyn, dyn>(p), einsum<"i,j->ij">(input<dyn>(p, 0), input<dyn>(p, 1)));
}
call where_chain(problem& p, int threads) {
    const auto x = input<dyn>(p, 0), a = input<dyn>(p, 1), b = input<dyn>(p, 2), c = input<dyn>(p, 3);
    return assigned(threads, output<dyn>(p), where(x > 0.5f, a, where(x > 0.0f, b, where(x > -0.5f, c, x))));
}

} // namespace

void add_apriori_maps(entries& to) {
    to.insert(to.end(), {{"saxpy", "apriori", saxpy},
                         {"nhwc", "apriori", nhwc},
                         {"nchw", "apriori", nchw},
                         {"convolution", "apriori", convolution},
                         {"average", "apriori", average},
                         {"polynomial", "apriori", evaluate_polynomial},
                         {"complex", "apriori", complex_product},
                         {"gather", "apriori", gather_rows},
                         {"outer", "apriori", outer},
                         {"where", "apriori", where_chain}});
}

} // namespace race
