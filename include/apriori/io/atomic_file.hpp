// SPDX-License-Identifier: Apache-2.0
// Writes a file that appears whole or not at all. Where the system can, the file has no name while it is written, so
// that nothing is left if the process is killed; elsewhere it has a temporary name. Then it is renamed.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/mapped_file.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace apriori::io {

/// A file that is being written. Until commit() succeeds, its path is unchanged; without it the temporary file is
/// removed when this object is destroyed. Move-only.
class atomic_file {
public:
    /// Starts a file for `path`. An error if the folder does not exist or is not writable, or if something other
    /// than a regular file is at `path`.
    static result<atomic_file> create(const std::filesystem::path& path) {
        struct ::stat info{};
        if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
            return failure{errc::io_error, cat(path.string(), ": cannot write: is not a regular file")};
        if (!path.has_filename()) return failure{errc::io_error, cat(path.string(), ": cannot write: names no file")};
        atomic_file file;
        file.path_ = path;
#if defined(O_TMPFILE)
        if (::access("/proc/self/fd", F_OK) == 0) // needed to name the file later
            file.fd_ = ::open(file.folder().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (file.fd_ >= 0) return file; // else there is no O_TMPFILE, or another error, which is found again below
#endif
        for (int attempt = 0; attempt < most_attempts; ++attempt) {
            file.temporary_ = file.new_name();
            file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (file.fd_ >= 0) return file;
            if (errno != EEXIST) return system_failure(path, "cannot write", errno);
        }
        return system_failure(path, "cannot write", EEXIST);
    }

    atomic_file(atomic_file&& o) noexcept
        : path_(std::move(o.path_)), temporary_(std::move(o.temporary_)), fd_(std::exchange(o.fd_, -1)) {}
    atomic_file& operator=(atomic_file&& o) noexcept {
        std::swap(path_, o.path_);
        std::swap(temporary_, o.temporary_);
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~atomic_file() { discard(); }

    /// Appends `bytes`. After a failure the file is removed and every later call fails.
    result<void> write(std::span<const std::byte> bytes) {
        if (fd_ < 0) return system_failure(path_, "cannot write", EBADF);
        while (!bytes.empty()) {
            const auto n = ::write(fd_, bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail();
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }
    result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

    /// Makes the content durable and gives the file its name, replacing an earlier file.
    result<void> commit() {
        if (fd_ < 0) return system_failure(path_, "cannot write", EBADF);
        if (::fsync(fd_) != 0 || !give_name()) return fail();
        if (::close(std::exchange(fd_, -1)) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
            const int error = errno;
            ::unlink(temporary_.c_str());
            return system_failure(path_, "cannot write", error);
        }
        // The new name should outlive a crash, too; ignored where a folder cannot be synchronised.
        if (const int fd = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) {
            ::fsync(fd);
            ::close(fd);
        }
        return {};
    }

private:
    static constexpr int most_attempts = 100; ///< another process may have left a file of a name

    atomic_file() = default;

    std::filesystem::path folder() const {
        return path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    }
    std::filesystem::path new_name() const {
        static std::atomic<unsigned> counter{0};
        return folder() / cat(".apriori-", ::getpid(), "-", counter++, ".tmp");
    }
    /// Links the file to its own name if that does not exist; rename() then changes nothing, and no other name is ever
    /// visible. If another file has that name, links it to a temporary one.
    bool give_name() {
        const std::string open_file = cat("/proc/self/fd/", fd_);
        auto name = path_;
        for (int attempt = 0; temporary_.empty() && attempt < most_attempts; ++attempt, name = new_name()) {
            if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
                temporary_ = name;
            else if (errno != EEXIST)
                return false;
        }
        return !temporary_.empty();
    }

    failure fail() {
        const int error = errno;
        discard();
        return system_failure(path_, "cannot write", error);
    }
    void discard() noexcept {
        if (fd_ < 0) return;
        ::close(std::exchange(fd_, -1));
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
    }

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    int fd_ = -1;
};

/// Writes `text` to `path`, whole or not at all.
inline result<void> write_file(const std::filesystem::path& path, std::string_view text) {
    auto file = atomic_file::create(path);
    if (!file.ok()) return file.error();
    if (auto written = file->write(text); !written.ok()) return written;
    return file->commit();
}

} // namespace apriori::io
