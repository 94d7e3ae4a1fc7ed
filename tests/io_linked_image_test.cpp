// SPDX-License-Identifier: Apache-2.0
// Packed weights in the program's own memory: they have the bits that were packed, and invalid images are refused.
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/linked_image.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/stored_kv_cache.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "io_testing.hpp"
#include "model_testing.hpp"

using namespace apriori;

namespace {

constexpr PriorConfig config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 6};
constexpr PriorConfig other_config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 7};

template <PriorConfig C = config, class Format = f32, class Arch = default_arch>
using model = PriorTransformer<C, cpu<Arch>, Format>;

/// A packed model, and its file in memory.
class LinkedImage : public testing::Test {
protected:
    void SetUp() override {
        const tensor_list tensors(config);
        auto loaded = model<>::load(device, io::synthetic_source(tensors.infos()));
        ASSERT_TRUE(loaded.ok());
        packed.emplace(std::move(*loaded));
        const io_testing::temporary_folder folder;
        const auto path = folder.path / "model.apriori";
        ASSERT_TRUE(io::write_packed_file(*packed, path).ok());
        const std::string bytes = io_testing::read_all(path);
        memory = host_buffer(bytes.size() + 1);
        std::memcpy(memory.data(), bytes.data(), bytes.size());
        image = memory.span().first(bytes.size());
    }
    template <class Model = model<>>
    static std::string refusal(std::span<const std::byte> bytes) {
        const io::linked_image<Model> linked(bytes);
        EXPECT_TRUE(linked.state().ok() || linked.weights().base == nullptr);
        EXPECT_TRUE(linked.state().ok() || linked.verify().code == linked.state().code);
        return linked.state().what;
    }

    cpu<> device;
    std::optional<model<>> packed;
    host_buffer memory;
    std::span<std::byte> image;
};

TEST_F(LinkedImage, GivesTheSameBits) {
    const io::linked_image<model<>> linked(image);
    ASSERT_TRUE(linked.state().ok()) << linked.state().what;
    EXPECT_TRUE(linked.verify().ok());
    const model<> in_place(device, linked.weights());
    EXPECT_EQ(in_place.shared_weights(), nullptr);
    EXPECT_EQ(in_place.weights_block().hash, packed->shared_weights()->hash());
    EXPECT_EQ(in_place.weights_block().base, image.data() + io::packed_header::payload_at); // nothing is copied
    const auto x = model_testing::randomize(config, {.rows = 2, .text_tokens = 6}, model_testing::mask_kind::holes, 1);
    const auto expected = model_testing::forward(*packed, x).values;
    EXPECT_TRUE(model_testing::same_bits(model_testing::forward(in_place, x).values, expected));
    EXPECT_TRUE(model_testing::same_bits(
        model_testing::forward(in_place.with_attn_processor<plain_attention>().with_default_attn_processor(), x).values,
        expected));
}

TEST_F(LinkedImage, IsAModelToTheReadersAndWriters) {
    const model<> in_place(device, io::linked_image<model<>>(image).weights());
    const io_testing::temporary_folder folder;
    const auto again = folder.path / "again.apriori";
    ASSERT_TRUE(io::write_packed_file(in_place, again).ok());
    const std::string bytes = io_testing::read_all(again);
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(bytes)), image));

    const auto x = model_testing::randomize(config, {.text_tokens = 6}, model_testing::mask_kind::holes, 1);
    const prior_prompt prompt{x.proj_embedding, x.encoder_hidden_states, x.attention_mask};
    const auto prefix = packed->prefix({&prompt, 1});
    ASSERT_TRUE(prefix.ok());
    const float timesteps[] = {5};
    const auto cache = packed->kv_cache(*prefix, timesteps);
    ASSERT_TRUE(cache.ok());
    const auto stored = folder.path / "cache.safetensors";
    ASSERT_TRUE(io::write_kv_cache(in_place, **cache, stored).ok()); // with the same weights
    EXPECT_TRUE(io::read_kv_cache(in_place, stored).ok());
}

TEST_F(LinkedImage, RefusesEveryCutAndEveryChangedByteOfTheHeader) {
    for (std::size_t i = 0; i < io::packed_header::payload_at; ++i) {
        EXPECT_NE(refusal(image.first(i)), "") << "cut at " << i;
        for (const int flip : {0x01, 0x80}) {
            image[i] ^= std::byte(flip);
            EXPECT_NE(refusal(image), "") << "byte " << i;
            image[i] ^= std::byte(flip);
        }
    }
    EXPECT_EQ(refusal(image), "");
    EXPECT_NE(refusal(image.first(image.size() - 1)).find("its length is not"), std::string::npos);
    EXPECT_NE(refusal({}).find("it is not a packed file"), std::string::npos);
}

TEST_F(LinkedImage, SaysWhyItIsNotForThisModel) {
    EXPECT_NE(refusal<model<other_config>>(image).find("another configuration"), std::string::npos);
    EXPECT_NE((refusal<model<config, bf16>>(image).find("another format")), std::string::npos);
    if constexpr (cpu_device::blocking<default_arch>::panel != cpu_device::blocking<scalar_arch>::panel) {
        EXPECT_NE((refusal<model<config, f32, scalar_arch>>(image).find("another instruction set")), std::string::npos);
    }
    std::memmove(memory.data() + 1, memory.data(), image.size());
    EXPECT_NE(refusal(memory.span().subspan(1)).find("not aligned"), std::string::npos);
}

TEST_F(LinkedImage, VerifyFindsADamagedPayload) {
    image[image.size() - 100] ^= std::byte{1};
    const io::linked_image<model<>> linked(image);
    EXPECT_TRUE(linked.state().ok()) << "the header alone is read";
    EXPECT_NE(std::string(linked.verify().what).find("its payload is damaged"), std::string::npos);
}

} // namespace
