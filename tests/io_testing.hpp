// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of io/: a folder that removes itself, files, and handwritten safetensors images.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/core/warning.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <unistd.h>

namespace io_testing {

inline const std::filesystem::path data = APRIORI_TEST_DATA;

/// A new empty folder, removed with its contents at the end.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "apriori-io-XXXXXX").string();
        path = ::mkdtemp(name.data()) != nullptr ? name : throw std::runtime_error("mkdtemp failed");
    }
    ~temporary_folder() {
        std::error_code error;
        std::filesystem::remove_all(path, error);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    std::filesystem::path write(const std::string& name, std::string_view content) const {
        std::ofstream(path / name, std::ios::binary) << content;
        return path / name;
    }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
    }

    std::filesystem::path path;
};

inline std::string read_all(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// All values of the tensor `name`, as floats; empty if there is none.
inline std::vector<float> values(const auto& source, std::string_view name) {
    const auto i = source.find(name);
    if (!i) return {};
    std::vector<float> out(static_cast<std::size_t>(source.info(*i).size()));
    EXPECT_TRUE(source.read(*i, 0, out).ok());
    return out;
}

inline std::span<const std::byte> bytes_of(std::string_view s) {
    return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

/// A safetensors image: the length of `header`, `header`, `body`.
inline std::string image(std::string_view header, std::string_view body = {}) {
    const std::uint64_t length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out.append(header).append(body);
}

template <class T>
std::string raw(std::initializer_list<T> values) {
    return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

/// Captures the warnings from its construction on, instead of printing them on stderr.
class captured_warnings {
public:
    captured_warnings() : before_(apriori::on_warning([](std::string_view text) { texts().emplace_back(text); })) {
        texts().clear();
    }
    ~captured_warnings() { apriori::on_warning(before_); }
    captured_warnings(const captured_warnings&) = delete;
    captured_warnings& operator=(const captured_warnings&) = delete;

    static std::vector<std::string>& texts() {
        static std::vector<std::string> all;
        return all;
    }

private:
    apriori::warning_handler before_;
};

/// The message is one line of printable text, and not too long.
inline void expect_one_line(const std::string& message) {
    EXPECT_FALSE(message.empty());
    EXPECT_LT(message.size(), 4000U);
    for (const char c : message) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << message;
}

/// The failure in `outcome`, if any.
template <class T>
std::optional<apriori::failure> failure_of(const apriori::result<T>& outcome) {
    if (outcome.ok()) return std::nullopt;
    return outcome.error();
}

inline void expect_failure(const std::optional<apriori::failure>& got, apriori::errc code,
                           std::initializer_list<std::string> parts) {
    ASSERT_TRUE(got.has_value()) << "succeeded";
    EXPECT_EQ(static_cast<int>(got->code), static_cast<int>(code)) << got->message;
    expect_one_line(got->message);
    for (const auto& part : parts)
        EXPECT_NE(got->message.find(part), std::string::npos) << got->message << "\nlacks " << part;
}

/// The expression fails with this errc, and its one-line message contains each of the further arguments.
#define EXPECT_FAILS(expression, code, ...)                                                                            \
    do {                                                                                                               \
        SCOPED_TRACE(#expression);                                                                                     \
        io_testing::expect_failure(io_testing::failure_of(expression), code, {__VA_ARGS__});                           \
    } while (false)

} // namespace io_testing
