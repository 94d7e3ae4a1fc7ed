// SPDX-License-Identifier: Apache-2.0
// Packing for another machine gives the bytes that the machine itself would pack, whatever machine packs them.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/packing_arch.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/packed_prior.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <algorithm>

#include <gtest/gtest.h>

using namespace apriori;

namespace {

/// Widths that are not multiples of a panel, nor of a group of a narrow format.
constexpr PriorConfig config{.num_attention_heads = 3,
                             .attention_head_dim = 20,
                             .num_layers = 2,
                             .embedding_dim = 44,
                             .num_embeddings = 5,
                             .norm_in_type = norm_type::layer};

/// Compares the weights that a machine of Arch packs with those that are packed for it.
template <class Arch, class Format>
void packs_the_same() {
    SCOPED_TRACE(Format::name);
    using there = PriorTransformer<config, cpu<Arch>, Format>::weights;
    using here = packed_prior<cpu<packing_arch<lanes<cpu_device::value_t<Arch>>::count>>, Format>;
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    cpu<Arch> machine;
    cpu<packing_arch<lanes<cpu_device::value_t<Arch>>::count>> packer;
    const auto expected = there::load(machine, source);
    const auto packed = here::load(packer, config, source);
    ASSERT_TRUE(expected.ok() && packed.ok());
    EXPECT_EQ(here::packed::layout_name(), there::packed::layout_name());
    EXPECT_EQ(packed->hash(), (*expected)->hash());
    EXPECT_TRUE(std::ranges::equal(packed->packed_bytes(), (*expected)->packed_bytes()));
}
template <class Arch>
void packs_the_same_in_every_format() {
    packs_the_same<Arch, f32>();
    packs_the_same<Arch, f16>();
    packs_the_same<Arch, bf16>();
    packs_the_same<Arch, bf16a16>();
    packs_the_same<Arch, w8>();
    packs_the_same<Arch, w8a8>();
    packs_the_same<Arch, w4>();
    packs_the_same<Arch, w4a8>();
}
TEST(Packing, ForThisMachine) { packs_the_same_in_every_format<default_arch>(); }
TEST(Packing, ForPlainFloats) { packs_the_same_in_every_format<scalar_arch>(); }
TEST(Packing, ForTheCompilersVectors) { packs_the_same_in_every_format<vector_arch<4>>(); }
#if defined(__SSE2__)
TEST(Packing, ForAnOlderMachine) { packs_the_same_in_every_format<xsimd::sse2>(); }
#endif

TEST(Packing, SaysWhatIsWrongWithASource) {
    PriorConfig wider = config;
    wider.embedding_dim = 45;
    const tensor_list tensors(config);
    cpu<packing_arch<4>> packer;
    const auto packed = packed_prior<decltype(packer), f32>::load(packer, wider, io::synthetic_source(tensors.infos()));
    ASSERT_FALSE(packed.ok());
    EXPECT_NE(packed.error().message.find("proj_in.weight"), std::string::npos) << packed.error().message;
}

} // namespace
