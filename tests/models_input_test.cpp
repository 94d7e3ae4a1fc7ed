// SPDX-License-Identifier: Apache-2.0
// Inputs that forward refuses, without writing anything.
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "model_testing.hpp"

using namespace apriori;
using namespace model_testing;

namespace {

constexpr PriorConfig small{
    .num_attention_heads = 2, .attention_head_dim = 4, .num_layers = 1, .embedding_dim = 6, .num_embeddings = 5};
using model_type = PriorTransformer<small, cpu<>>;
using input = model_type::input;
using flat = extents<dyn>;
using mask_extents = extents<dyn, dyn>;

class models_input : public testing::Test {
protected:
    void SetUp() override {
        const tensor_list tensors(small);
        auto loaded = model_type::load(device, io::synthetic_source(tensors.infos()));
        ASSERT_TRUE(loaded);
        model.emplace(*std::move(loaded));
        values = randomize(small, {.rows = 2, .text_tokens = 5}, mask_kind::prefix, 3);
        good = *device_inputs<model_type>(device, values);
        good.hidden_states.data = values.hidden_states.data();
        good.timestep = {values.timestep.data(), flat(static_cast<index_t>(values.timestep.size()))};
        good.proj_embedding.data = values.proj_embedding.data();
        good.encoder_hidden_states.data = values.encoder_hidden_states.data();
        good.attention_mask = {values.attention_mask.data(), mask_extents(2, 5)};
    }

    /// The status of forward, with `spare` bytes more than it needs as workspace. After an error nothing has been
    /// written.
    status run(const input& in, limits l = {.rows = 2}, std::ptrdiff_t spare = 0) {
        const auto bytes = static_cast<std::ptrdiff_t>(model_type::workspace_bytes(l)) + spare;
        host_buffer memory(static_cast<std::size_t>(bytes));
        std::memset(memory.data(), 0x5a, memory.size());
        std::vector<float> out(64, poison);
        const status s = model->forward(in, out, memory.span(), l).state;
        const bool written =
            out != std::vector<float>(64, poison) || !std::all_of(memory.data(), memory.data() + memory.size(),
                                                                  [](std::byte b) { return b == std::byte{0x5a}; });
        EXPECT_EQ(written, s.ok());
        return s;
    }
    void expect(const input& in, errc code, std::string_view what, limits l = {.rows = 2}) {
        const status s = run(in, l);
        EXPECT_EQ(s.code, code) << s.what;
        EXPECT_NE(std::string_view(s.what).find(what), std::string_view::npos) << s.what;
    }

