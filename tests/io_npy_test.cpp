// SPDX-License-Identifier: Apache-2.0
// .npy files: numpy's own bytes are read and written; anything else is refused with a clear line.
#include "apriori/io/npy.hpp"
#include "io_testing.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace apriori::io;
using apriori::errc;
using io_testing::bytes_of;
using io_testing::raw;
using io_testing::temporary_folder;

auto parse(std::string_view bytes) { return parse_npy(bytes_of(bytes), "x.npy"); }

/// A .npy image with `dictionary` as its header.
std::string npy(const std::string& dictionary, const std::string& data, char version = 1) {
    std::string out = "\x93NUMPY";
    out += version;
    out += '\0';
    out += static_cast<char>(dictionary.size() & 0xFFU);
    out += static_cast<char>(dictionary.size() >> 8);
    if (version > 1) out += std::string(2, '\0');
    return out + dictionary + data;
}

TEST(Npy, ReadsWhatNumpyWrites) {
    // np.save(f, np.array([[1, -2.5, 3]], np.float32))
    const std::string saved =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }" + std::string(58, ' ') + "\n",
            raw<float>({1, -2.5F, 3}));
    ASSERT_EQ(saved.size(), 140U);
    const auto array = parse(saved);
    ASSERT_TRUE(array.ok()) << array.error().message;
    EXPECT_EQ(array->shape, (std::vector<apriori::index_t>{1, 3}));
    EXPECT_EQ(array->values, (std::vector<float>{1, -2.5F, 3}));
}

TEST(Npy, ReadsFloat16AnyRankAndVersionTwo) {
    const auto half = parse(
        npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }\n", raw<std::uint16_t>({0x3C00, 0x8001}), 2));
    ASSERT_TRUE(half.ok()) << half.error().message;
    EXPECT_EQ(half->values, (std::vector<float>{1.0F, -0x1p-24F}));
    const auto scalar = parse(npy("{\"shape\":(),\"fortran_order\":False,\"descr\":\"<f4\"}", raw<float>({4})));
    ASSERT_TRUE(scalar.ok()) << scalar.error().message;
    EXPECT_TRUE(scalar->shape.empty());
    EXPECT_EQ(scalar->values, std::vector<float>{4});
    const auto empty = parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }\n", ""));
    ASSERT_TRUE(empty.ok()) << empty.error().message;
    EXPECT_TRUE(empty->values.empty());
}

TEST(Npy, RefusesWhatItIsNotToldToRead) {
    const auto with = [](const std::string& descr, const std::string& order, const std::string& shape) {
        return parse(npy("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n",
                         raw<float>({1, 2, 3, 4})));
    };
    EXPECT_TRUE(with("'<f4'", "False", "(2, 2)").ok());
    EXPECT_FAILS(with("'>f4'", "False", "(2, 2)"), errc::unsupported,
                 "x.npy: descr '>f4' is not supported; allowed: '<f4' and '<f2'");
    EXPECT_FAILS(with("'<f8'", "False", "(2,)"), errc::unsupported, "'<f8'");
    EXPECT_FAILS(with("'\x1b[2J'", "False", "(2,)"), errc::unsupported, "\\x1b[2J");
    EXPECT_FAILS(with("[('a', '<f4')]", "False", "(2, 2)"), errc::bad_format, "descr is not text");
    EXPECT_FAILS(with("'<f4'", "True", "(2, 2)"), errc::unsupported, "Fortran order");
    EXPECT_FAILS(with("'<f4'", "0", "(2, 2)"), errc::bad_format, "fortran_order is not True or False");
    for (const char* shape :
         {"(-2, -2)", "(2.0, 2)", "(4)", "4", "(2 2)", "(99999999999999999999,)", "[2, 2]", "(2, 2"})
        EXPECT_FAILS(with("'<f4'", "False", shape), errc::bad_format, "shape is not a tuple of integers from 0");
    EXPECT_FAILS(with("'<f4'", "False", "(4611686018427387904, 4)"), errc::bad_format, "more elements than memory");
    EXPECT_FAILS(with("'<f4'", "False", "(0, 4611686018427387904, 4)"), errc::bad_format, "more elements than memory");
    EXPECT_FAILS(with("'<f2'", "False", "(0, 3000777007777777777)"), errc::bad_format, "more elements than memory");
    EXPECT_FAILS(with("'<f4'", "False", "(5,)"), errc::bad_format, "needs 20 bytes of data, but 16 follow");
    EXPECT_FAILS(with("'<f4'", "False", "(3,)"), errc::bad_format, "needs 12 bytes of data, but 16 follow");
    EXPECT_FAILS(parse(npy("{'descr': '<f4', 'shape': (0,), }", "")), errc::bad_format, "lacks");
    EXPECT_FAILS(parse(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", "")),
                 errc::bad_format, "one twice");
    EXPECT_FAILS(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0,), } import os", "")),
                 errc::bad_format, "something follows");
    EXPECT_FAILS(parse(npy("", "")), errc::bad_format, "does not begin with '{'");
    EXPECT_FAILS(parse(npy("{}", "", 3)), errc::unsupported, ".npy version 3.0 is not supported");
    EXPECT_FAILS(parse("PK\x03\x04 an archive"), errc::bad_format, "x.npy: is not a .npy file");
}

