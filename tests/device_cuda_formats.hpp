// SPDX-License-Identifier: Apache-2.0
// Weight formats of the CUDA device: a product on tensor cores equals the product with the numbers that the format
// stores.
#pragma once

#include "apriori/core/torch_random.hpp"
#include "apriori/expr/functions.hpp"
#include "device_cuda_cases.hpp"
#include "weight_formats.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace cuda_cases {

/// A matrix in a format, and inputs.
template <class Format, index_t N, index_t K>
struct format_case {
    using packed_type = device_type::packed<Format>;
    device_type& gpu;
    std::vector<std::vector<float>> w;
    cuda_buffer memory;
    packed_type packed;

    explicit format_case(device_type& d)
        : gpu(d), memory(d.allocate(packed_type::stored_bytes(N, K))), packed(memory.data(), N, K) {
        torch_generator random(static_cast<std::uint64_t>(N * 1000 + K));
        w.assign(N, std::vector<float>(K));
        for (auto& row : w) {
            random.randn(row);
            for (float& x : row) x *= 0.1f;
        }
        w[0].assign(K, 0.0f); // zeros for one output
        if (K > 8) {
            w[N - 1][0] = 3e-8f, w[N - 1][1] = -6e-5f, w[N - 1][2] = 5.9604645e-8f; // f16's subnormals
            w[N - 1][3] = 6.1035156e-5f;
        }
        for (index_t j = 0; j < N;) { // a few rows at a time, as models are loaded
            const index_t count = std::min(N - j, 1 + j % 5);
            std::vector<float> rows;
            for (index_t i = j; i < j + count; ++i)
                rows.insert(rows.end(), w[static_cast<std::size_t>(i)].begin(), w[static_cast<std::size_t>(i)].end());
            EXPECT_TRUE(gpu.pack(packed, j, std::span<const float>(rows)).ok());
            j += count;
        }
    }

    /// x w^T + residual, with `gap` unused floats after each row of the input.
    void check(index_t rows, index_t gap = 0) const {
        SCOPED_TRACE(testing::Message() << Format::name << " " << rows << " x " << N << " x " << K << ", gap " << gap);
        torch_generator random(static_cast<std::uint64_t>(rows));
        std::vector<float> x(static_cast<std::size_t>(rows * (K + gap))), residual(static_cast<std::size_t>(rows * N));
        random.randn(x);
        random.randn(residual);
        const mirrored<float> inputs(gpu, x), others(gpu, residual),
            outputs(gpu, std::vector<float>(static_cast<std::size_t>(rows * N)));
        const auto e = view<const float, extents<dyn, N>>(others.device(), extents<dyn, N>(rows)) +
                       linear(rows_of<K>(static_cast<const float*>(inputs.device()), rows, K + gap),
                              weight<packed_type, N, K>{packed});
        ASSERT_TRUE(assign(gpu, {}, view<float, extents<dyn, N>>(outputs.device(), extents<dyn, N>(rows)), e).ok());
        std::vector<float> y(residual.size());
        ASSERT_TRUE(gpu.download(y.data(), outputs.device(), y.size() * sizeof(float)).ok());
        for (index_t r = 0; r < rows; ++r)
            for (index_t j = 0; j < N; ++j) expect_element(x.data() + r * (K + gap), j, residual, y, r * N + j);
    }

private:
    void expect_element(const float* x, index_t j, const std::vector<float>& residual, const std::vector<float>& y,
                        index_t place) const {
        double sum = residual[static_cast<std::size_t>(place)], magnitude = std::fabs(sum);
        for (index_t k = 0; k < K; ++k) {
            const double activation =
                std::is_same_v<Format, bf16a16> ? static_cast<double>(static_cast<float>(bfloat16(x[k]))) : x[k];
            const double term =
                activation * weight_formats::kept<Format>(w[static_cast<std::size_t>(j)], static_cast<std::size_t>(k));
            sum += term;
            magnitude += std::fabs(term);
        }
        // A tensor core adds sixteen products and the old sum, each cut off after the last place of the largest of
        // them: 17 units. There are K / 16 of these sums with three terms each, of which the later two are at most 2^-7
        // of the first, and a few more roundings.
        const double units = 17 * (static_cast<double>(K) / 16 + 1) * (1 + 0x1p-6) + 8;
        ASSERT_NEAR(y[static_cast<std::size_t>(place)], sum,
                    units * std::numeric_limits<float>::epsilon() * magnitude + static_cast<double>(K) * 0x1p-125)
            << "row " << place / N << ", output " << j;
    }
};

