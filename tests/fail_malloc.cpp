// SPDX-License-Identifier: Apache-2.0
// Preloaded into a program (LD_PRELOAD), it lets allocation number FAIL_MALLOC_AT fail. Allocations are counted from 0,
// from the program's first call of sigaction or signal on, which main makes before anything else. At the end the number
// of allocations is written to the file FAIL_MALLOC_COUNT.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<long> allocations{0};
long failing = -1;
bool counting = false;

bool fails() { return counting && allocations.fetch_add(1) == failing; }

/// The C library's function.
template <class F>
F* next(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

// dlsym may allocate before the C library's malloc is known.
alignas(16) char first[1 << 14];
std::size_t first_used = 0;
bool looking = false;

void* early(std::size_t size) {
    const std::size_t at = first_used;
    first_used += (size + 15) / 16 * 16;
    return first_used <= sizeof first ? first + at : nullptr;
}
bool is_early(const void* p) { return p >= first && p < first + sizeof first; }

struct functions {
    decltype(&::malloc) malloc;
    decltype(&::calloc) calloc;
    decltype(&::realloc) realloc;
    decltype(&::free) free;
    decltype(&::aligned_alloc) aligned_alloc;
    decltype(&::posix_memalign) posix_memalign;
} of_c{};

bool found() {
    if (of_c.posix_memalign != nullptr) return true;
    if (looking) return false;
    looking = true;
    of_c.malloc = next<decltype(::malloc)>("malloc");
    of_c.calloc = next<decltype(::calloc)>("calloc");
    of_c.realloc = next<decltype(::realloc)>("realloc");
    of_c.free = next<decltype(::free)>("free");
    of_c.aligned_alloc = next<decltype(::aligned_alloc)>("aligned_alloc");
    of_c.posix_memalign = next<decltype(::posix_memalign)>("posix_memalign");
    looking = false;
    return true;
}

__attribute__((constructor)) void begin() {
    if (const char* at = std::getenv("FAIL_MALLOC_AT")) failing = std::atol(at);
}
__attribute__((destructor)) void end() {
    counting = false;
    const char* name = std::getenv("FAIL_MALLOC_COUNT");
    if (name == nullptr) return;
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%ld", allocations.load());
    const int fd = ::open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || ::write(fd, text, static_cast<std::size_t>(length)) != length) ::_exit(99);
    ::close(fd);
}

} // namespace

extern "C" {

int sigaction(int signal, const struct sigaction* action, struct sigaction* old) {
    counting = true;
    return next<int(int, const struct sigaction*, struct sigaction*)>("sigaction")(signal, action, old);
}
sighandler_t signal(int number, sighandler_t handler) {
    counting = true;
    return next<sighandler_t(int, sighandler_t)>("signal")(number, handler);
}
void* malloc(std::size_t size) {
    if (!found()) return early(size);
    if (!fails()) return of_c.malloc(size);
    errno = ENOMEM;
    return nullptr;
}
void* calloc(std::size_t count, std::size_t size) {
    if (!found()) return early(count * size); // zero, like all statics
    if (!fails()) return of_c.calloc(count, size);
    errno = ENOMEM;
    return nullptr;
}
void* realloc(void* p, std::size_t size) {
    if (!found()) return nullptr;
    if (!fails()) return of_c.realloc(p, size);
    errno = ENOMEM;
    return nullptr;
}
void free(void* p) {
    if (!is_early(p) && found()) of_c.free(p);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    if (found() && !fails()) return of_c.aligned_alloc(alignment, size);
    errno = ENOMEM;
    return nullptr;
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
    if (found() && !fails()) return of_c.posix_memalign(p, alignment, size);
    return ENOMEM;
}

} // extern "C"