TEST(Npy, SurvivesEveryCutAndEveryChangedByte) {
    const std::string whole =
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", raw<float>({1, 2, 3, 4}));
    ASSERT_TRUE(parse(whole).ok());
    const auto expect_sound = [](const std::string& bytes) {
        const std::vector<char> exact(bytes.begin(), bytes.end());
        const auto array = parse({exact.data(), exact.size()});
        if (array.ok())
            EXPECT_LE(array->values.size(), 8U);
        else
            io_testing::expect_one_line(array.error().message);
    };
    for (std::size_t n = 0; n < whole.size(); ++n) {
        expect_sound(whole.substr(0, n));
        EXPECT_FALSE(parse(whole.substr(0, n)).ok()) << n;
    }
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int c = 0; c < 256; ++c) {
            std::string changed = whole;
            changed[at] = static_cast<char>(c);
            expect_sound(changed);
        }
}

TEST(Npy, WhatIsWrittenIsRead) {
    const temporary_folder folder;
    const auto path = folder.path / "x.npy";
    const std::vector<float> x{1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()};
    ASSERT_TRUE(write_npy(path, 2, 3, x).ok());
    const auto array = read_npy(path);
    ASSERT_TRUE(array.ok()) << array.error().message;
    EXPECT_EQ(array->shape, (std::vector<apriori::index_t>{2, 3}));
    EXPECT_EQ(array->values, x);
    const std::string bytes = io_testing::read_all(path);
    EXPECT_EQ(bytes.size(), 128U + 24U); // as np.save writes it: data at a multiple of 64
    EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    EXPECT_EQ(bytes[127], '\n');
    ASSERT_TRUE(write_npy(path, 0, 3, {}).ok());
    EXPECT_EQ(read_npy(path)->shape, (std::vector<apriori::index_t>{0, 3}));

    for (const auto& [rows, cols] :
         std::vector<std::pair<apriori::index_t, apriori::index_t>>{{2, 2}, {-2, -3}, {0, 3}, {6, 0}, {1LL << 62, 4}})
        EXPECT_FAILS(write_npy(folder.path / "y.npy", rows, cols, x), errc::shape_mismatch, "y.npy: 6 values are not");
    EXPECT_FAILS(write_npy(folder.path / "y.npy", 0, std::numeric_limits<apriori::index_t>::max(), {}),
                 errc::shape_mismatch, "y.npy: 0 values are not 0 rows of ");
    EXPECT_FAILS(write_npy(folder.path / "missing" / "y.npy", 2, 3, x), errc::not_found, "cannot write");
    EXPECT_FAILS(read_npy(folder.path / "y.npy"), errc::not_found, "y.npy: cannot open: No such file or directory");
    EXPECT_EQ(folder.files(), 1U);
}

} // namespace
