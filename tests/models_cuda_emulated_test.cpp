// SPDX-License-Identifier: Apache-2.0
// A small model on the CUDA device, whose kernels tests/cuda_emulation runs on the host: forward, guided steps, and the
// copies and allocations of a sampling.
#include "apriori/schedulers/dpmsolver_multistep.hpp"
#include "apriori/schedulers/heun.hpp"
#include "models_cuda_emulated.hpp"

namespace model_testing {

TEST(models_cuda_emulated, tiny) {
    cuda_emulation::thread_order = cuda_emulation::order::backward;
    cuda_emulation::processors = 6;
    gpu_type gpu;
    gpu.dependent_launches(true);
    check_variant<::tiny>(gpu, "tiny", chunks::within_rounding);
    check_recorded_sampling<::tiny>(gpu, "tiny");
    EXPECT_GT(cuda_emulation::launches, 100u);
}

TEST(models_cuda_emulated, samples_as_the_cpu_does_with_every_kind_of_scheduler) {
    gpu_type gpu;
    host_type host;
    const auto there = load_reference<tiny_on<gpu_type>>(gpu, "tiny");
    const auto here = load_reference<tiny_on<host_type>>(host, "tiny");
    ASSERT_TRUE(there && here);
    const auto check = [&](const auto& config) {
        schedule steps;
        ASSERT_TRUE(plan_schedule(config, {.num_inference_steps = 5}, steps).ok());
        for (const bool incrementally : {true, false}) {
            const std::vector<float> expected = sampled(*here, steps, incrementally, 2);
            EXPECT_TRUE(within(worst_of(sampled(*there, steps, incrementally, 2), expected), trace_tolerance))
                << (incrementally ? "incrementally" : "by the forward");
        }
    };
    check(UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
    check(HeunDiscreteSchedulerConfig{.prediction_type = prediction_kind::sample}); // one tensor kept, scaled inputs
    check(DPMSolverMultistepSchedulerConfig{.solver_order = 3});                    // two tensors kept
}

TEST(models_cuda_emulated, a_step_copies_nothing_and_waits_for_nothing) {
    gpu_type gpu;
    const auto model = load_reference<tiny_on<gpu_type>>(gpu, "tiny");
    ASSERT_TRUE(model);
    const two_prompts prompts;
    const std::vector<float> times{900, 500, 100};
    constexpr index_t width = tiny_on<gpu_type>::config.embedding_dim;
    device_array<float, gpu_type> latents(gpu, 2 * width);
    ASSERT_TRUE(latents.write(std::vector<float>(2 * width, 0.5f)).ok());
    const auto check = [&](auto denoiser) {
        ASSERT_TRUE(denoiser) << denoiser.error().message;
        const auto at = [&](float time, const float* x) {
            const auto y = (*denoiser)({x, extents<dyn, width>(1)}, time);
            EXPECT_TRUE(y) << y.error().message;
            std::vector<float> values(2 * width);
            EXPECT_TRUE(gpu.download(values.data(), y->data, values.size() * sizeof(float)).ok());
            return values;
        };
        const std::vector<float> first = at(900, latents.data()), other = at(500, latents.data());
        EXPECT_NE(first, other);
        const std::size_t copies = cuda_emulation::copies, allocations = cuda_emulation::allocations,
                          graphs = cuda_emulation::graph_launches;
        for (const float time : times) EXPECT_TRUE((*denoiser)({latents.data(), extents<dyn, width>(1)}, time));
        EXPECT_EQ(cuda_emulation::copies, copies);
        EXPECT_EQ(cuda_emulation::allocations, allocations);
        EXPECT_EQ(cuda_emulation::graph_launches, graphs + 3) << "replayed from the second call on";
        EXPECT_EQ(at(900, latents.data()), first);
        EXPECT_EQ(at(500, latents.data() + width), other) << "latents elsewhere: made again as they are";
        EXPECT_EQ(at(900, latents.data() + width), first) << "and recorded again";
        EXPECT_EQ(at(900, latents.data()), first);
        const auto wrong = (*denoiser)({latents.data(), extents<dyn, width>(2)}, 900);
        ASSERT_FALSE(wrong);
        EXPECT_EQ(wrong.error().code, errc::shape_mismatch);
    };
    check(incremental_denoiser<tiny_on<gpu_type>>::make(*model, prompts.get(), times, 1));
    check(forward_denoiser<tiny_on<gpu_type>>::make(*model, prompts.get(), 1));
}

TEST(models_cuda_emulated, a_sampling_that_was_made_before_allocates_nothing) {
    gpu_type gpu;
    const auto model = load_reference<tiny_on<gpu_type>>(gpu, "tiny");
    ASSERT_TRUE(model);
    schedule steps;
    ASSERT_TRUE(plan_schedule(UnCLIPSchedulerConfig{}, {.num_inference_steps = 5}, steps).ok());
    const std::vector<float> first = sampled(*model, steps, true, 3);
    const std::size_t allocations = cuda_emulation::allocations, copies = cuda_emulation::copies;
    const std::vector<float> again = sampled(*model, steps, true, 3);
    EXPECT_EQ(cuda_emulation::allocations, allocations);
    EXPECT_EQ(again, first);

    // There are copies of the prompts, the latents, the noise of four steps and the result. More steps only add noise.
    const std::size_t of_five = cuda_emulation::copies - copies;
    ASSERT_TRUE(plan_schedule(UnCLIPSchedulerConfig{}, {.num_inference_steps = 9}, steps).ok());
    const std::size_t before = cuda_emulation::copies;
    (void)sampled(*model, steps, true, 3);
    EXPECT_EQ(cuda_emulation::copies - before, of_five + 2 * 4) << "a copy and the wait for it, for each of four steps";
}

TEST(models_cuda_emulated, a_stream_that_is_recorded_by_its_user_or_cannot_be_recorded_gets_plain_launches) {
    gpu_type own;
    EXPECT_TRUE(own.records());
    EXPECT_FALSE(gpu_type(nullptr).records());
    EXPECT_FALSE(gpu_type(cudaStreamLegacy).records());
    ASSERT_EQ(cudaStreamBeginCapture(own.stream(), cudaStreamCaptureModeThreadLocal), cudaSuccess);
    EXPECT_FALSE(own.records());
    EXPECT_TRUE(own.allocate(4).empty());
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamEndCapture(own.stream(), &graph), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    EXPECT_TRUE(own.records());
}

} // namespace model_testing
