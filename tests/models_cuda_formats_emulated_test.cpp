// SPDX-License-Identifier: Apache-2.0
// A small model with narrow weights on the CUDA device, whose kernels tests/cuda_emulation runs on the host.
#include "models_cuda_emulated.hpp"

namespace model_testing {

template <class Format>
void samples_as_the_cpu_does(double tolerance, double tolerance_of_forward) {
    SCOPED_TRACE(Format::name);
    gpu_type gpu;
    host_type host;
    const auto there = load_reference<tiny_on<gpu_type, Format>>(gpu, "tiny");
    const auto here = load_reference<tiny_on<host_type, Format>>(host, "tiny");
    ASSERT_TRUE(there && here);
    schedule steps;
    ASSERT_TRUE(plan_schedule(UnCLIPSchedulerConfig{}, {.num_inference_steps = 3}, steps).ok());
    for (const bool incrementally : {true, false})
        EXPECT_TRUE(within(worst_of(sampled(*there, steps, incrementally, 2), sampled(*here, steps, incrementally, 2)),
                           incrementally ? tolerance : tolerance_of_forward))
            << (incrementally ? "incrementally" : "by the forward");
}
TEST(models_cuda_formats_emulated, samples_as_the_cpu_does_in_every_format) {
    samples_as_the_cpu_does<f16>(trace_tolerance, trace_tolerance);
    samples_as_the_cpu_does<bf16>(trace_tolerance, trace_tolerance);
    samples_as_the_cpu_does<w8>(trace_tolerance, trace_tolerance);
    samples_as_the_cpu_does<w4>(trace_tolerance, trace_tolerance);
    // An activation close to the middle of two bfloat16 numbers may be rounded to the other one; and in a forward the
    // CPU also rounds the operands of attention.
    samples_as_the_cpu_does<bf16a16>(0x1p-8, 0x1p-6);
}

} // namespace model_testing
