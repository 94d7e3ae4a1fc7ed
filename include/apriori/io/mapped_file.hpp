// SPDX-License-Identifier: Apache-2.0
// A file as read-only memory (POSIX mmap): weights are paged in as they are read, and never copied whole.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace apriori::io {

/// The error of a failed system call: "path: what: reason of the operating system".
inline failure system_failure(const std::filesystem::path& path, std::string_view what, int error) {
    return {error == ENOENT ? errc::not_found : errc::io_error,
            cat(path.string(), ": ", what, ": ", std::strerror(error))};
}

/// The bytes of a regular file. Move-only; the bytes keep their address when it is moved. If someone shortens the file
/// while it is mapped, access raises SIGBUS: replace files by renaming, as atomic_file does.
class mapped_file {
public:
    /// Maps a file. not_found or io_error, with the path and the reason.
    static result<mapped_file> open(const std::filesystem::path& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) return system_failure(path, "cannot open", errno);
        struct ::stat info{};
        if (::fstat(fd, &info) != 0) {
            const int error = errno;
            ::close(fd);
            return system_failure(path, "cannot read its size", error);
        }
        if (!S_ISREG(info.st_mode)) {
            ::close(fd);
            return failure{errc::io_error, cat(path.string(), S_ISDIR(info.st_mode) ? ": is a folder, not a file"
                                                                                    : ": is not a regular file")};
        }
        const auto size = static_cast<std::size_t>(info.st_size);
        mapped_file file;
        if (size != 0) { // mmap refuses a length of 0
            void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
            if (data == MAP_FAILED) {
                const int error = errno;
                ::close(fd);
                return system_failure(path, "cannot map", error);
            }
            file.data_ = static_cast<const std::byte*>(data);
            file.size_ = size;
        }
        ::close(fd);
        return file;
    }

    mapped_file() = default;
    mapped_file(mapped_file&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
    mapped_file& operator=(mapped_file&& o) noexcept {
        std::swap(data_, o.data_);
        std::swap(size_, o.size_);
        return *this;
    }
    ~mapped_file() {
        if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
    }

    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    /// Reads the pages of bytes first .. first + count and maps them, so that reading the bytes does not wait. Uses
    /// large pages if the file system has them. Returns false if the system cannot do this.
    bool map_pages(std::size_t first, std::size_t count) const noexcept {
#if defined(MADV_POPULATE_READ)
        auto* from = const_cast<std::byte*>(data_) + first;
        (void)::madvise(from, count, MADV_HUGEPAGE);
        return ::madvise(from, count, MADV_POPULATE_READ) == 0; // since Linux 5.14
#else
        return (void)first, (void)count, false;
#endif
    }
    /// Releases the pages that have been read; they are read again when needed.
    void forget_pages() const noexcept {
        if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
    }
    std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace apriori::io
