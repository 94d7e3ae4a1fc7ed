// SPDX-License-Identifier: Apache-2.0
// The kernels of device/cuda, run on the host by tests/cuda_emulation, with the threads of a block in two orders.
#include "device_conformance_types.hpp"
#include "device_cuda_cases.hpp"
#include "device_cuda_formats.hpp"
#include "sanitizers.hpp"

namespace {

/// An emulated GPU. In the backward order kernels may also begin early.
template <cuda_emulation::order Order>
struct emulated {
    emulated() : device(choose()) { device.dependent_launches(Order == cuda_emulation::order::backward); }
    static std::string why_not() { return ""; }
    apriori::cuda<80> device;

private:
    static cudaStream_t choose() {
        cuda_emulation::thread_order = Order;
        cuda_emulation::processors = 6;
        return nullptr;
    }
};

using backward = emulated<cuda_emulation::order::backward>;
#ifdef APRIORI_TEST_ASAN // one order: accesses out of bounds happen in both
using factories = testing::Types<backward>;
#else
using factories = testing::Types<emulated<cuda_emulation::order::forward>, backward>;
#endif

} // namespace

namespace conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(emulated, device_types, ::backward);

} // namespace conformance

namespace cuda_cases {

INSTANTIATE_TYPED_TEST_SUITE_P(emulated, device_cuda, factories);
INSTANTIATE_TYPED_TEST_SUITE_P(emulated, device_cuda_formats, factories);

TEST(device_cuda_emulated, a_launch_that_fails_is_the_status) {
    cuda<80> gpu;
    auto memory = gpu.allocate(4 * sizeof(float));
    const view<float, extents<4>> x(reinterpret_cast<float*>(memory.data()), {});
    cuda_emulation::next_launch = cudaErrorInvalidValue;
    const status s = assign(gpu, {}, x, x + 1.0f);
    EXPECT_EQ(s.code, errc::device_error);
    EXPECT_EQ(std::string_view(s.what), "an emulated error");
    EXPECT_EQ(s.got, cudaErrorInvalidValue);
    EXPECT_TRUE(assign(gpu, {}, x, x + 1.0f).ok());
}

__global__ void takes_what_is_there(float* out) {
    float& kept = cuda_kernels::in_shared_memory<float>();
    if (threadIdx.x == 0) {
        out[blockIdx.x] = kept;
        kept = 1;
    }
}

TEST(device_cuda_emulated, a_block_does_not_see_what_another_left_in_shared_memory) {
    float seen[3] = {};
    ASSERT_TRUE(cuda_kernels::launch(nullptr, 3, 32, takes_what_is_there, +seen).ok());
    for (const float v : seen) EXPECT_TRUE(std::isnan(v));
}

__global__ void adds_one(float* x, bool waits) {
    struct memory {
        float ones[32];
    };
    auto& [ones] = cuda_kernels::in_shared_memory<memory>();
    ones[threadIdx.x] = 1; // has to keep its value while other kernels run
    if (waits) cuda_kernels::wait_for_kernels_before();
    x[blockIdx.x * blockDim.x + threadIdx.x] += ones[threadIdx.x];
}

TEST(device_cuda_emulated, a_kernel_that_may_begin_early_does) {
    for (const auto order : {cuda_emulation::order::forward, cuda_emulation::order::backward})
        for (const bool waits : {true, false}) {
            cuda_emulation::thread_order = order;
            std::vector<float> x(96);
            const auto add = [&](bool early, bool w) {
                return cuda_kernels::launch_with({.dependent_launches = early}, nullptr, 3, 32, adds_one, x.data(), w);
            };
            for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(true, true).ok());
            EXPECT_EQ(x, std::vector<float>(96, 2)) << "the last one is held back";
            ASSERT_TRUE(add(true, waits).ok());
            const std::size_t first = order == cuda_emulation::order::forward ? 0 : 64;
            std::vector<float> expected(96, 3);
            if (!waits)
                for (std::size_t i = 0; i < 32; ++i) ++expected[first + i]; // its first block has ended without waiting
            EXPECT_EQ(x, expected);
            ASSERT_TRUE(add(false, false).ok());
            EXPECT_EQ(x, std::vector<float>(96, 5)) << "a launch that may not begin early waits for all of them";
        }
}

TEST(device_cuda_emulated, nothing_is_launched_for_no_rows) {
    cuda<80> gpu;
    const std::size_t before = cuda_emulation::launches;
    const view<float, extents<dyn, 4>> x(nullptr, extents<dyn, 4>(index_t{0}));
    EXPECT_TRUE(assign(gpu, {}, x, x + 1.0f).ok());
    EXPECT_TRUE(assign(gpu, {}, x, layer_norm(x)).ok());
    EXPECT_EQ(cuda_emulation::launches, before);
}

} // namespace cuda_cases
