// SPDX-License-Identifier: Apache-2.0
// Attention on a device: every number of tokens, widths of heads, masks, and the operations around it in a block.
#pragma once

#include "device_conformance_harness.hpp"

namespace conformance {

using namespace apriori;

template <class Factory>
class device_attention : public device_test<Factory> {
protected:
    template <int Heads, index_t Dim>
    void heads() {
        for (index_t tokens : {1, 2, 5, 8, 17})
            for (index_t masked : {index_t{0}, (tokens + 1) / 2, tokens})
                for (bool causal : {false, true}) each<Heads, Dim>(2, tokens, masked, causal);
    }
    template <int Heads, index_t Dim>
    void each(index_t count, index_t tokens, index_t masked, bool causal) {
        constexpr index_t width = Heads * Dim;
        this->expect(
            [&](auto& in) {
                const extents<dyn, width> shape(count * tokens);
                const auto rows = in.sequences(count, tokens, masked, causal);
                const auto q = in.tensor(shape, -2.0f, 2.0f);
                const auto k = in.tensor(shape, -2.0f, 2.0f);
                return attention<Heads>(q, k, in.tensor(shape), rows, 1.0f / std::sqrt(static_cast<float>(Dim)));
            },
            Heads, Dim, count, tokens, masked, causal);
    }
};
TYPED_TEST_SUITE_P(device_attention);

TYPED_TEST_P(device_attention, widths_of_heads) {
    this->template heads<1, 1>();
    this->template heads<2, 3>();
    this->template heads<3, 8>();
    this->template heads<5, 17>();
    this->template heads<2, 64>();
    this->template heads<1, 80>();
}
TYPED_TEST_P(device_attention, numbers_of_tokens) {
    for (index_t tokens : {3, 4, 7, 9, 15, 16, 31, 33, 64, 81, 100})
        for (bool causal : {false, true}) this->template each<2, 8>(1, tokens, tokens / 2, causal);
    this->template each<1, 4>(1, 300, 200, true);
    this->template each<1, 4>(1, 300, 0, false);
    this->template each<2, 8>(3, 0, 0, false);
}
TYPED_TEST_P(device_attention, masks_that_hide_all) {
    for (bool causal : {false, true})
        this->expect(
            [&](auto& in) {
                auto rows = in.sequences(2, 6, 6, causal);
                const std::vector<float> zeros{0.0f}; // twelve bytes of a mask
                rows.mask = reinterpret_cast<const std::uint8_t*>(in.values(extents<3>{}, zeros).data);
                const auto x = in.tensor(extents<12, 10>{});
                return attention<2>(x, x, in.tensor(extents<12, 10>{}), rows, 0.3f);
            },
            causal);
}
TYPED_TEST_P(device_attention, large_scores_and_what_is_no_number) {
    this->expect([](auto& in) {
        const auto rows = in.sequences(2, 9, 5, true);
        const auto q = in.tensor(extents<18, 8>{}, -40.0f, 40.0f);
        const auto k = in.tensor(extents<18, 8>{}, -40.0f, 40.0f);
        return attention<2>(q, k, in.tensor(extents<18, 8>{}), rows, 1.0f);
    });
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (float x : {inf, nan})
        for (int operand : {0, 1, 2})
            this->expect(
                [&](auto& in) {
                    std::vector<float> special(18 * 8, 0.5f);
                    special[4 * 8 + 1] = x;
                    const auto rows = in.sequences(2, 9, 0, false);
                    const auto a = in.tensor(extents<18, 8>{});
                    const auto b = in.tensor(extents<18, 8>{});
                    const auto c = in.values(extents<18, 8>{}, special);
                    return attention<2>(operand == 0 ? c : a, operand == 1 ? c : b, operand == 2 ? c : b, rows, 0.5f);
                },
                x, operand);
}
TYPED_TEST_P(device_attention, operands_side_by_side) {
    for (index_t count : {1, 3})
        this->expect(
            [&](auto& in) {
                const auto rows = in.sequences(count, 7, 4, true);
                const auto qkv = in.tensor(extents<dyn, 3 * 2 * 5>(count * 7));
                return self_attention<2>(qkv, rows, 0.4f) * 2.0f;
            },
            count);
    this->expect([](auto& in) { // in a wider tensor, and transposed
        const auto rows = in.sequences(1, 7, 0, false);
        const auto wide = in.tensor(extents<7, 40>{});
        const auto across = in.tensor(extents<12, 7>{});
        return attention<3>(slice<1, 12>(wide, 1), slice<1, 12>(wide, 14), transpose<0, 1>(across), rows, 0.4f);
    });
}
TYPED_TEST_P(device_attention, attention_half_of_a_block) {
    for (index_t count : {1, 2})
        this->expect(
            [&](auto& in) {
                const auto rows = in.sequences(count, 6, 4, true);
                const auto x = in.destination(extents<dyn, 16>(count * 6));
                const auto g = in.tensor(extents<16>{});
                const auto b = in.tensor(extents<16>{});
                const auto w = in.weight(extents<48, 16>{});
                const auto b1 = in.tensor(extents<48>{});
                const auto wo = in.weight(extents<16, 16>{});
                const auto y = self_attention<4>(linear(layer_norm(x, g, b), w, b1), rows, 0.5f);
                return x + linear(y, wo, in.tensor(extents<16>{}));
            },
            count);
}
TYPED_TEST_P(device_attention, residual_and_bias_behind_it) {
    this->expect([](auto& in) {
        const auto rows = in.sequences(2, 5, 5, false);
        const auto x = in.tensor(extents<10, 12>{});
        const auto y = in.tensor(extents<10, 36>{});
        return x + self_attention<3>(y, rows, 0.5f) * in.tensor(extents<12>{});
    });
}

/// Scores written out, as a user's processor may do.
struct plain_attention {
    static constexpr const char* name = "plain";
    template <int Heads, class Context, class Q, class K, class V, class Out>
    constexpr status run(Context& ctx, const Q& q, const K& k, const V& v, const attention_rows& rows, float scale,
                         const Out& out) const {
        constexpr index_t width = extents_of<Q>::fixed(1), d = width / Heads;
        const auto heads = [&](const auto& x) {
            using X = std::remove_cvref_t<decltype(x)>;
            using E = extents<dyn, dyn, Heads, d>;
            const typename view<float, E>::sizes_type strides{rows.tokens * x.stride(0), x.stride(0), d, 1};
            return transpose<1, 2>(
                view<typename X::value_type, E, layout::rows>(x.data, E(rows.count, rows.tokens), strides));
        };
        const auto scores = matmul(heads(q), transpose<2, 3>(heads(k))) * scale + attention_bias(rows, Heads);
        return ctx.assign(heads(out), matmul(softmax(scores), heads(v)));
    }
};
TYPED_TEST_P(device_attention, processors_of_the_user) {
    for (index_t count : {1, 3})
        for (bool causal : {false, true})
            this->expect(
                [&](auto& in) {
                    const auto rows = in.sequences(count, 6, 4, causal);
                    const auto x = in.tensor(extents<dyn, 24>(count * 6));
                    return self_attention<2>(x, rows, 0.5f, plain_attention{}) + 1.0f;
                },
                count, causal);
}

TYPED_TEST_P(device_attention, over_cached_rows) {
    constexpr index_t layers = 3, width = 2 * 5, width3 = 3 * width;
    for (bool causal : {true, false})
        for (index_t prefix : {0, 1, 9, 40})
            this->expect(
                [&](auto& in) {
                    // a prefix that all groups share, with keys and values only; for each group a row in another cache,
                    // which has the queries too; and a few new rows
                    const auto shared = in.tensor(extents<layers, dyn, 2 * width>(prefix), -2.0f, 2.0f);
                    const auto others = in.tensor(extents<layers, 4, width3>{}, -2.0f, 2.0f);
                    const auto own = in.tensor(extents<7, width3>{}, -2.0f, 2.0f);
                    const cached_rows past{shared.data, prefix, prefix * 2 * width, 2 * width};
                    const auto other = [&](index_t first, index_t count) {
                        return cached_rows{others.data + first * width3 + width, count, 4 * width3, width3};
                    };
                    const auto groups = in.groups({{0, 0, 2, 3, {past, other(1, 1)}}, // both rows have queries
                                                   {2, 4, 1, 2, {other(0, 4), past}}, // only the last of three rows has
                                                   {5, 5, 2, 0, {past, {}}}},
                                                  causal);
                    return cached_attention<2>(own, groups, 1, 0.4f);
                },
                causal, prefix);
}

REGISTER_TYPED_TEST_SUITE_P(device_attention, widths_of_heads, numbers_of_tokens, masks_that_hide_all,
                            large_scores_and_what_is_no_number, operands_side_by_side, attention_half_of_a_block,
                            residual_and_bias_behind_it, processors_of_the_user, over_cached_rows);

} // namespace conformance
