// SPDX-License-Identifier: Apache-2.0
// Cases that only the kernels of device/cuda have: tile borders, row blocks, aligned and unaligned reads, wide heads.
// Compiled by nvcc for a GPU, or with tests/cuda_emulation first on the include path for a machine without one.
#pragma once

#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"
#include "device_conformance_harness.hpp"

#include <string_view>

namespace cuda_cases {

using namespace apriori;
using conformance::conforms;

using device_type = cuda<80>;
static_assert(device<device_type>);

// Half of a transformer block. The norm needs its own launch, since contractions take rows in memory.
template <int Half>
constexpr int launches_of_half() {
    using P = device_type::packed<f32>;
    const view<const float, extents<dyn, 64>> x(nullptr, extents<dyn, 64>(10));
    const view<const float, extents<64>> g, b;
    if constexpr (Half == 0)
        return plan<device_type>(x + linear(gelu(linear(layer_norm(x, g, b), weight<P, 256, 64>{},
                                                        view<const float, extents<256>>{})),
                                            weight<P, 64, 256>{}, b))
            .size();
    else
        return plan<device_type>(x + linear(self_attention<4>(linear(layer_norm(x, g, b), weight<P, 192, 64>{},
                                                                     view<const float, extents<192>>{}),
                                                              attention_rows{2, 5}, 0.25f),
                                            weight<P, 64, 64>{}, b))
            .size();
}
static_assert(launches_of_half<0>() == 3);
static_assert(launches_of_half<1>() == 4);

template <class Factory>
class device_cuda : public conformance::device_test<Factory> {
protected:
    auto& gpu() { return this->factory.device; }

    /// x [rows, K] times a weight [N, K], with bias, activation and residual.
    template <index_t N, index_t K>
    void linear_rows(std::initializer_list<index_t> rows) {
        for (index_t r : rows)
            this->expect(
                [r](auto& in) {
                    const auto x = in.tensor(extents<dyn, K>(r));
                    const auto residual = in.tensor(extents<dyn, N>(r));
                    const auto w = in.weight(extents<N, K>{});
                    return residual + gelu(linear(x, w, in.tensor(extents<N>{})));
                },
                r, N, K);
    }
    template <index_t HeadDim>
    void attention_heads(std::initializer_list<index_t> tokens) {
        for (index_t t : tokens)
            for (int kind = 0; kind < 4; kind += sanitized ? 3 : 1)
                this->expect(
                    [t, kind](auto& in) {
                        const auto rows = in.sequences(2, t, kind & 1 ? (t + 1) / 2 : 0, (kind & 2) != 0);
                        const auto qkv = in.tensor(extents<dyn, 6 * HeadDim>(2 * t));
                        return self_attention<2>(qkv, rows, 0.3f);
                    },
                    HeadDim, t, kind);
    }
};

/// Numbers on the host and a copy of them on the device.
template <class T>
struct mirrored {
    template <class D>
    mirrored(D& d, std::vector<T> x) : host(std::move(x)), memory(d.allocate(host.size() * sizeof(T))) {
        EXPECT_TRUE(d.upload(memory.data(), host.data(), host.size() * sizeof(T)).ok());
    }
    T* device() const { return reinterpret_cast<T*>(memory.data()); }

