// SPDX-License-Identifier: Apache-2.0
// Attention of a few queries over cached keys on the CPU. A task is one head of one group; it
// scores one query at a time.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/cpu/executor.hpp"
#include "apriori/device/cpu/softmax.hpp"
#include "apriori/expr/cached_attention.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// sum a[i] b[i].
template <class V>
APRIORI_INLINE float dot(const float* a, const float* b, index_t n) noexcept {
    V s = lanes<V>::set(0.0f);
    float tail = 0.0f;
    for_columns<V>(0, n, [&]<class W>(W, index_t c) {
        if constexpr (std::is_same_v<W, V>)
            s = multiply_add(lanes<V>::load(a + c), lanes<V>::load(b + c), s);
        else
            tail += a[c] * b[c];
    });
    return sum_lanes(s) + tail;
}

/// to[i] (+)= x a[i].
template <class V>
APRIORI_INLINE void add_scaled(float* to, float x, const float* a, index_t n, bool accumulate) noexcept {
    for_columns<V>(0, n, [&]<class W>(W, index_t c) {
        const W y = lanes<W>::set(x) * lanes<W>::load(a + c);
        store(to + c, accumulate ? lanes<W>::load(to + c) + y : y);
    });
}

/// One of the three ranges of a query's keys: two of the past, and the group's own.
struct key_range {
    const float* k;
    index_t count, stride;
};

template <class Arch>
void attend_group(const ops::cached_attention& op, const attention_group& g, index_t h, float* scores) noexcept {
    using V = value_t<Arch>;
    const index_t d = op.head_dim, width = op.heads * d;
    for (index_t i = 0; i < g.queries; ++i) {
        const index_t query = g.first_query + i;
        const index_t own_first = op.groups.causal ? g.first_row : query;
        const auto past = [&](const cached_rows& c) {
            return key_range{c.count == 0 ? nullptr : c.row(op.layer, 0) + h * d, c.count, c.stride};
        };
        const key_range keys[3] = {past(g.past[0]),
                                   past(g.past[1]),
                                   {op.own + own_first * op.stride + width + h * d, query - own_first + 1, op.stride}};
        const float* q = op.own + query * op.stride + h * d;
        index_t n = 0;
        for (const key_range& s : keys)
            for (index_t j = 0; j < s.count; ++j) scores[n++] = dot<V>(q, s.k + j * s.stride, d) * op.scale;
        softmax_in_place<V>(scores, n);
        float* out = op.out + (g.first_out + i) * op.out_stride + h * d;
        n = 0;
        for (const key_range& s : keys)
            for (index_t j = 0; j < s.count; ++j, ++n)
                add_scaled<V>(out, scores[n], s.k + width + j * s.stride, d, n > 0);
    }
}

template <class Arch>
constexpr std::size_t scratch_bytes(const ops::cached_attention& op) {
    return to_size(op.groups.count * op.heads * round_up(op.groups.max_keys, 16)) * sizeof(float);
}
template <class Arch, executor X>
void run(X& x, const ops::cached_attention& op) {
    const double cost = operations(8, op.groups.scores, op.heads, op.head_dim);
    parallel_ranges(x, op.groups.count * op.heads, cost, [&](index_t first, index_t last) {
        for (index_t task = first; task < last; ++task)
            attend_group<Arch>(op, op.groups.group(task / op.heads), task % op.heads,
                               reinterpret_cast<float*>(op.scratch) + task * round_up(op.groups.max_keys, 16));
    });
}

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
