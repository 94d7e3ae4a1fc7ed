// SPDX-License-Identifier: Apache-2.0
// A forward on the CPU, and a step, use no memory but the caller's span, on any executor. Packing uses a bounded amount
// besides its weights.
#include "allocation_counter.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/clip_text_model.hpp"
#include "apriori/models/clip_vision_model.hpp"
#include "model_testing.hpp"

#ifdef _OPENMP
#include "apriori/device/cpu/executors/openmp.hpp"
#endif

using namespace apriori;
using namespace model_testing;

namespace {

/// Allocations that `body` makes.
template <class Body>
long allocations_of(Body&& body) {
    const long before = allocations;
    body();
    return allocations - before;
}

template <class T>
void keep(T* p) { // keeps the compiler from dropping the code that computes p
    asm volatile("" : : "g"(p) : "memory");
}

// ---- the counter itself --------------------------------------------------------------------------------------------

struct alignas(128) wide {
    char c[128];
};

TEST(allocation_counter, sees_every_way) {
    const auto seen = [](auto&& body) { EXPECT_GE(allocations_of(body), 1); };
    seen([] { keep(std::unique_ptr<int>(new int(1)).get()); });
    seen([] { keep(std::unique_ptr<int[]>(new int[7]).get()); });
    seen([] { keep(std::unique_ptr<int>(new (std::nothrow) int(1)).get()); });
    seen([] { keep(std::make_unique<wide>().get()); });
    seen([] { keep(std::make_unique<wide[]>(3).get()); });
    seen([] { keep(std::make_shared<int>(1).get()); });
    seen([] { keep(host_buffer(10).data()); });
    seen([] { keep(std::string(100, 'a').data()); });
    const auto c_style = [&seen](auto allocate) {
        seen([allocate] {
            void* p = allocate();
            keep(p);
            std::free(p);
        });
    };
    c_style([] { return std::malloc(10); });
    c_style([] { return std::calloc(2, 10); });
    c_style([] { return std::realloc(nullptr, 10); });
    c_style([] { return std::aligned_alloc(64, 64); });
    c_style([] {
        void* p = nullptr;
        return posix_memalign(&p, 64, 64) == 0 ? p : nullptr;
    });
#ifndef APRIORI_TEST_ASAN
    seen([] {
        void* p = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(p, MAP_FAILED);
        EXPECT_EQ(munmap(p, 4096), 0);
    });
#endif
    EXPECT_EQ(allocations_of([] {}), 0);
}

TEST(allocation_counter, sees_what_is_held) {
    const long before = held;
    {
        const std::vector<char> bytes(100'000);
        keep(bytes.data());
        const auto aligned = std::make_unique<wide[]>(1000);
        keep(aligned.get());
        EXPECT_GE(held - before, 228'000);
        EXPECT_LT(held - before, 240'000);
        most_held = held.load();
        keep(std::vector<char>(50'000).data());
        EXPECT_GE(most_held - before, 278'000);
    }
    EXPECT_EQ(held, before);
}

// ---- models --------------------------------------------------------------------------------------------------------

/// Large enough that every executor uses its threads.
constexpr PriorConfig config = presets::digits;
constexpr limits two_rows{.rows = 2};

/// Expects no allocations in forwards of two chunks each, after `before` forwards.
template <class Processors = every_layer<>, class Executor>
void expect_none(Executor& executor, int before) {
    using device_type = cpu<default_arch, Executor>;
    using model_type = PriorTransformer<config, device_type, f32, Processors>;
    device_type device(executor);
    const tensor_list tensors(config);
    const auto model = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model);
    const prior_inputs x = randomize(config, {.rows = 3, .text_tokens = 16}, mask_kind::holes, 5);
    const device_inputs<model_type> in(device, x);
    host_buffer memory(model_type::workspace_bytes(two_rows));
    std::vector<float> out(3 * 64), latents(3 * 64);
    const view<float, extents<dyn, 64>> processed(latents.data(), extents<dyn, 64>(3));

    bool ok = true;
    const auto forward = [&] { ok = ok && model->forward(*in, out, memory.span(), two_rows).state.ok(); };
    for (int i = 0; i < before; ++i) forward();
    EXPECT_EQ(allocations_of([&] {
                  for (int i = 0; i < 3; ++i) forward();
                  ok = ok && model->post_process_latents(processed).ok();
              }),
              0);
    EXPECT_TRUE(ok);
    EXPECT_EQ(allocations_of([&] { // nor in calls that fail
                  ok = model->forward({}, out, memory.span(), two_rows).state.ok() ||
                       model->forward(*in, out, {}, two_rows).state.ok();
              }),
              0);
    EXPECT_FALSE(ok);
}

TEST(allocation, serial) {
    serial_executor executor;
    expect_none(executor, 0);
}

TEST(allocation, plain_and_sliced_attention) {
    serial_executor executor;
    expect_none<per_layer<plain_attention, sliced_attention<1>, sliced_attention<3>, fused_attention>>(executor, 0);
}

TEST(allocation, eigen_thread_pool) {
    eigen_thread_pool_executor executor(2);
    expect_none(executor, 0);
}

#ifdef _OPENMP
TEST(allocation, openmp) {
    openmp_executor executor(2);
    expect_none(executor, 1); // OpenMP creates its threads when it first needs them
}
#endif

/// Expects no allocations in a forward of one of CLIP's encoders, nor in calls that fail.
template <class Model, class Input, class Limits>
void expect_none_of_encoder(const Model& model, const Input& in, std::size_t hidden_floats, std::size_t embed_floats,
                            const Limits& l) {
    host_buffer memory(Model::workspace_bytes(l));
    std::vector<float> hidden(hidden_floats), embeds(embed_floats);
    bool ok = true;
    EXPECT_EQ(allocations_of([&] {
                  ok = model.forward(in, hidden, embeds, memory.span(), l).state.ok() &&
                       !model.forward(in, hidden, embeds, {}, l).state.ok();
              }),
              0);
    EXPECT_TRUE(ok);
}

TEST(allocation, clip_text) {
    using model_type = CLIPTextModelWithProjection<presets::digits_text, cpu<>>;
    cpu<> device;
    const tensor_list tensors(model_type::config);
    const auto model = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model);
    const std::vector<std::int32_t> ids(3 * 16, 5), pooled{3, 17, 47};
    const std::vector<std::uint8_t> mask(3 * 16, 1);
    const extents<dyn, dyn> shape(3, 16);
    const CLIPTextInput in{{ids.data(), shape}, {pooled.data(), extents<dyn>(3)}, {mask.data(), shape}};
    expect_none_of_encoder(*model, in, 3 * 16 * 64, 3 * 64, clip_text_limits{.rows = 2});
}

TEST(allocation, clip_vision) {
    constexpr CLIPVisionConfig config{
        .hidden_size = 16, .num_hidden_layers = 1, .num_attention_heads = 2, .image_size = 32, .patch_size = 8};
    using model_type = CLIPVisionModelWithProjection<config, cpu<>>;
    cpu<> device;
    const tensor_list tensors(config);
    const auto model = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model);
    const std::vector<float> pixels(3 * 3 * 32 * 32, 1.0f);
    const model_type::pixels in(pixels.data(), model_type::pixels::extents_type(3));
    expect_none_of_encoder(*model, in, 3 * 17 * 16, 3 * 512, clip_vision_limits{.rows = 2});
}

/// Making the prefix and the kv cache may allocate; a step may not.
TEST(allocation, step) {
    using model_type = PriorTransformer<config, cpu<>>;
    cpu<> device;
    const tensor_list tensors(config);
    const auto model = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_TRUE(model);
    const prior_inputs x = randomize(config, {.rows = 1, .text_tokens = 16}, mask_kind::holes, 5);
    const prior_prompt prompt{x.proj_embedding, x.encoder_hidden_states, x.attention_mask};
    const auto prefix = model->prefix(std::span(&prompt, 1));
    ASSERT_TRUE(prefix) << prefix.error().message;
    const std::vector<float> timesteps{999, 500, 0};
    const auto kv_cache = model->kv_cache(*prefix, timesteps);
    ASSERT_TRUE(kv_cache) << kv_cache.error().message;
    const prior_step<cpu<>> steps[]{{kv_cache->get(), 0, 0, 0}, {kv_cache->get(), 0, 0, 1}, {kv_cache->get(), 0, 0, 2}};
    const view<const float, extents<dyn, config.embedding_dim>> latents(x.hidden_states.data(),
                                                                        extents<dyn, config.embedding_dim>(1));
    constexpr step_limits l{.rows = 2, .samples = 1};
    host_buffer memory(model_type::step_workspace_bytes(l));
    std::vector<float> out(3 * 64);
    bool ok = false;
    EXPECT_EQ(allocations_of([&] { ok = model->step(latents, steps, out, memory.span(), l).ok(); }), 0);
    EXPECT_TRUE(ok);
}

// ---- packing -------------------------------------------------------------------------------------------------------

/// The most bytes held while weights are read and packed, beyond those that the model keeps.
template <int Layers, class Format>
long held_beside() {
    constexpr PriorConfig large{.num_attention_heads = 8, .attention_head_dim = 64, .num_layers = Layers};
    using weights = typename PriorTransformer<large, cpu<>, Format>::weights;
    cpu<> device;
    const tensor_list tensors(large);
    const io::synthetic_source source(tensors.infos());
    const long before = held;
    most_held = before;
    const auto packed = weights::load(device, source);
    EXPECT_TRUE(packed.ok());
    constexpr long bytes = static_cast<long>(weights::bytes()),
                   alignment = 1 << 21;   // to large pages; malloc takes more after it
    EXPECT_GT(bytes, Layers * 1'500'000); // in the narrowest format
    EXPECT_GE(held - before, bytes);
    EXPECT_LE(held - before, bytes + 2 * alignment);
    return most_held - held;
}

TEST(packing, holds_four_mebibytes_beside_its_weights_whatever_their_size) {
    constexpr long rows = 4 << 20, names = 1 << 16;
    const auto expect_bounded = [&](long beside) {
        EXPECT_GE(beside, rows); // it reads pieces of that size
        EXPECT_LE(beside, rows + names);
    };
    expect_bounded(held_beside<1, f32>());
    expect_bounded(held_beside<3, f32>());
    expect_bounded(held_beside<1, w8>());
    expect_bounded(held_beside<3, w8>());
    expect_bounded(held_beside<3, w4>());
}

} // namespace