    std::vector<T> host;
    cuda_buffer memory;
};

/// The sizes of a case, the layer of the cache that it reads, and whether it is causal.
struct cached_case {
    index_t heads, head_dim, layer;
    bool causal;
};

TYPED_TEST_SUITE_P(device_cuda);

TYPED_TEST_P(device_cuda, contraction_of_aligned_rows) {
    this->template linear_rows<67, 36>({0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 63, 64, 65, 130});
    this->template linear_rows<1, 4>({1, 7, 16, 17});
    this->template linear_rows<9, 260>({1, 4, 6, 16, 20});
}
TYPED_TEST_P(device_cuda, contraction_of_odd_depth) {
    this->template linear_rows<67, 37>({1, 2, 16, 65});
    this->template linear_rows<66, 17>({1, 70});
    this->template linear_rows<5, 1>({1, 3});
}
TYPED_TEST_P(device_cuda, contraction_in_wide_tiles) {
    const index_t enough = 128 * ((this->gpu().multiprocessors() + 2) / 3); // times three tiles of columns
    this->template linear_rows<260, 20>({enough, enough + 1});
    this->template linear_rows<259, 7>({enough - 63});
}
TYPED_TEST_P(device_cuda, contraction_of_slices) {
    for (index_t rows : {1, 3, 16, 70}) {
        this->expect(
            [rows](auto& in) { // rows that are not aligned
                const auto x = slice<1, 36>(in.tensor(extents<dyn, 37>(rows)), 1);
                return linear(x, in.weight(extents<67, 36>{}));
            },
            rows, 37);
        this->expect(
            [rows](auto& in) { // aligned rows with gaps
                const auto x = slice<1, 36>(in.tensor(extents<dyn, 44>(rows)), 4);
                return linear(x, in.weight(extents<67, 36>{}));
            },
            rows, 44);
        this->expect(
            [rows](auto& in) { // columns that are not contiguous
                const auto x = transpose<0, 1>(in.tensor(extents<36, dyn>(rows)));
                return linear(x, in.weight(extents<67, 36>{}));
            },
            rows, 36);
        this->expect(
            [rows](auto& in) { // two axes of rows with a gap between
                const auto x = slice<1>(in.tensor(extents<3, dyn, 36>(rows + 2)), 1, rows);
                return linear(x, in.weight(extents<67, 36>{}));
            },
            rows, 3);
    }
    this->expect([](auto& in) { return linear(in.tensor(extents<36>{}), in.weight(extents<67, 36>{})); });
}

TYPED_TEST_P(device_cuda, matmul_of_any_strides) {
    for (index_t m : {1, 5, 64, 70})
        for (index_t n : {1, 65})
            for (index_t k : {1, 7, 16, 33}) {
                this->expect(
                    [=](auto& in) {
                        const auto a = in.tensor(extents<3, dyn, dyn>(m, k));
                        return matmul(a, in.tensor(extents<3, dyn, dyn>(k, n))) * 0.5f;
                    },
                    m, n, k);
                this->expect(
                    [=](auto& in) {
                        const auto a = in.tensor(extents<3, dyn, dyn>(k, m));
                        const auto b = in.tensor(extents<3, dyn, dyn>(n, k));
                        return matmul(transpose<1, 2>(a), transpose<1, 2>(b)) * 0.5f;
                    },
                    m, n, k);
            }
    this->expect([](auto& in) { // heads: two batch axes, each with its own stride
        const auto q = transpose<0, 1>(split<3>(in.tensor(extents<dyn, 24>(index_t{11}))));
        const auto k = transpose<0, 1>(split<3>(in.tensor(extents<dyn, 24>(index_t{13}))));
        return matmul(q, transpose<1, 2>(k));
    });
}

TYPED_TEST_P(device_cuda, rows_of_any_length) {
    for (index_t cols : {1, 31, 32, 33, 127, 128, 129, 255, 256, 257, 512, 1000, 1023, 1024, 1025, 3000})
        for (index_t rows : {1, 3}) {
            this->expect(
                [=](auto& in) {
                    const auto x = in.tensor(extents<dyn, dyn>(rows, cols));
                    const auto g = in.tensor(extents<dyn>(cols));
                    return layer_norm(x + g, g, in.tensor(extents<dyn>(cols)));
                },
                rows, cols);
            this->expect([=](auto& in) { return softmax(in.tensor(extents<dyn, dyn>(rows, cols), -9, 9)); }, rows,
                         cols);
            this->expect([=](auto& in) { return 2.0f * mean(in.tensor(extents<dyn, dyn>(rows, cols))); }, rows, cols);
            this->expect([=](auto& in) { return max(in.tensor(extents<dyn, dyn>(rows, cols), -9, -1)); }, rows, cols);
            this->expect([=](auto& in) { return sum<0>(in.tensor(extents<dyn, dyn>(cols, rows))); }, rows, cols);
        }
}

TYPED_TEST_P(device_cuda, map_of_any_shape) {
    const std::pair<index_t, index_t> shapes[] = {{1, 1},    {7, 1},    {300, 3},  {256, 2}, {1, 1024},
                                                  {1, 1025}, {1, 3000}, {5, 1030}, {33, 64}, {9, 100}};
    for (const auto& [r, c] : shapes)
        this->expect(
            [rows = r, cols = c](auto& in) {
                const auto x = in.tensor(extents<dyn, dyn>(rows, cols));
                const auto column = in.tensor(extents<dyn, 1>(rows));
                return silu(x) * column + in.tensor(extents<dyn>(cols));
            },
            r, c);
}

TYPED_TEST_P(device_cuda, attention_of_any_width) {
    this->template attention_heads<64>({1, 32, 33, 65});
    this->template attention_heads<32>({5, 81});
    this->template attention_heads<3>({2, 33});
    this->template attention_heads<61>({33});
    this->template attention_heads<80>({33});
    this->template attention_heads<128>({1, 33});
    this->template attention_heads<130>({17});
    this->template attention_heads<256>({1, 33});
}
TYPED_TEST_P(device_cuda, attention_with_an_epilogue) {
    this->expect([](auto& in) {
        const auto rows = in.sequences(3, 7, 4, true);
        const auto residual = in.tensor(extents<dyn, 40>(index_t{21}));
        const auto q = in.tensor(extents<dyn, 40>(index_t{21})), k = in.tensor(extents<dyn, 40>(index_t{21}));
        return residual + attention<5>(q, k, in.tensor(extents<dyn, 40>(index_t{21})), rows, 0.2f);
    });
}
TYPED_TEST_P(device_cuda, attention_refuses_heads_that_are_too_wide) {
    const std::vector<float> memory(771);
    const view<const float, extents<dyn, 771>> qkv(memory.data(), extents<dyn, 771>(index_t{1}));
    std::vector<float> result(257);
    const view<float, extents<dyn, 257>> out(result.data(), extents<dyn, 257>(index_t{1}));
    const status s = assign(this->gpu(), {}, out, self_attention<1>(qkv, attention_rows{1, 1}, 1.0f));
    EXPECT_EQ(s.code, errc::unsupported);
    EXPECT_EQ(s.got, 257);
    EXPECT_EQ(s.limit, 256);
}

// Three groups with different pasts and own rows, against the formula in double.
TYPED_TEST_P(device_cuda, cached_attention_of_groups) {
    const cached_case cases[] = {{2, 64, 1, true},  {2, 64, 0, false}, {3, 5, 1, true},  {1, 33, 1, true},
                                 {2, 128, 1, true}, {1, 130, 0, true}, {1, 256, 1, true}};
    for (const auto& [heads, dim, layer, causal] : cases) {
        SCOPED_TRACE("head_dim " + std::to_string(dim));
        const index_t width = heads * dim, stride = 3 * width, past_rows = 40, own_rows = 14;
        conformance::numbers random(7);
        const auto some = [&](index_t n) {
            std::vector<float> x(static_cast<std::size_t>(n));
            for (float& a : x) a = random.uniform(-1, 1);
            return x;
        };
        auto& gpu = this->gpu();
        const mirrored<float> past(gpu, some(2 * past_rows * stride)), own(gpu, some(own_rows * stride));
        const index_t per_layer = past_rows * stride;
        const auto groups_over = [&](const float* p) {
            const auto rows = [&](index_t first, index_t count) {
                return cached_rows{count > 0 ? p + first * stride + width : nullptr, count, per_layer, stride};
            };
            return std::vector<attention_group>{{0, 0, 2, 0, {rows(0, 23), rows(30, 10)}},
                                                {2, 4, 1, 4, {rows(0, 0), rows(5, 3)}},
                                                {5, 11, 3, 2 + 3, {rows(0, 0), rows(0, 0)}}};
        };
        const std::vector<attention_group> groups = groups_over(past.host.data());
        const mirrored<attention_group> device_groups(gpu, groups_over(past.device()));
        constexpr index_t out_rows = 8; // rows 2 and 3 belong to no group
        const mirrored<float> out(gpu, std::vector<float>(static_cast<std::size_t>(out_rows * (width + 1)), -7.0f));

        const ops::cached_attention op{own.device(), stride,       heads,
                                       dim,          layer,        {device_groups.device(), 3, 36, out_rows, 0, causal},
                                       0.2f,         out.device(), width + 1};
        ASSERT_TRUE(gpu.run(op).ok());

        std::vector<double> expected(out.host.begin(), out.host.end());
        for (const attention_group& g : groups)
            for (index_t i = 0; i < g.queries * heads; ++i) {
                const index_t query = g.first_query + i / heads, column = i % heads * dim;
                std::vector<const float*> keys;
                for (const cached_rows& c : g.past)
                    for (index_t r = 0; r < c.count; ++r) keys.push_back(c.row(layer, r) + column);
                for (index_t r = causal ? g.first_row : query; r <= query; ++r)
                    keys.push_back(own.host.data() + r * stride + width + column);
                double total = 0;
                std::vector<double> sum(static_cast<std::size_t>(dim));
                for (const float* k : keys) {
                    double score = 0;
                    for (index_t d = 0; d < dim; ++d)
                        score += static_cast<double>(own.host[static_cast<std::size_t>(query * stride + column + d)]) *
                                 static_cast<double>(k[d]);
                    const double weight = std::exp(static_cast<double>(op.scale) * score);
                    total += weight;
                    for (index_t d = 0; d < dim; ++d)
                        sum[static_cast<std::size_t>(d)] += weight * static_cast<double>(k[width + d]);
                }
                for (index_t d = 0; d < dim; ++d)
                    expected[static_cast<std::size_t>((g.first_out + i / heads) * (width + 1) + column + d)] =
                        sum[static_cast<std::size_t>(d)] / total;
            }
        std::vector<float> got(out.host.size());
        ASSERT_TRUE(gpu.download(got.data(), out.device(), got.size() * sizeof(float)).ok());
        for (std::size_t i = 0; i < got.size(); ++i)
            ASSERT_NEAR(static_cast<double>(got[i]), expected[i], 2e-6) << "element " << i;
    }
}

TYPED_TEST_P(device_cuda, pack_refuses_what_is_no_part_of_the_matrix) {
    using packed = device_type::packed<f32>;
    auto memory = this->gpu().allocate(packed::stored_bytes(4, 3));
    const packed w(memory.data(), 4, 3);
    const std::vector<float> rows(7);
    EXPECT_EQ(this->gpu().pack(w, 0, rows).code, errc::shape_mismatch);
    EXPECT_EQ(this->gpu().pack(w, 3, std::span(rows).first(6)).code, errc::shape_mismatch);
    EXPECT_EQ(this->gpu().pack(w, -1, std::span(rows).first(3)).code, errc::shape_mismatch);
    EXPECT_TRUE(this->gpu().pack(w, 4, std::span(rows).first(0)).ok());
}
TYPED_TEST_P(device_cuda, runs_on_the_stream_of_a_user) {
    device_type other(this->gpu().stream());
    EXPECT_EQ(other.stream(), this->gpu().stream());
    conforms(other, [](auto& in) { return in.tensor(extents<5, 6>{}) + 1.0f; });
    device_type moved(std::move(other));
    EXPECT_EQ(moved.stream(), this->gpu().stream());
}
TYPED_TEST_P(device_cuda, says_what_fails) {
    const cuda_availability none = cuda_available(80, 1000000);
    EXPECT_FALSE(none);
    EXPECT_NE(none.reason.find("no GPU numbered 1000000"), std::string::npos) << none.reason;
    const cuda_availability weak = cuda_available(99999);
    EXPECT_NE(weak.reason.find("needs 99999 or higher"), std::string::npos) << weak.reason;
    cuda<99999> future;
    EXPECT_EQ(future.synchronize().code, errc::unsupported);
    EXPECT_TRUE(future.allocate(4).empty());
    EXPECT_EQ(cuda_kernels::launch(this->gpu().stream(), index_t{1} << 40, 32, static_cast<void (*)()>(nullptr)).code,
              errc::unsupported);
}

REGISTER_TYPED_TEST_SUITE_P(device_cuda, contraction_of_aligned_rows, contraction_of_odd_depth,
                            contraction_in_wide_tiles, contraction_of_slices, matmul_of_any_strides, rows_of_any_length,
                            map_of_any_shape, attention_of_any_width, attention_with_an_epilogue,
                            attention_refuses_heads_that_are_too_wide, cached_attention_of_groups,
                            pack_refuses_what_is_no_part_of_the_matrix, runs_on_the_stream_of_a_user, says_what_fails);

} // namespace cuda_cases
