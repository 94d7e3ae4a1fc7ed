// SPDX-License-Identifier: Apache-2.0
// Packing some tensors of loaded weights again: the bytes and the hash are those of loading everything from the new
// source.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/eigen/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "io_testing.hpp"
#include "model_testing.hpp"

#include <algorithm>
#include <cstring>
#include <set>

using namespace apriori;

namespace {

// Not a multiple of any panel: to_q, to_k and to_v share panels.
constexpr PriorConfig config{
    .num_attention_heads = 3, .attention_head_dim = 4, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 6};

/// A source with other numbers in some tensors.
struct changed_source {
    const io::synthetic_source& source;
    std::set<std::string> changed;
    std::size_t refused = ~std::size_t{0}; ///< reading this tensor fails

    std::size_t size() const { return source.size(); }
    tensor_info info(std::size_t i) const { return source.info(i); }
    status read(std::size_t i, std::int64_t first, std::span<float> to) const {
        if (i == refused) return status::invalid("refused");
        const status s = source.read(i, first, to);
        if (changed.contains(std::string(info(i).name)))
            for (float& x : to) x = 0.25f - 2 * x;
        return s;
    }
};

template <class Weights>
std::string bytes_of(const Weights& w) {
    return {reinterpret_cast<const char*>(w.packed_bytes().data()), w.packed_bytes().size()};
}

template <class Device, class Format>
void check_every_tensor() {
    using weights = typename PriorTransformer<config, Device, Format>::weights;
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    Device device;
    const auto plain = weights::load(device, source);
    ASSERT_TRUE(plain.ok());
    std::set<std::uint64_t> hashes{(*plain)->hash()};
    for (const tensor_info& t : tensors.infos()) {
        SCOPED_TRACE(std::string(Device::name) + " " + Format::name + " " + std::string(t.name));
        const std::vector<std::string> names{std::string(t.name)};
        const changed_source other{source, {names[0]}};
        const auto fresh = weights::load(device, other);
        ASSERT_TRUE(fresh.ok());
        const auto repacked = (*plain)->repack(device, other, names);
        ASSERT_TRUE(repacked.ok()) << repacked.error().message;
        EXPECT_EQ((*repacked)->hash(), (*fresh)->hash());
        EXPECT_TRUE(hashes.insert((*fresh)->hash()).second); // each tensor changes the hash
        EXPECT_TRUE(bytes_of(**repacked) == bytes_of(**fresh));
        EXPECT_FALSE(bytes_of(**repacked) == bytes_of(**plain));
        const auto back = (*repacked)->repack(device, source, names);
        ASSERT_TRUE(back.ok());
        EXPECT_EQ((*back)->hash(), (*plain)->hash());
        EXPECT_TRUE(bytes_of(**back) == bytes_of(**plain));
    }
}

TEST(Repack, GivesWhatLoadingGives) {
    check_every_tensor<cpu<>, f32>();
    check_every_tensor<cpu<>, f16>();
    check_every_tensor<cpu<>, w8>();
    check_every_tensor<cpu<>, w8a8>();
    check_every_tensor<cpu<>, w4>();
    check_every_tensor<eigen, f32>();
}

TEST(Repack, TakesSeveralTensorsAndNone) {
    using weights = PriorTransformer<config, cpu<>>::weights;
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    const std::vector<std::string> names{"transformer_blocks.1.ff.net.2.weight", "clip_std", "proj_in.bias",
                                         "clip_std"};
    const changed_source other{source, {names.begin(), names.end()}};
    cpu<> device;
    const auto plain = weights::load(device, source), fresh = weights::load(device, other);
    ASSERT_TRUE(plain.ok() && fresh.ok());
    const auto repacked = (*plain)->repack(device, other, names);
    ASSERT_TRUE(repacked.ok());
    EXPECT_TRUE(bytes_of(**repacked) == bytes_of(**fresh));
    EXPECT_EQ((*repacked)->hash(), (*fresh)->hash());
    const auto same = (*plain)->repack(device, other, {});
    ASSERT_TRUE(same.ok());
    EXPECT_TRUE(bytes_of(**same) == bytes_of(**plain));
    EXPECT_EQ((*same)->hash(), (*plain)->hash());
}

TEST(Repack, SaysWhatItCannotDo) {
    using weights = PriorTransformer<config, cpu<>>::weights;
    const tensor_list tensors(config);
    const io::synthetic_source source(tensors.infos());
    cpu<> device;
    const auto plain = weights::load(device, source);
    ASSERT_TRUE(plain.ok());
    const std::vector<std::string> some{"proj_in.bias"}, unknown{"proj_in.bias", "proj_out.bias"};
    EXPECT_FAILS((*plain)->repack(device, source, unknown), errc::not_found, "1 unknown tensor: proj_out.bias");
    const auto parts = std::span(tensors.infos()).subspan(1);
    EXPECT_FAILS((*plain)->repack(device, io::synthetic_source(parts), some), errc::not_found, "1 missing tensor");
    const auto attached = weights::attach((*plain)->packed_bytes().data(), *plain, (*plain)->hash());
    EXPECT_FAILS(attached->repack(device, source, some), errc::unsupported, "load them from their source");
    const std::string before = bytes_of(**plain);
    const changed_source failing{source, {"proj_in.bias"}, 0};
    EXPECT_FAILS((*plain)->repack(device, failing, std::vector{std::string(tensors.infos()[0].name)}),
                 errc::invalid_argument, std::string(tensors.infos()[0].name), "refused");
    EXPECT_TRUE(bytes_of(**plain) == before);
}

} // namespace
