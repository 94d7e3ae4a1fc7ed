// SPDX-License-Identifier: Apache-2.0
// Tests of the CUDA device on a GPU; skipped, with the reason, if there is none.
#pragma nv_diag_suppress 20014 // the oracle runs the function objects on the host, with a number type of the host
#pragma nv_diag_suppress 445   // generic lambdas over an axis convert to no function pointer, nor need they
#include "dependent_launches.hpp"
#include "device_conformance.hpp"
#include "device_conformance_types.hpp"
#include "device_cuda_cases.hpp"
#include "device_cuda_formats.hpp"

namespace {

struct gpu {
    gpu() { model_testing::choose_launches(device); }
    apriori::cuda<80> device;
    static std::string why_not() { return apriori::cuda_available(80).reason; }
};

} // namespace

namespace conformance {

APRIORI_TEST_DEVICE(gpu, ::gpu);
INSTANTIATE_TYPED_TEST_SUITE_P(gpu, device_types, ::gpu);

} // namespace conformance

namespace cuda_cases {

INSTANTIATE_TYPED_TEST_SUITE_P(gpu, device_cuda, testing::Types<::gpu>);
INSTANTIATE_TYPED_TEST_SUITE_P(gpu, device_cuda_formats, testing::Types<::gpu>);

} // namespace cuda_cases
