// SPDX-License-Identifier: Apache-2.0
// Shared by the fuzzers: checks that end the program, and files and folders in memory. A target is one function,
// LLVMFuzzerTestOneInput; libFuzzer provides main.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzzing {

/// Ends the program unless `holds`, so that libFuzzer keeps the input.
inline void require(bool holds, std::string_view what) {
    if (holds) return;
    std::fprintf(stderr, "must hold, and does not: %.*s\n", int(what.size()), what.data());
    std::abort();
}

/// Checks the message of an error: it is one clean line and not too long.
inline int refused(const apriori::failure& why) {
    require(why.code != apriori::errc::ok, "an error has a code");
    require(!why.message.empty() && why.message.size() < 20'000, "a message is neither empty nor long: " + why.message);
    require(apriori::io::valid_utf8(why.message), "a message is UTF-8: " + why.message);
    require(!apriori::io::has_control(why.message), "a message has no control characters: " + why.message);
    return 0;
}
inline int refused(const apriori::status& why) { return refused(apriori::to_failure(why)); }

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// A file in memory, for readers that take paths.
class memory_file {
public:
    memory_file() : fd_(::memfd_create("input", MFD_CLOEXEC)) { require(fd_ >= 0, "memfd_create works"); }
    ~memory_file() { ::close(fd_); }
    memory_file(const memory_file&) = delete;
    memory_file& operator=(const memory_file&) = delete;

    std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }
    std::filesystem::path write(std::string_view bytes) const {
        require(::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, bytes.data(), bytes.size(), 0) == ::ssize_t(bytes.size()),
                "a file in memory can be written");
        return path();
    }

private:
    int fd_;
};

/// A folder in memory, if there is /dev/shm; removed at the end.
class memory_folder {
public:
    memory_folder() {
        const std::filesystem::path shm = "/dev/shm";
        std::error_code error;
        const auto parent = std::filesystem::is_directory(shm, error) ? shm : std::filesystem::temp_directory_path();
        std::string name = (parent / "apriori-fuzz-XXXXXX").string();
        require(::mkdtemp(name.data()) != nullptr, "a folder can be made");
        path = name;
    }
    ~memory_folder() {
        std::error_code error;
        std::filesystem::remove_all(path, error);
    }
    memory_folder(const memory_folder&) = delete;
    memory_folder& operator=(const memory_folder&) = delete;

    std::filesystem::path path;
};

/// Cuts off and returns the part of `rest` before the next `mark`, or all of it if there is none.
inline std::string_view take_part(std::string_view& rest, std::string_view mark) {
    const auto end = rest.find(mark);
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + mark.size());
    return part;
}

/// Whether two lists of numbers have the same bits, those of NaNs included.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

} // namespace fuzzing