template <class Factory>
class device_cuda_formats : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string reason = Factory::why_not(); !reason.empty()) GTEST_SKIP() << reason;
    }
    template <class Format>
    void check() {
        auto& gpu = factory.device;
        const format_case<Format, 70, 53> odd(gpu);
        for (const index_t rows : {1, 9}) odd.check(rows);
        const format_case<Format, 33, 64> whole(gpu);
        for (const index_t rows : {4, 33}) whole.check(rows);
        whole.check(5, 4); // aligned rows with gaps
        whole.check(5, 1); // unaligned rows
        format_case<Format, 1, 1>(gpu).check(3);
        const format_case<Format, 20, 1100> deep(gpu); // several chunks of k, and more units than a warp copies ahead
        for (const index_t rows : {2, 20}) deep.check(rows);
        format_case<Format, 260, 40>(gpu).check(64 * ((gpu.multiprocessors() + 2) / 3)); // enough tiles for all of them
    }
    Factory factory;
};

TYPED_TEST_SUITE_P(device_cuda_formats);

TYPED_TEST_P(device_cuda_formats, f16_weights) { this->template check<f16>(); }
TYPED_TEST_P(device_cuda_formats, bf16_weights) { this->template check<bf16>(); }
TYPED_TEST_P(device_cuda_formats, bf16_weights_and_activations) { this->template check<bf16a16>(); }
TYPED_TEST_P(device_cuda_formats, w8_weights) { this->template check<w8>(); }
TYPED_TEST_P(device_cuda_formats, w4_weights) { this->template check<w4>(); }
TYPED_TEST_P(device_cuda_formats, no_number_stays_in_its_row) {
    auto& gpu = this->factory.device;
    using P = device_type::packed<bf16>;
    const cuda_buffer memory = gpu.allocate(P::stored_bytes(16, 16));
    const P packed(memory.data(), 16, 16);
    const std::vector<float> ones(16 * 16, 1.0f);
    ASSERT_TRUE(gpu.pack(packed, 0, std::span<const float>(ones)).ok());
    std::vector<float> x(4 * 16, 1.0f), y(4 * 16);
    x[16] = std::numeric_limits<float>::quiet_NaN(); // row 1
    x[40] = std::numeric_limits<float>::infinity();  // row 2
    const mirrored<float> inputs(gpu, x), outputs(gpu, y);
    ASSERT_TRUE(assign(gpu, {}, view<float, extents<4, 16>>(outputs.device(), {}),
                       linear(view<const float, extents<4, 16>>(inputs.device(), {}), weight<P, 16, 16>{packed}))
                    .ok());
    ASSERT_TRUE(gpu.download(y.data(), outputs.device(), y.size() * sizeof(float)).ok());
    EXPECT_EQ(y[0], 16.0f);
    EXPECT_TRUE(std::isnan(y[16]));
    EXPECT_EQ(y[32], std::numeric_limits<float>::infinity());
    EXPECT_EQ(y[48], 16.0f);
}
TYPED_TEST_P(device_cuda_formats, refuse_what_they_cannot_hold) {
    auto& gpu = this->factory.device;
    const auto packs = [&](auto format, float value) {
        using P = device_type::packed<decltype(format)>;
        const cuda_buffer memory = gpu.allocate(P::stored_bytes(1, 2));
        return gpu.pack(P(memory.data(), 1, 2), 0, std::vector<float>{1.0f, value});
    };
    constexpr float inf = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(packs(bf16{}, 3e38f).ok());
    EXPECT_EQ(packs(bf16{}, 3.39e38f).code, errc::invalid_argument);
    EXPECT_EQ(packs(f16{}, 65505.0f).code, errc::invalid_argument);
    EXPECT_EQ(packs(w8{}, inf).code, errc::invalid_argument);
    EXPECT_EQ(packs(w4{}, -inf).code, errc::invalid_argument);
    using P = device_type::packed<w4>;
    const cuda_buffer memory = gpu.allocate(P::stored_bytes(2, 3));
    EXPECT_EQ(gpu.pack(P(memory.data(), 2, 3), 1, std::vector<float>(6, 1.0f)).code, errc::shape_mismatch);
}

REGISTER_TYPED_TEST_SUITE_P(device_cuda_formats, f16_weights, bf16_weights, bf16_weights_and_activations, w8_weights,
                            w4_weights, no_number_stays_in_its_row, refuse_what_they_cannot_hold);

} // namespace cuda_cases
