// SPDX-License-Identifier: Apache-2.0
// Writing: safetensors files that read back unchanged, and files that appear complete or not at all.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "io_testing.hpp"

#include <limits>
#include <string>
#include <vector>

namespace {

using namespace apriori::io;
using apriori::errc;
using io_testing::temporary_folder;
using io_testing::values;

TEST(SafetensorsWriter, WhatIsWrittenIsRead) {
    const temporary_folder folder;
    const std::vector<float> a{1, -2.5F, 3e-40F, std::numeric_limits<float>::infinity(), 5, 6};
    const std::vector<float> b{7};
    safetensors_writer writer;
    ASSERT_TRUE(writer.add("image_embeds", {2, 3}, a).ok());
    ASSERT_TRUE(writer.add("a \"quoted\" näme", {}, b).ok());
    ASSERT_TRUE(writer.add("empty", {0, 4}, {}).ok());
    ASSERT_TRUE(writer.add("empty too", {4, 5, 0}, {}).ok());
    ASSERT_TRUE(writer.metadata("prompt", "a \"seven\"\n").ok());
    const auto path = folder.path / "out.safetensors";
    ASSERT_TRUE(writer.write(path).ok());
    const auto source = safetensors_source::open(path);
    ASSERT_TRUE(source.ok()) << source.error().message;
    EXPECT_EQ(source->size(), 4U);
    EXPECT_EQ(values(*source, "image_embeds"), a);
    EXPECT_EQ(values(*source, "a \"quoted\" näme"), b);
    EXPECT_EQ(source->info(source->find("image_embeds").value()).dims[1], 3);
    EXPECT_EQ(source->info(source->find("empty too").value()).dims[1], 5);
    EXPECT_EQ(source->metadata().at(0).second, "a \"seven\"\n");
    const std::string bytes = io_testing::read_all(path);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    EXPECT_EQ(length % 8, 0U);
    EXPECT_EQ(folder.files(), 1U);
}

TEST(SafetensorsWriter, RefusesWhatNoReaderTakes) {
    const std::vector<float> x{1, 2};
    safetensors_writer writer;
    ASSERT_TRUE(writer.add("x", {2}, x).ok());
    EXPECT_FAILS(writer.add("x", {2}, x), errc::invalid_argument, "'x' was added before");
    EXPECT_FAILS(writer.add("", {2}, x), errc::invalid_argument, "is empty");
    EXPECT_FAILS(writer.add("__metadata__", {2}, x), errc::invalid_argument, "is reserved");
    EXPECT_FAILS(writer.add("\xFF", {2}, x), errc::invalid_argument, "not UTF-8");
    EXPECT_FAILS(writer.add("y", {3}, x), errc::shape_mismatch, "'y' of shape [3] was given 2 values");
    EXPECT_FAILS(writer.add("y", {-1, -2}, x), errc::shape_mismatch, "[-1, -2]");
    EXPECT_FAILS(writer.add("y", {std::numeric_limits<std::ptrdiff_t>::max(), 4}, x), errc::shape_mismatch, "'y'");
    EXPECT_FAILS(writer.add("y", {std::numeric_limits<std::ptrdiff_t>::max(), 4, 0}, {}), errc::shape_mismatch, "'y'");
    EXPECT_FAILS(writer.add("y", {1, 1, 1, 1, 1, 1, 1, 1, 2}, x), errc::invalid_argument, "9 dimensions");
    EXPECT_FAILS(writer.metadata("prompt", "\xC0\x80"), errc::invalid_argument, "'prompt'", "not UTF-8");
}

TEST(SafetensorsWriter, LeavesNothingBehindWhenItFails) {
    const temporary_folder folder;
    safetensors_writer writer;
    EXPECT_FAILS(writer.write(folder.path / "missing" / "out.safetensors"), errc::not_found,
                 "missing/out.safetensors: cannot write");
    std::filesystem::create_directory(folder.path / "taken");
    EXPECT_FAILS(writer.write(folder.path / "taken"), errc::io_error, "not a regular file");
    EXPECT_FAILS(writer.write("/dev/null"), errc::io_error, "/dev/null: cannot write: is not a regular file");
    EXPECT_FAILS(writer.write(folder.path / ""), errc::io_error, "cannot write");
    {
        auto file = atomic_file::create(folder.path / "half.png");
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE(file->write("half of it").ok());
        EXPECT_LE(folder.files(), 2U); // one fewer where the unfinished file has no name yet
        EXPECT_FALSE(std::filesystem::exists(folder.path / "half.png"));
    }
    EXPECT_EQ(folder.files(), 1U); // the old file
}

TEST(AtomicFile, ReplacesAFileAndKeepsItOnFailure) {
    const temporary_folder folder;
    const auto path = folder.write("out.txt", "old");
    {
        auto file = atomic_file::create(path);
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE(file->write("new").ok());
        EXPECT_EQ(io_testing::read_all(path), "old");
        auto moved = std::move(*file);
        ASSERT_TRUE(moved.commit().ok());
        EXPECT_FALSE(moved.commit().ok());
        EXPECT_FALSE(moved.write("more").ok());
    }
    EXPECT_EQ(io_testing::read_all(path), "new");
    ASSERT_TRUE(write_file(path, "newer").ok());
    EXPECT_EQ(io_testing::read_all(path), "newer");
    EXPECT_EQ(folder.files(), 1U);
}

} // namespace
