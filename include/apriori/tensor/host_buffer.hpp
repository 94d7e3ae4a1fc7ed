// SPDX-License-Identifier: Apache-2.0
// Host memory, aligned for any vector unit, and in large pages if the buffer is large.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include <stdlib.h> // defines _NEWLIB_VERSION
#if defined(_NEWLIB_VERSION)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace apriori {

/// Alignment of every buffer of the library, in bytes: a cache line, and the widest vector register.
inline constexpr std::size_t buffer_alignment = 64;

namespace detail {

#if defined(__linux__) && defined(MADV_HUGEPAGE)
/// The size of a large page on most machines. Weights that are read front to back at every step load a quarter faster
/// from such pages: prefetching does not stop every 4 KiB, and address translations stay cached.
inline constexpr std::size_t large_page = std::size_t{1} << 21;
#endif

#if defined(_NEWLIB_VERSION)
// The C++ library on newlib-nano has no exceptions: its operator new ends the program if memory runs out.
inline void* aligned_new(std::size_t bytes, std::size_t alignment) noexcept { return ::memalign(alignment, bytes); }
inline void aligned_delete(void* p, std::size_t) noexcept { ::free(p); }
#else
inline void* aligned_new(std::size_t bytes, std::size_t alignment) noexcept {
    return ::operator new(bytes, std::align_val_t{alignment}, std::nothrow);
}
inline void aligned_delete(void* p, std::size_t alignment) noexcept {
    ::operator delete(p, std::align_val_t{alignment});
}
#endif

struct aligned_deleter {
    std::size_t alignment = buffer_alignment;
    void operator()(std::byte* p) const noexcept { aligned_delete(p, alignment); }
};

} // namespace detail

/// Bytes on the host, aligned to buffer_alignment. empty() after a failed allocation, which includes any of more than
/// half of the address space.
class host_buffer {
public:
    host_buffer() = default;
    explicit host_buffer(std::size_t bytes) {
        if (bytes > std::size_t(-1) / 2) return; // aligning it would wrap to a small number
        std::size_t alignment = buffer_alignment;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
        if (bytes >= detail::large_page) alignment = detail::large_page;
#endif
        bytes_ = {static_cast<std::byte*>(detail::aligned_new(bytes == 0 ? 1 : bytes, alignment)), {alignment}};
        size_ = bytes_ ? bytes : 0;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
        // a hint: nothing is lost if the system ignores it
        if (alignment == detail::large_page && size_ > 0)
            (void)::madvise(bytes_.get(), size_ / detail::large_page * detail::large_page, MADV_HUGEPAGE);
#endif
    }

    std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return bytes_ == nullptr; }
    std::span<std::byte> span() const noexcept { return {bytes_.get(), size_}; }

private:
    std::unique_ptr<std::byte[], detail::aligned_deleter> bytes_;
    std::size_t size_ = 0;
};

} // namespace apriori
