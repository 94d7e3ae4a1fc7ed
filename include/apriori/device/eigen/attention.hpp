// SPDX-License-Identifier: Apache-2.0
// Attention as in its formula: two contractions with a softmax between them, head by head.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/eigen/contraction.hpp"

#include "apriori/expr/norms.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::eigen_device {

/// scores = scale scores + bias, for the scores [tokens, tokens] of a sequence.
inline void bias_scores(const executor& on, const attention_rows& sequences, index_t s, float scale, matrix& scores) {
    const auto bias = [&sequences, s](const Eigen::array<index_t, 2>& at) { return sequences.bias(s, at[0], at[1]); };
    matrix biased(scores.dimensions());
    biased.device(on) = scores * scale + scores.generate(bias);
    scores = std::move(biased);
}

template <class E>
void run(const executor& on, const ops::attention<E>& op) {
    const index_t t = op.sequences.tokens, d = op.head_dim;
    matrix all(op.sequences.count * t, op.heads * d);
    for (index_t s = 0; s < op.sequences.count; ++s)
        for (index_t h = 0; h < op.heads; ++h) {
            const value q = gather(on, op.q + s * t * op.q_stride + h * d, t, d, op.q_stride, 1);
            const value k = gather(on, op.k + s * t * op.k_stride + h * d, t, d, op.k_stride, 1);
            const value v_transposed = gather(on, op.v + s * t * op.v_stride + h * d, d, t, 1, op.v_stride);

            matrix scores = product(on, q.map(), k.map()).map();
            bias_scores(on, op.sequences, s, op.scale, scores);
            const value weights = normalized(on, norms::softmax{}, value(std::move(scores)));
            const value y = product(on, weights.map(), v_transposed.map());

            for (index_t r = 0; r < t; ++r)
                std::copy_n(y.data() + r * d, d, all.data() + (s * t + r) * op.heads * d + h * d);
        }
    finish(on, op.epilogue, value(std::move(all)), op.out);
}

} // namespace apriori::eigen_device
APRIORI_END_EXACT_MATH
