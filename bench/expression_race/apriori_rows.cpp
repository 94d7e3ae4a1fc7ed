// SPDX-License-Identifier: Apache-2.0
// Rows of reductions in apriori.
#include "in_apriori.hpp"

namespace race {

namespace {

/// log sum exp(x) over a row: a user-defined reduction, in one launch.
struct log_sum_exp_policy {
    static constexpr const char* name = "log_sum_exp";
    static constexpr int flops = 5;
    float reduce(const auto& row, index_t) const noexcept {
        const float top = (row.max)(fn::identity{});
        return top + std::log(row.sum(fn::exp_from{top}));
    }
};

call softmax_rows(problem& p, int threads) {
    return assigned(threads, output<dyn, width>(p), softmax(input<dyn, width>(p, 0)));
}
call pairwise(problem& p, int threads) {
    const auto a = input<dyn, features>(p, 0), b = input<dyn, features>(p, 1);
    const auto e = sum<1>(square(a)) + squeeze<1>(sum<1>(square(b))) - 2.0f * matmul(a, transpose<0, 1>(b));
    return assigned(threads, output<dyn, dyn>(p), e);
}
call outer_sum(problem& p, int threads) {
    return assigned(threads, output<1, width>(p), sum<0>(input<dyn, width>(p, 0)));
}
call masked_mean(problem& p, int threads) {
    const auto x = input<dyn, width>(p, 0), m = input<dyn, width>(p, 1);
    return assigned(threads, output<dyn, 1>(p), sum<1>(where(m > 0.0f, x, 0.0f)) / sum<1>(m));
}
call log_sum_exp(problem& p, int threads) {
    return assigned(threads, output<dyn, 1>(p), reduce(log_sum_exp_policy{}, input<dyn, width>(p, 0)));
}
call dot(problem& p, int threads) {
    const auto of = [&](std::size_t i) {
        return view<const dot_type, extents<dyn>>(dots(p.in[i]), extents<dyn>(dot_count(p.in[i])));
    };
    return assigned(threads, view<dot_type, extents<1>>(dots(p.out[0]), {}), sum(of(0) * of(1)));
}

} // namespace

void add_apriori_rows(entries& to) {
    to.insert(to.end(), {{"softmax", "apriori", softmax_rows},
                         {"pairwise", "apriori", pairwise},
                         {"outer_sum", "apriori", outer_sum},
                         {"masked_mean", "apriori", masked_mean},
                         {"log_sum_exp", "apriori", log_sum_exp},
                         {"dot", "apriori", dot}});
}

} // namespace race
