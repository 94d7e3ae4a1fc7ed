// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program (LD_PRELOAD), it makes files fail, as on a disk with bad sectors. A file whose path ends in
// FAIL_IO_FILE cannot be read from byte FAIL_IO_AT on: read returns EIO, and a mapped page raises SIGBUS. With
// FAIL_IO_CALL=write or fsync that call fails with EIO instead: a write that goes past byte FAIL_IO_AT of its file, or
// any fsync.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

/// The C library's function.
template <class F>
F* next(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}
off_t failing_from() { return std::atol(variable("FAIL_IO_AT").data()); }

/// Whether this is the file that cannot be read.
bool fails_to_read(int fd) {
    const std::string_view name = variable("FAIL_IO_FILE");
    if (name.empty()) return false;
    char link[32], path[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = ::readlink(link, path, sizeof path);
    return length > 0 && std::string_view(path, static_cast<std::size_t>(length)).ends_with(name);
}

ssize_t io_error() {
    errno = EIO;
    return -1;
}

/// Replaces the pages of a mapping from byte `from` on by pages past the end of an empty file.
void* cut_short(void* data, std::size_t size, std::size_t from, decltype(::mmap)* map) {
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), whole = from / page * page;
    const int empty = ::memfd_create("empty", MFD_CLOEXEC);
    if (data == MAP_FAILED || whole >= size || empty < 0) return data;
    map(static_cast<char*>(data) + whole, size - whole, PROT_READ, MAP_PRIVATE | MAP_FIXED, empty, 0);
    ::close(empty);
    return data;
}

} // namespace

extern "C" {

ssize_t read(int fd, void* to, std::size_t size) {
    const auto read = next<decltype(::read)>("read");
    if (!fails_to_read(fd)) return read(fd, to, size);
    const off_t left = failing_from() - ::lseek(fd, 0, SEEK_CUR);
    if (left <= 0) return io_error();
    return read(fd, to, static_cast<std::size_t>(left) < size ? static_cast<std::size_t>(left) : size);
}
void* mmap(void* at, std::size_t size, int protection, int flags, int fd, off_t offset) noexcept {
    const auto map = next<decltype(::mmap)>("mmap");
    void* data = map(at, size, protection, flags, fd, offset);
    return fd >= 0 && fails_to_read(fd) ? cut_short(data, size, static_cast<std::size_t>(failing_from()), map) : data;
}
ssize_t write(int fd, const void* from, std::size_t size) {
    struct ::stat file{};
    if (variable("FAIL_IO_CALL") == "write" && ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
        ::lseek(fd, 0, SEEK_CUR) + static_cast<off_t>(size) > failing_from())
        return io_error();
    return next<decltype(::write)>("write")(fd, from, size);
}
int fsync(int fd) {
    if (variable("FAIL_IO_CALL") == "fsync") return static_cast<int>(io_error());
    return next<decltype(::fsync)>("fsync")(fd);
}

} // extern "C"
