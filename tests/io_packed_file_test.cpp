// SPDX-License-Identifier: Apache-2.0
// Packed files: a mapped file has the bytes that were packed, and invalid files are refused.
#include "apriori/io/packed_file.hpp"

#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/packing_arch.hpp"
#include "io_testing.hpp"
#include "model_testing.hpp"

#include "apriori/io/synthetic_source.hpp"

#include <chrono>
#include <sstream>
#include <thread>

using namespace apriori;

namespace {

constexpr PriorConfig config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 6};
constexpr PriorConfig other_config{
    .num_attention_heads = 2, .attention_head_dim = 8, .num_layers = 2, .embedding_dim = 10, .num_embeddings = 7};

template <PriorConfig C = config, class Format = f32, class Arch = default_arch>
using model = PriorTransformer<C, cpu<Arch>, Format>;

class PackedImage : public testing::Test {
protected:
    void SetUp() override {
        image = folder.path / "model.apriori";
        const tensor_list tensors(config);
        const io::synthetic_source source(tensors.infos());
        auto loaded = model<>::load(device, source);
        ASSERT_TRUE(loaded.ok());
        packed.emplace(std::move(*loaded));
        const auto r = io::write_packed_file(*packed, image);
        ASSERT_TRUE(r.ok()) << r.error().message;
        bytes = io_testing::read_all(image);
    }

    std::filesystem::path with(const std::string& content) const { return folder.write("changed.apriori", content); }
    template <class Model = model<>>
    std::string refusal(const std::filesystem::path& path) {
        typename Model::device_type d;
        const auto opened = io::open_packed_file<Model>(d, path);
        return opened.ok() ? "" : opened.error().message;
    }

    cpu<> device;
    io_testing::temporary_folder folder;
    std::filesystem::path image;
    std::optional<model<>> packed;
    std::string bytes;
};

TEST_F(PackedImage, GivesTheSameBits) {
    const auto mapped = io::open_packed_file<model<>>(device, image);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_EQ(mapped->shared_weights()->hash(), packed->shared_weights()->hash());
    const auto x = model_testing::randomize(config, {.rows = 2, .text_tokens = 6}, model_testing::mask_kind::holes, 1);
    EXPECT_TRUE(
        model_testing::same_bits(model_testing::forward(*mapped, x).values, model_testing::forward(*packed, x).values));
    EXPECT_TRUE(io::verify_packed_file(image).ok());
}

TEST_F(PackedImage, IsTheSameFileEachTime) {
    const auto again = folder.path / "again.apriori";
    ASSERT_TRUE(io::write_packed_file(*packed, again).ok());
    EXPECT_EQ(bytes, io_testing::read_all(again));
}

TEST_F(PackedImage, RefusesEveryCutAndEveryChangedByteOfTheHeader) {
    const auto parse = [](const std::string& content) {
        return io::parse_packed_header(std::as_bytes(std::span(content)), content.size(), "image");
    };
    ASSERT_TRUE(parse(bytes).ok());
    for (std::size_t i = 0; i < io::packed_header::payload_at; ++i) {
        const auto cut = parse(bytes.substr(0, i));
        ASSERT_FALSE(cut.ok()) << "cut at " << i;
        EXPECT_EQ(cut.error().code, errc::bad_format);
        for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
            std::string changed = bytes;
            changed[i] = static_cast<char>(changed[i] ^ flip);
            const auto damaged = parse(changed);
            ASSERT_FALSE(damaged.ok()) << "byte " << i << ", " << flip;
            EXPECT_EQ(damaged.error().code, errc::bad_format);
        }
    }
}

TEST_F(PackedImage, RefusesNamesThatAreNoText) {
    const auto refused = [&](auto&& change) {
        io::packed_header h;
        std::memcpy(&h, bytes.data(), sizeof h);
        change(h);
        h.header_checksum = h.checksum();
        std::string changed = bytes;
        std::memcpy(changed.data(), &h, sizeof h);
        return refusal(with(changed)).find("its header is damaged") != std::string::npos;
    };
    EXPECT_FALSE(refused([](io::packed_header&) {}));
    EXPECT_TRUE(refused([](io::packed_header& h) { h.format[0] = '\x1b'; }));
    EXPECT_TRUE(refused([](io::packed_header& h) { h.format[15] = 'x'; })); // after the zeros
    EXPECT_TRUE(refused([](io::packed_header& h) { h.layout[1] = '\xff'; }));
    EXPECT_TRUE(refused([](io::packed_header& h) { h.layout.fill('x'); })); // without a terminating zero
}

TEST_F(PackedImage, RefusesFilesThatAreCutOrLonger) {
    for (const std::size_t length : {0u, 1u, 143u, 144u, 4095u, 4096u, 5000u})
        EXPECT_NE(refusal(with(bytes.substr(0, length))), "") << length;
    EXPECT_NE(refusal(with(bytes.substr(0, bytes.size() - 1))), "");
    EXPECT_NE(refusal(with(bytes + "x")), "");
    EXPECT_NE(refusal(folder.path / "absent").find("absent"), std::string::npos);
}

