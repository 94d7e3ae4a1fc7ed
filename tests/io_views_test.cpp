// SPDX-License-Identifier: Apache-2.0
// Arrays in files as tensors and views: the shape and the type are checked, and a view shows the file's own memory.
#include "apriori/expr/axes.hpp"
#include "apriori/io/npy.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/tensor/make.hpp"
#include "io_testing.hpp"

#include <string>
#include <vector>

namespace {

using namespace apriori;
using namespace apriori::io;
using io_testing::bytes_of;
using io_testing::raw;
using io_testing::temporary_folder;

TEST(NpyTensor, IsWrittenAndReadInAnyShapeAndLayout) {
    const temporary_folder folder;
    const auto path = folder.path / "x.npy";
    const auto numbers = arange(24.0f);
    const auto box = reshape_view(numbers.view(), extents<2, dyn, 4>(3));

    ASSERT_TRUE(write_npy(path, box).ok());
    const auto same = read_npy<float, extents<2, dyn, 4>>(path);
    ASSERT_TRUE(same.ok()) << same.error().message;
    EXPECT_TRUE(*same == box);
    ASSERT_TRUE(write_npy(path, transpose<0, 2>(box)).ok());
    EXPECT_TRUE((*read_npy<float, extents<4, 3, 2>>(path) == transpose<0, 2>(box)));
    ASSERT_TRUE(write_npy(path, slice_view<1, 2>(box, 1, 2)).ok());
    EXPECT_EQ(read_npy(path)->shape, (std::vector<index_t>{2, 2, 4}));
    EXPECT_TRUE((*read_npy<float, extents<dyn, dyn, dyn>>(path) == slice_view<1, 2>(box, 1, 2)));

    ASSERT_TRUE(write_npy(path, numbers).ok());
    EXPECT_NE(io_testing::read_all(path).find("'shape': (24,), }"), std::string::npos);
    EXPECT_TRUE((*read_npy<float, extents<24>>(path) == numbers));
    tensor<float, extents<>> scalar;
    scalar() = 2.5f;
    ASSERT_TRUE(write_npy(path, scalar).ok());
    EXPECT_NE(io_testing::read_all(path).find("'shape': (), }"), std::string::npos);
    EXPECT_EQ((*read_npy<float, extents<>>(path))(), 2.5f);
    ASSERT_TRUE(write_npy(path, tensor<float, extents<dyn, 3>>(extents<dyn, 3>(0))).ok());
    EXPECT_EQ((read_npy<float, extents<dyn, 3>>(path))->ext()[0], 0);

    const auto large = normal(extents<200, 200>{}, 1); // more than is written at once
    ASSERT_TRUE(write_npy(path, transpose<0, 1>(large.view())).ok());
    const auto mapped = map_npy<float, extents<200, 200>>(path);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_TRUE(mapped->view() == (transpose<0, 1>(large.view())));
}

TEST(NpyTensor, HasElementsOfOtherTypes) {
    const temporary_folder folder;
    const auto path = folder.path / "x.npy";
    const auto there_and_back = [&]<class T>(T) {
        const tensor<T, extents<2, 2>> x({1, 2, 3, 200});
        ASSERT_TRUE(write_npy(path, x).ok());
        EXPECT_TRUE((*read_npy<T, extents<2, 2>>(path) == x));
        const auto mapped = map_npy<T, extents<dyn, 2>>(path);
        ASSERT_TRUE(mapped.ok()) << mapped.error().message;
        EXPECT_TRUE(mapped->view() == x.view());
    };
    there_and_back(double{});
    there_and_back(std::int32_t{});
    there_and_back(std::int64_t{});
    there_and_back(std::uint8_t{});
    EXPECT_FAILS((read_npy<float, extents<2, 2>>(path)), errc::unsupported,
                 "x.npy: descr '|u1' is not supported; allowed: '<f4' and '<f2'");
    EXPECT_FAILS((map_npy<double, extents<2, 2>>(path)), errc::unsupported, "allowed: '<f8'");
}

TEST(NpyTensor, RefusesWhatDoesNotFit) {
    const temporary_folder folder;
    const auto path = folder.path / "x.npy";
    ASSERT_TRUE(write_npy(path, arange(6.0f)).ok());
    EXPECT_FAILS((read_npy<float, extents<dyn, 3>>(path)), errc::shape_mismatch,
                 "x.npy: has shape [6]; allowed: [any, 3]");
    EXPECT_FAILS((map_npy<float, extents<5>>(path)), errc::shape_mismatch, "x.npy: has shape [6]; allowed: [5]");
    EXPECT_FAILS((map_npy<float, extents<5>>(folder.path / "y.npy")), errc::not_found, "y.npy: cannot open");
    EXPECT_FAILS((map_npy<float, extents<5>>(folder.write("page.npy", "<html>"))), errc::bad_format, "is a web page");
    EXPECT_FAILS((read_npy<float, extents<5>>(folder.write("page.npy", "<html>"))), errc::bad_format, "is a web page");
    const view<const float, extents<dyn>> negative(nullptr, extents<dyn>(-1)), none(nullptr, extents<dyn>(2));
    EXPECT_FAILS(write_npy(path, negative), errc::shape_mismatch, "x.npy: the view has a negative extent");
    EXPECT_FAILS(write_npy(path, none), errc::invalid_argument, "x.npy: the view has no memory");
    EXPECT_EQ(read_npy(path)->values.size(), 6U); // the old file is unchanged
}

TEST(NpyView, LooksAtTheBytesThemselves) {
    const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    alignas(16) char buffer[128] = {};
    for (std::size_t padding = 0; padding < 4; ++padding) {
        std::string image("\x93NUMPY\x01\x00", 8);
        const std::string head = dictionary + std::string(padding, ' ') + "\n";
        image += char(head.size());
        image += '\0';
        image += head;
        const std::size_t offset = image.size();
        image += raw<float>({1, 2});
        std::copy(image.begin(), image.end(), buffer);
        const auto x = view_npy<float, extents<2, 1>>(bytes_of({buffer, image.size()}), "x.npy");
        if (offset % 4 == 0) {
            ASSERT_TRUE(x.ok()) << x.error().message;
            EXPECT_EQ(reinterpret_cast<const char*>(x->data), buffer + offset);
            EXPECT_EQ((*x)(1, 0), 2);
        } else {
            EXPECT_FAILS(x, errc::unsupported, "x.npy: its data do not begin at a multiple of 4 bytes");
        }
    }
    const std::string half = "\x93NUMPY\x01" + std::string(1, '\0') + "\x39" + std::string(1, '\0') +
                             "{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}   " +
                             raw<std::uint16_t>({0x3C00});
    EXPECT_FAILS((view_npy<float, extents<1>>(bytes_of(half), "x.npy")), errc::unsupported, "allowed: '<f4'");
}

TEST(MappedArray, StaysWhereItIsWhenItIsMoved) {
    const temporary_folder folder;
    const auto path = folder.path / "x.npy";
    ASSERT_TRUE(write_npy(path, arange(6.0f)).ok());
    auto first = map_npy<float, extents<dyn>>(path);
    ASSERT_TRUE(first.ok());
    const auto x = first->view();
    const auto moved = std::move(*first);
    EXPECT_EQ(moved.data(), x.data);
    EXPECT_EQ(moved.ext()[0], 6);
    EXPECT_EQ(x(5), 5);
}

TEST(SafetensorsViews, AreTheFilesOwnMemory) {
    const temporary_folder folder;
    const auto path = folder.path / "x.safetensors";
    const auto a = arange(6.0f), b = arange(4.0f);
    safetensors_writer writer;
    ASSERT_TRUE(writer.add("a", {2, 3}, a.flat()).ok());
    ASSERT_TRUE(writer.add("b", {4}, b.flat()).ok());
    ASSERT_TRUE(writer.write(path).ok());
    const auto file = safetensors_source::open(path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto x = file->view_as<float, extents<dyn, 3>>("a");
    ASSERT_TRUE(x.ok()) << x.error().message;
    EXPECT_TRUE(*x == reshape_view(a.view(), extents<dyn, 3>(2)));
    EXPECT_EQ(static_cast<const void*>(x->data), static_cast<const void*>(file->bytes(*file->find("a")).data()));
    EXPECT_FAILS((file->view_as<float, extents<3>>("b")), errc::shape_mismatch,
                 "tensor 'b': has shape [4]; allowed: [3]");
    EXPECT_FAILS((file->view_as<float, extents<4>>("c")), errc::not_found, "tensor 'c': is not in the file");
    EXPECT_FAILS((file->view_as<double, extents<4>>("b")), errc::unsupported,
                 "tensor 'b': is stored as F32; allowed: F64");
}

TEST(SafetensorsViews, AreOfAlignedData) {
    const std::string header =
        R"({"mask":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"x":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})";
    const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
    const std::string image = io_testing::image(padded, std::string("\x07\x09", 2) + raw<float>({4}));
    std::vector<std::max_align_t> aligned(image.size() / sizeof(std::max_align_t) + 1);
    std::memcpy(aligned.data(), image.data(), image.size());
    const auto file = safetensors_view::parse(std::as_bytes(std::span(aligned)).first(image.size()), "x");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ((*file->view_as<std::uint8_t, extents<2>>("mask"))(1), 9);
    EXPECT_FAILS((file->view_as<float, extents<1>>("x")), errc::unsupported,
                 "tensor 'x': its data do not begin at a multiple of 4 bytes");
}

} // namespace
