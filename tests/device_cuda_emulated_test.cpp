// SPDX-License-Identifier: Apache-2.0
// The kernels of device/cuda, run on the host by tests/cuda_emulation with the threads of a block in two orders.
#include "device_conformance_types.hpp"
#include "device_cuda_cases.hpp"
#include "device_cuda_formats.hpp"

namespace {

template <cuda_emulation::order Order>
struct emulated {
    emulated() : device(choose()) {}
    static std::string why_not() { return ""; }
    apriori::cuda<80> device;

private:
    static cudaStream_t choose() {
        cuda_emulation::thread_order = Order;
        cuda_emulation::processors = 6;
        return nullptr;
    }
};

using factories = testing::Types<emulated<cuda_emulation::order::forward>, emulated<cuda_emulation::order::backward>>;

} // namespace

namespace conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(emulated, device_types, emulated<cuda_emulation::order::backward>);

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

TEST(device_cuda_emulated, nothing_is_launched_for_no_rows) {
    cuda<80> gpu;
    const std::size_t before = cuda_emulation::launches;
    const view<float, extents<dyn, 4>> x(nullptr, extents<dyn, 4>(index_t{0}));
    EXPECT_TRUE(assign(gpu, {}, x, x + 1.0f).ok());
    EXPECT_TRUE(assign(gpu, {}, x, layer_norm(x)).ok());
    EXPECT_EQ(cuda_emulation::launches, before);
}

} // namespace cuda_cases