    static constexpr float poison = -123.25f;
    cpu<> device;
    std::optional<model_type> model;
    prior_inputs values;
    input good;
};

TEST_F(models_input, right) { EXPECT_TRUE(run(good).ok()); }

TEST_F(models_input, hidden_states) {
    input in = good;
    in.hidden_states = {};
    expect(in, errc::shape_mismatch, "hidden_states: at least one row");
    in.hidden_states = {values.hidden_states.data(), 0, 1};
    expect(in, errc::shape_mismatch, "hidden_states: at least one row");
    in.hidden_states = {values.hidden_states.data(), 2, 0};
    expect(in, errc::shape_mismatch, "hidden_states: at least one row");
    in.hidden_states = {nullptr, 2, 1};
    expect(in, errc::shape_mismatch, "hidden_states: at least one row");
    in.hidden_states = {values.hidden_states.data(), 2, 2};
    expect(in, errc::shape_mismatch, "limits.hidden_tokens");
    expect(in, errc::shape_mismatch, "num_embeddings + additional_embeddings", {.rows = 2, .hidden_tokens = 2});
}

TEST_F(models_input, proj_embedding) {
    input in = good;
    in.proj_embedding = {};
    expect(in, errc::shape_mismatch, "proj_embedding: as many rows");
    in.proj_embedding = {values.proj_embedding.data(), 1, 1};
    expect(in, errc::shape_mismatch, "proj_embedding: as many rows");
    in.proj_embedding = {values.proj_embedding.data(), 2, 0};
    expect(in, errc::shape_mismatch, "proj_embedding: as many rows");
    in.proj_embedding = {values.proj_embedding.data(), 2, 2};
    expect(in, errc::shape_mismatch, "limits.proj_tokens");
    expect(in, errc::shape_mismatch, "num_embeddings + additional_embeddings", {.rows = 2, .proj_tokens = 2});
}

TEST_F(models_input, timestep) {
    input in = good;
    in.timestep = {nullptr, flat(1)};
    expect(in, errc::shape_mismatch, "timestep: one for all rows or one for each");
    for (const index_t count : {0, 3}) {
        in.timestep = {values.hidden_states.data(), flat(count)};
        expect(in, errc::shape_mismatch, "timestep: one for all rows or one for each");
    }
}

TEST(models_input_one_pass, needs_no_timestep_and_the_whole_sequence) {
    PriorTransformerInput<canonical(
        PriorConfig{.embedding_dim = 6, .num_embeddings = 5, .additional_embeddings = 3, .time_embedding = false})>
        in;
    const limits l{.rows = 1, .hidden_tokens = 8, .proj_tokens = 2, .text_tokens = 5};
    const std::vector<float> some(8 * 6);
    in.hidden_states = {some.data(), 1, 1};
    in.proj_embedding = {some.data(), 1, 1};
    in.encoder_hidden_states = {some.data(), 1, 5};
    EXPECT_TRUE(in.check(l).ok());
    EXPECT_EQ(in.tokens(), 8);
    EXPECT_EQ(in.first_hidden(), 6);
    in.timestep = {nullptr, flat(3)};
    EXPECT_TRUE(in.check(l).ok());
    in.proj_embedding = {some.data(), 1, 2};
    EXPECT_STREQ(
        in.check(l).what,
        "the sequence [text, proj, hidden states, prd] must have num_embeddings + additional_embeddings tokens");
    in.proj_embedding = {some.data(), 1, 1};
    // diffusers pads the positions of such a sequence; ECLIPSE's class does so wrongly
    in.hidden_states = {some.data(), 1, 8};
    EXPECT_EQ(in.check(l).code, errc::shape_mismatch);
}

TEST_F(models_input, encoder_hidden_states) {
    input in = good;
    in.encoder_hidden_states = {};
    expect(in, errc::invalid_argument, "encoder_hidden_states are needed");
    in.encoder_hidden_states = {nullptr, 2, 5};
    expect(in, errc::invalid_argument, "encoder_hidden_states are needed");
    in.encoder_hidden_states = {values.encoder_hidden_states.data(), 1, 5};
    expect(in, errc::shape_mismatch, "encoder_hidden_states: as many rows");
    in.encoder_hidden_states = {values.encoder_hidden_states.data(), 2, 6};
    expect(in, errc::shape_mismatch, "limits.text_tokens");
    in.encoder_hidden_states = {values.encoder_hidden_states.data(), 2, 4};
    expect(in, errc::shape_mismatch, "num_embeddings + additional_embeddings");
}

TEST_F(models_input, attention_mask) {
    input in = good;
    in.attention_mask = {values.attention_mask.data(), mask_extents(1, 5)};
    expect(in, errc::shape_mismatch, "attention_mask: must be [rows, num_embeddings]");
    in.attention_mask = {values.attention_mask.data(), mask_extents(2, 4)};
    expect(in, errc::shape_mismatch, "attention_mask: must be [rows, num_embeddings]");

    // hidden_states as long as the table of positions: the sequence is longer than a mask may be
    const std::vector<float> states(2 * 9 * 6);
    in = good;
    in.hidden_states = {states.data(), 2, 9};
    expect(in, errc::shape_mismatch, "attention_mask: the sequence must have", {.rows = 2, .hidden_tokens = 9});
    in.attention_mask = {nullptr, mask_extents(0, 0)};
    EXPECT_TRUE(run(in, {.rows = 2, .hidden_tokens = 9}).ok());
}

TEST_F(models_input, text_without_memory_is_refused_where_it_is_optional) {
    PriorTransformerInput<canonical(PriorConfig{.num_attention_heads = 1,
                                                .attention_head_dim = 4,
                                                .num_embeddings = 8,
                                                .encoder_hid_proj_type = hid_proj_type::none})>
        in;
    const limits l{.rows = 1, .hidden_tokens = 1, .proj_tokens = 9, .text_tokens = 8};
    const std::vector<float> some(10 * 768);
    in.hidden_states = {some.data(), 1, 1};
    in.proj_embedding = {some.data(), 1, 1};
    in.timestep = {some.data(), flat(1)};
    in.encoder_hidden_states = {some.data(), 1, 8};
    EXPECT_TRUE(in.check(l).ok());
    in.encoder_hidden_states = {nullptr, 1, 8};
    EXPECT_STREQ(in.check(l).what, "encoder_hidden_states: tokens without memory");
    // a sequence of the right length, but with -1 tokens of text
    in.encoder_hidden_states = {some.data(), 1, -1};
    in.proj_embedding = {some.data(), 1, 10};
    EXPECT_STREQ(in.check({.rows = 1, .hidden_tokens = 1, .proj_tokens = 10}).what,
                 "encoder_hidden_states: tokens without memory");
    in.encoder_hidden_states = {};
    in.proj_embedding = {some.data(), 1, 9};
    EXPECT_TRUE(in.check(l).ok());
}

TEST_F(models_input, workspace) {
    const limits l{.rows = 2};
    for (const std::ptrdiff_t missing :
         {std::ptrdiff_t{1}, static_cast<std::ptrdiff_t>(model_type::workspace_bytes(l))}) {
        const status s = run(good, l, -missing);
        EXPECT_EQ(s.code, errc::workspace_too_small);
        EXPECT_EQ(s.limit - s.got, missing);
        EXPECT_EQ(s.limit, static_cast<std::int64_t>(model_type::workspace_bytes(l)));
    }
    EXPECT_TRUE(run(good, l, 1).ok());
}

TEST_F(models_input, output_without_room) {
    const auto floats = to_size(good.rows() * good.output_tokens() * model_type::clip);
    std::vector<float> out(floats, poison);
    host_buffer memory(model_type::workspace_bytes({.rows = 2}));
    for (const std::span<float> to : {std::span<float>(), std::span(out).first(floats - 1)}) {
        const status s = model->forward(good, to, memory.span(), {.rows = 2}).state;
        EXPECT_EQ(s.code, errc::shape_mismatch);
        EXPECT_EQ(s.got, std::ssize(to));
        EXPECT_EQ(s.limit, static_cast<std::int64_t>(floats));
    }
    EXPECT_EQ(out, std::vector<float>(floats, poison));
    EXPECT_TRUE(model->forward(good, out, memory.span(), {.rows = 2}).state.ok());
}

TEST_F(models_input, workspace_that_is_not_aligned) {
    std::vector<float> out(64, poison);
    host_buffer memory(model_type::workspace_bytes({.rows = 2}) + buffer_alignment);
    const status s = model->forward(good, out, memory.span().subspan(4), {.rows = 2}).state;
    EXPECT_EQ(s.code, errc::invalid_argument);
    EXPECT_EQ(out, std::vector<float>(64, poison));
}

TEST_F(models_input, limits_below_one_are_one) {
    EXPECT_TRUE(run(good, {.rows = 0, .hidden_tokens = -1, .proj_tokens = -7, .text_tokens = -1}).ok());
    EXPECT_TRUE(run(good, {.rows = -3}).ok());
}

/// A NaN timestep affects only its row.
TEST_F(models_input, nan_timestep) {
    prior_inputs x = values;
    x.timestep = {std::numeric_limits<float>::quiet_NaN(), 5.0f};
    const outcome y = forward(*model, x);
    ASSERT_TRUE(y.state.ok());
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_TRUE(std::isnan(y.values[i]));
        EXPECT_TRUE(std::isfinite(y.values[6 + i]));
    }
}

/// Weights of another model are refused.
TEST_F(models_input, weights_of_another_model) {
    PriorConfig other = small;
    other.embedding_dim = 7;
    const tensor_list tensors(other);
    const auto loaded = model_type::load(device, io::synthetic_source(tensors.infos()));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, errc::shape_mismatch);
    EXPECT_NE(loaded.error().message.find("proj_in.weight is [8, 7], must be [8, 6]"), std::string::npos)
        << loaded.error().message;

    auto fewer = tensor_list(small).infos();
    const tensor_list all(small);
    fewer.assign(all.infos().begin() + 1, all.infos().end());
    const auto incomplete = model_type::load(device, io::synthetic_source(fewer));
    ASSERT_FALSE(incomplete);
    EXPECT_EQ(incomplete.error().code, errc::not_found);
    EXPECT_NE(incomplete.error().message.find(all.infos()[0].name), std::string::npos) << incomplete.error().message;
}

} // namespace