TEST_F(PackedImage, IsNotWrittenWhenStopped) {
    const auto path = folder.path / "stopped.apriori";
    const auto& weights = *packed->shared_weights();
    std::uint64_t seen = 0;
    const auto stopped = io::write_packed_file(io::packed_kind_of<model<>>(), weights.hash(), weights.packed_bytes(),
                                               path, [&](std::uint64_t done) {
                                                   seen = done;
                                                   return false;
                                               });
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().code, errc::cancelled);
    EXPECT_EQ(seen, weights.packed_bytes().size());
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(PackedImage, SaysWhyItIsNotForThisModel) {
    EXPECT_NE(refusal<model<other_config>>(image).find("another configuration"), std::string::npos);
    EXPECT_NE((refusal<model<config, bf16>>(image).find("holds f32 weights, not bf16")), std::string::npos);
    if constexpr (cpu_device::blocking<default_arch>::panel != cpu_device::blocking<scalar_arch>::panel) {
        EXPECT_NE((refusal<model<config, f32, scalar_arch>>(image).find(
                      "pack it again here, or elsewhere for --target scalar")),
                  std::string::npos);
    }
}

TEST(PackingTarget, IsThatOfEachLayout) {
    using io::packing_target;
    EXPECT_EQ((packing_target(cpu_device::packed<packing_arch<1>, f32>::layout_name())), "scalar");
    EXPECT_EQ((packing_target(cpu_device::packed<packing_arch<4>, f32>::layout_name())), "sse2, neon or wasm");
    EXPECT_EQ((packing_target(cpu_device::packed<packing_arch<8>, bf16>::layout_name())), "avx2");
    EXPECT_EQ((packing_target(cpu_device::packed<packing_arch<16>, w8a8>::layout_name())), "avx512");
    EXPECT_EQ(packing_target("another device"), "");
}

TEST_F(PackedImage, CanBeCopied) {
    using on_device = model<>;
    cpu<> device;
    const auto copied = io::copy_packed_file<on_device>(device, image),
               mapped = io::open_packed_file<on_device>(device, image);
    ASSERT_TRUE(copied.ok()) << copied.error().message;
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    const auto a = copied->weights_block().bytes(), b = mapped->weights_block().bytes();
    EXPECT_NE(a.data(), b.data());
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    EXPECT_EQ(copied->weights_block().hash, mapped->weights_block().hash);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % buffer_alignment, 0U);
    std::filesystem::resize_file(image, 5000); // a copy no longer needs the file
    EXPECT_EQ(a.back(), copied->weights_block().bytes().back());
    EXPECT_FALSE(io::copy_packed_file<on_device>(device, image).ok());
}

TEST_F(PackedImage, VerifyFindsADamagedPayload) {
    std::string changed = bytes;
    changed[changed.size() - 100] = static_cast<char>(changed[changed.size() - 100] ^ 1);
    const auto path = with(changed);
    EXPECT_EQ(refusal(path), "") << "opening reads the header alone";
    const auto verified = io::verify_packed_file(path);
    ASSERT_FALSE(verified.ok());
    EXPECT_NE(verified.error().message.find("payload is damaged"), std::string::npos);
}

#if defined(__linux__)
/// KiB of mapped file pages of this process.
long mapped_kib() {
    std::istringstream status(io_testing::read_all("/proc/self/status"));
    long kib = -1;
    for (std::string word; status >> word;)
        if (word == "RssFile:") status >> kib;
    return kib;
}

TEST(PageReader, MapsAFileThatNobodyReads) {
    const io_testing::temporary_folder folder;
    constexpr std::size_t mib = 48;
    auto opened = io::mapped_file::open(folder.write("file", std::string(mib << 20, 'x')));
    ASSERT_TRUE(opened.ok());
    const auto file = std::make_shared<const io::mapped_file>(std::move(*opened));
    if (!file->map_pages(0, 1)) GTEST_SKIP() << "this system does not map pages ahead (Linux does since 5.14)";
    const long before = mapped_kib();
    const io::page_reader reader(file);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (mapped_kib() < before + long(mib << 10) * 9 / 10 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_GE(mapped_kib(), before + long(mib << 10) * 9 / 10);
}

TEST(PageReader, CanGoAtOnce) {
    const io_testing::temporary_folder folder;
    auto opened = io::mapped_file::open(folder.write("file", std::string(std::size_t{40} << 20, 'x')));
    ASSERT_TRUE(opened.ok());
    const auto file = std::make_shared<const io::mapped_file>(std::move(*opened));
    for (int i = 0; i < 20; ++i) const io::page_reader reader(file);
}
#endif

} // namespace
