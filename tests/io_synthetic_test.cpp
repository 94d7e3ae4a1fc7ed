// SPDX-License-Identifier: Apache-2.0
// Synthetic weights are those of tests/reference/synthetic.py, bit for bit.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "io_testing.hpp"

#include <array>
#include <bit>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using apriori::tensor_info;
using apriori::io::synthetic_source;

/// The sum over i of (i + 1) * bits of x[i], modulo 2^64. In Python, with b the uint32 view:
/// `(b * np.arange(1, b.size + 1, dtype=np.uint64)).sum(dtype=np.uint64)`
std::uint64_t weighted_sum(const std::vector<float>& x) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += (i + 1) * std::bit_cast<std::uint32_t>(x[i]);
    return sum;
}

std::vector<float> all_of(const auto& source, std::size_t i) {
    std::vector<float> out(static_cast<std::size_t>(source.info(i).size()));
    EXPECT_TRUE(source.read(i, 0, out).ok());
    return out;
}

struct expectation {
    tensor_info tensor;
    std::int64_t first;
    std::array<std::uint32_t, 6> bits;
};

// synthetic.tensor(name, shape).reshape(-1)[first : first + 6].view(np.uint32)
const std::vector<expectation> expected{
    {{"norm_out.weight", 1, {5000}},
     4990,
     {0x3f79487bU, 0x3f759ef0U, 0x3f6ce79bU, 0x3f6e11fbU, 0x3f87ac77U, 0x3f82d4a6U}},
    {{"transformer_blocks.3.norm1.bias", 1, {64}},
     0,
     {0x3cf1a957U, 0x3cb7ee83U, 0x3ce2bc83U, 0x3cb1488aU, 0x3c5974edU, 0xbd0b7af0U}},
    {{"clip_std", 2, {1, 3000}}, 1020, {0x3f95601bU, 0x3f9f4e0fU, 0x3f962e0bU, 0x3f7afcd2U, 0x3f62287cU, 0x3f5d85e0U}},
    {{"proj_in.weight", 2, {3, 7}}, 0, {0xbf1f3235U, 0x3c9547e6U, 0xbf241c3fU, 0xbf1865cdU, 0x3e54b74dU, 0x3ce57a54U}},
    {{"proj_in.bias", 1, {9}}, 0, {0x3c90f4aaU, 0xbd1f63afU, 0xbd04c060U, 0x3d3f286bU, 0xbcd89a03U, 0x3c9fbf60U}},
    {{"positional_embedding", 3, {1, 11, 5}},
     10,
     {0xbcc65cadU, 0x3cdb9527U, 0xbda0b79dU, 0x3dc4d310U, 0x3d02a5f0U, 0xbd418eb3U}},
    {{"clip_mean", 2, {1, 8}}, 0, {0xbeb8699eU, 0x3eedfd78U, 0x3df75580U, 0x3de5ad70U, 0x3ecfd0f6U, 0x3e9ce098U}},
    {{"prd_embedding", 3, {1, 1, 8}},
     0,
     {0x3cbc6407U, 0xbcd72ae0U, 0xbd641c13U, 0xbcce9007U, 0xbd8ae830U, 0xbd9efcd2U}}};

TEST(Synthetic, EveryRuleGivesTheNumbersOfTheReference) {
    for (const auto& e : expected) {
        const synthetic_source source(std::span(&e.tensor, 1));
        std::array<float, 6> got{};
        ASSERT_TRUE(source.read(0, e.first, got).ok()) << e.tensor.name;
        for (std::size_t i = 0; i < got.size(); ++i)
            EXPECT_EQ(std::bit_cast<std::uint32_t>(got[i]), e.bits[i]) << e.tensor.name << " at " << i;
    }
}

TEST(Synthetic, LongTensorsGiveTheNumbersOfTheReference) {
    const std::array table{tensor_info{"norm_out.weight", 1, {1000003}},
                           tensor_info{"transformer_blocks.0.ff.net.2.weight", 2, {1001, 999}}};
    const synthetic_source source(table);
    EXPECT_EQ(weighted_sum(all_of(source, 0)), 0xdef6f576862a26b7U);
    EXPECT_EQ(weighted_sum(all_of(source, 1)), 0xaf8de5edd944d9c1U);
}

TEST(Synthetic, PiecesAreTheWhole) {
    const std::array table{tensor_info{"norm_out.weight", 1, {5000}}};
    const synthetic_source source(table);
    const auto whole = all_of(source, 0);
    for (const std::size_t first : {0U, 1U, 1023U, 1024U, 1025U, 4999U, 5000U})
        for (const std::size_t length : {0U, 1U, 7U, 1024U, 2049U}) {
            if (first + length > whole.size()) continue;
            std::vector<float> piece(length);
            ASSERT_TRUE(source.read(0, static_cast<std::int64_t>(first), piece).ok());
            for (std::size_t i = 0; i < length; ++i) ASSERT_EQ(piece[i], whole[first + i]) << first << " + " << i;
        }
}

TEST(Synthetic, NormalIsTheReferencesNormal) {
    std::vector<float> x(8);
    apriori::io::synthetic_normal("tiny.x", x);
    constexpr std::array<std::uint32_t, 8> bits{0x3ded8370U, 0x3f70b7c5U, 0x3e459390U, 0xbf9ec978U,
                                                0xbfbff79eU, 0x3f5412b2U, 0xbf69d586U, 0x3f36d306U};
    for (std::size_t i = 0; i < bits.size(); ++i) EXPECT_EQ(std::bit_cast<std::uint32_t>(x[i]), bits[i]) << i;
    x.resize(100003);
    apriori::io::synthetic_normal("x.y", x);
    EXPECT_EQ(weighted_sum(x), 0x93e7a8cbbc1a930fU);
}

TEST(Synthetic, TheRecordedModelsHoldTheseWeights) {
    int models = 0;
    for (const auto& folder : std::filesystem::directory_iterator(io_testing::data / "cases")) {
        const auto path = folder.path() / "diffusion_pytorch_model.safetensors";
        if (!std::filesystem::exists(path)) continue;
        const auto recorded = apriori::io::safetensors_source::open(path);
        ASSERT_TRUE(recorded.ok()) << recorded.error().message;
        std::vector<tensor_info> table;
        for (std::size_t i = 0; i < recorded->size(); ++i) table.push_back(recorded->info(i));
        const synthetic_source source(table);
        for (std::size_t i = 0; i < table.size(); ++i)
            EXPECT_EQ(all_of(source, i), all_of(*recorded, i)) << path << " " << table[i].name;
        ++models;
    }
    EXPECT_GE(models, 10);
}

TEST(Synthetic, NamesAreOwned) {
    std::string name = "proj_in.bias";
    const synthetic_source source(std::vector{tensor_info{name, 1, {3}}});
    name.assign(name.size(), 'x');
    EXPECT_EQ(source.info(0).name, "proj_in.bias");
    EXPECT_EQ(source.info(0).size(), 3);
}

TEST(Synthetic, BadReadsAreErrors) {
    const std::array table{tensor_info{"proj_in.bias", 1, {3}}, tensor_info{"something_else", 1, {3}}};
    const synthetic_source source(table);
    std::vector<float> out(3);
    EXPECT_TRUE(source.read(0, 0, out).ok());
    EXPECT_FALSE(source.read(0, 1, out).ok());
    EXPECT_FALSE(source.read(0, -1, out).ok());
    EXPECT_FALSE(source.read(0, 4, {}).ok());
    EXPECT_FALSE(source.read(1, 0, out).ok());
    EXPECT_FALSE(source.read(2, 0, out).ok());
}

} // namespace
