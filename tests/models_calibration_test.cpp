// SPDX-License-Identifier: Apache-2.0
// Models calibrated for four bits: closer to the exact model than with rounding to nearest, and packed without further
// rounding.
#include "apriori/device/calibrating.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/calibration.hpp"
#include "model_testing.hpp"

#include <cmath>
#include <string>

using namespace apriori;
using namespace model_testing;

namespace {

// Heads of 16: the factor of the scores, 1/4, is folded into to_q. The widths are not multiples of a group of 32.
constexpr PriorConfig folded{
    .num_attention_heads = 5, .attention_head_dim = 16, .num_layers = 2, .embedding_dim = 24, .num_embeddings = 6};
// Heads of 12: attention applies the factor.
constexpr PriorConfig plain{
    .num_attention_heads = 4, .attention_head_dim = 12, .num_layers = 2, .embedding_dim = 40, .num_embeddings = 6};

template <PriorConfig Config>
calibration_inputs inputs_of(index_t rows, unsigned seed) {
    const prior_inputs x = randomize(Config, {.rows = int(rows), .text_tokens = 6}, mask_kind::holes, seed);
    calibration_inputs in;
    in.text_tokens = 6;
    for (index_t r = 0; r < rows; ++r)
        in.add({part(std::as_const(x.proj_embedding), r * Config.embedding_dim, Config.embedding_dim),
                part(std::as_const(x.encoder_hidden_states), r * 6 * Config.embedding_dim, 6 * Config.embedding_dim),
                part(std::as_const(x.attention_mask), r * 6, 6)},
               part(std::as_const(x.hidden_states), r * Config.embedding_dim, Config.embedding_dim),
               at(x.timestep, x.timestep.size() == 1 ? 0 : r));
    return in;
}

template <PriorConfig Config, class Format>
std::vector<float> answers(const auto& source, const prior_inputs& x) {
    using model_type = PriorTransformer<Config, cpu<>, Format>;
    const limits l{.rows = x.rows};
    cpu<> device;
    const auto model = model_type::load(device, source);
    EXPECT_TRUE(model.ok());
    const device_inputs<model_type> in(device, x);
    const host_buffer memory(model_type::workspace_bytes(l));
    std::vector<float> out(to_size(x.rows * Config.embedding_dim));
    EXPECT_TRUE(model->forward(*in, out, memory.span(), l).state.ok());
    return out;
}
double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
    return sum;
}

template <PriorConfig Config>
void check() {
    using model_type = PriorTransformer<Config, cpu<>>;
    cpu<> device;
    const tensor_list tensors(Config);
    const io::synthetic_source source(tensors.infos());
    const auto model = model_type::load(device, source);
    ASSERT_TRUE(model) << model.error().message;
    std::string slots;
    index_t all = 0;
    const auto rounded =
        calibrate<calibrating<cpu<>>>(*model, source, inputs_of<Config>(80, 1),
                                      {.on_matrix = [&](index_t done, index_t count, std::string_view slot) {
                                          EXPECT_LT(done, count);
                                          all = count;
                                          slots += std::string(slot) + " ";
                                          return true;
                                      }});
    ASSERT_TRUE(rounded) << rounded.error().message;
    EXPECT_EQ(all, 6 + 4 * Config.num_layers) << slots; // each matrix once
    EXPECT_EQ(std::count(slots.begin(), slots.end(), ' '), all) << slots;

    // matrices are rounded, and everything else is unchanged
    for (std::size_t i = 0; i < source.size(); ++i) {
        const tensor_info t = rounded->info(i);
        std::vector<float> before(to_size(t.size())), after(before.size()), part_of(before.size() / 2);
        ASSERT_TRUE(source.read(i, 0, before));
        ASSERT_TRUE(rounded->read(i, 0, after));
        EXPECT_EQ(before == after, !(t.rank == 2 && t.name.ends_with(".weight"))) << t.name;
        ASSERT_TRUE(rounded->read(i, 1, part_of));
        EXPECT_TRUE(std::equal(part_of.begin(), part_of.end(), after.begin() + 1)) << t.name;
    }
    // other inputs than those for calibration
    const prior_inputs x = randomize(Config, {.rows = 40, .text_tokens = 6}, mask_kind::holes, 99);
    const auto exact = answers<Config, f32>(source, x), as_rounded = answers<Config, f32>(*rounded, x),
               packed = answers<Config, w4>(*rounded, x), nearest = answers<Config, w4>(source, x);
    EXPECT_LT(squared_error(exact, packed), 0.85 * squared_error(exact, nearest));
    // packing stores the weights exactly; the remaining errors are those of rounding activations to 21 bits, and of
    // sums
    double most = 0;
    for (std::size_t i = 0; i < packed.size(); ++i)
        most = std::fmax(most, std::fabs(double(packed[i]) - double(as_rounded[i])));
    EXPECT_LT(most, 1e-4);
    EXPECT_GT(squared_error(exact, packed), 100 * squared_error(as_rounded, packed));
}

} // namespace

TEST(models_calibration, with_a_folded_factor) { check<folded>(); }
TEST(models_calibration, without_one) { check<plain>(); }

TEST(models_calibration, says_what_is_wrong) {
    using model_type = PriorTransformer<plain, cpu<>>;
    cpu<> device;
    const tensor_list tensors(plain);
    const io::synthetic_source source(tensors.infos());
    const auto model = model_type::load(device, source);
    ASSERT_TRUE(model);
    const auto message = [&](const calibration_inputs& in, calibration_options options = {}) {
        const auto r = calibrate<calibrating<cpu<>>>(*model, source, in, std::move(options));
        return r ? std::string() : r.error().message;
    };
    EXPECT_NE(message({}).find("one at least"), std::string::npos);
    calibration_inputs in = inputs_of<plain>(4, 1);
    EXPECT_EQ(message(in, {.on_matrix = [](index_t done, index_t, std::string_view) { return done < 3; }}),
              "the calibration was stopped");
    in.latents[5] = INFINITY;
    EXPECT_NE(message(in).find("are not finite numbers"), std::string::npos) << message(in);
    in = inputs_of<plain>(4, 1);
    in.text_embeds.resize(10);
    EXPECT_NE(message(in).find("not those of 4 forwards"), std::string::npos);
}
