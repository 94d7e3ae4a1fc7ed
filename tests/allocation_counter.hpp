// SPDX-License-Identifier: Apache-2.0
// Counts a program's allocations, from the heap (operator new in all its forms, malloc and its relatives) and from the
// system (mmap), and the bytes of the heap that it holds. Include it in one translation unit of a program: it replaces
// these functions. Sanitizers replace malloc themselves, and report each allocation through a hook.
#pragma once

#include "sanitizers.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#ifdef APRIORI_TEST_ASAN
#include <sanitizer/allocator_interface.h>
#else
#include <cerrno>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/// Allocations of all threads since the last reset.
inline std::atomic<long> allocations{0};
/// Bytes of the heap that are held, and the largest value of `held` since most_held was last set.
inline std::atomic<long> held{0}, most_held{0};

inline void take(std::size_t bytes) noexcept {
    ++allocations;
    const long now = held += static_cast<long>(bytes);
    for (long most = most_held; most < now && !most_held.compare_exchange_weak(most, now);) {}
}
inline void give(std::size_t bytes) noexcept { held -= static_cast<long>(bytes); }

#ifdef APRIORI_TEST_ASAN

inline const bool allocation_hook = [] {
    return __sanitizer_install_malloc_and_free_hooks(
               [](const volatile void*, std::size_t n) { take(n); },
               [](const volatile void* p) { give(__sanitizer_get_allocated_size(p)); }) != 0;
}();

#else

// the allocator's own functions, since the names below are replaced
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}
inline void* taken(void* p) noexcept {
    take(malloc_usable_size(p));
    return p;
}
inline void given(void* p) noexcept {
    give(malloc_usable_size(p));
    __libc_free(p);
}

extern "C" {
void* malloc(std::size_t n) noexcept { return taken(__libc_malloc(n)); }
void* calloc(std::size_t count, std::size_t n) noexcept { return taken(__libc_calloc(count, n)); }
void* realloc(void* p, std::size_t n) noexcept {
    give(malloc_usable_size(p));
    return taken(__libc_realloc(p, n));
}
void* aligned_alloc(std::size_t alignment, std::size_t n) noexcept { return taken(__libc_memalign(alignment, n)); }
void* memalign(std::size_t alignment, std::size_t n) noexcept { return taken(__libc_memalign(alignment, n)); }
int posix_memalign(void** p, std::size_t alignment, std::size_t n) noexcept {
    *p = taken(__libc_memalign(alignment, n));
    return *p == nullptr ? ENOMEM : 0;
}
void free(void* p) noexcept { given(p); }
void* mmap(void* at, std::size_t n, int protection, int flags, int file, off_t offset) noexcept {
    ++allocations;
    return reinterpret_cast<void*>(syscall(SYS_mmap, at, n, protection, flags, file, offset));
}
}

// the array and nothrow forms call these
void* operator new(std::size_t n) {
    if (void* p = taken(__libc_malloc(n == 0 ? 1 : n))) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t n, std::align_val_t alignment) {
    if (void* p = taken(__libc_memalign(static_cast<std::size_t>(alignment), n == 0 ? 1 : n))) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { given(p); }
void operator delete(void* p, std::size_t) noexcept { given(p); }
void operator delete(void* p, std::align_val_t) noexcept { given(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { given(p); }

#endif
