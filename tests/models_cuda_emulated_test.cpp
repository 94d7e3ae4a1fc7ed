// SPDX-License-Identifier: Apache-2.0
// A small model on the CUDA device, its kernels run on the host by tests/cuda_emulation: forward, and 6 guided steps.
#include "apriori/device/cuda/device.hpp"
#include "reference_sampling.hpp"

#include "tiny.hpp"

namespace model_testing {

TEST(models_cuda_emulated, tiny) {
    cuda_emulation::thread_order = cuda_emulation::order::alternating;
    cuda_emulation::processors = 6;
    apriori::cuda<80> gpu(nullptr);
    check_variant<::tiny>(gpu, "tiny", chunks::within_rounding);
    check_recorded_sampling<::tiny>(gpu, "tiny");
    EXPECT_GT(cuda_emulation::launches, 100u);
}

} // namespace model_testing
