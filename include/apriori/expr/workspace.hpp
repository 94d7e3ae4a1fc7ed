// SPDX-License-Identifier: Apache-2.0
// A stack of temporaries in memory that the caller provides. Without memory it only counts, which makes workspace sizes
// constants.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace apriori {

/// The status for a span that is too small.
constexpr status workspace_too_small(std::size_t have, std::size_t need) {
    return {errc::workspace_too_small, "workspace: the span holds fewer bytes than needed", std::int64_t(have),
            std::int64_t(need)};
}

/// An error unless a caller's span has `need` bytes and is aligned to buffer_alignment.
inline status check_workspace(std::span<const std::byte> memory, std::size_t need) {
    if (memory.size() < need) return workspace_too_small(memory.size(), need);
    if (reinterpret_cast<std::uintptr_t>(memory.data()) % buffer_alignment != 0)
        return status::invalid("workspace: the span is not aligned to buffer_alignment");
    return {};
}

/// A stack of temporaries, each aligned to buffer_alignment.
class workspace {
public:
    /// Counts the bytes that would be used.
    constexpr workspace() = default;
    /// Hands out parts of `memory`, which is aligned to buffer_alignment.
    explicit workspace(std::span<std::byte> memory) : base_(memory.data()), size_(memory.size()), counting_(false) {}

    /// Memory for n elements of T; null when counting, and when there is no memory left (then overflowed()).
    template <class T>
    constexpr T* take(index_t n) {
        const std::size_t begin = used_;
        const std::size_t bytes = to_size(n) * sizeof(T);
        used_ += (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
        if (used_ > high_) high_ = used_;
        if (counting_ || used_ > size_) return nullptr;
        return reinterpret_cast<T*>(base_ + begin);
    }

    constexpr std::size_t mark() const noexcept { return used_; }
    constexpr void release(std::size_t mark) noexcept { used_ = mark; }
    /// The most bytes that were in use at once.
    constexpr std::size_t high_water() const noexcept { return high_; }
    constexpr bool overflowed() const noexcept { return !counting_ && high_ > size_; }
    constexpr bool counting() const noexcept { return counting_; }
    /// The error for memory that was too small. Out of line, since every launch may return it.
    APRIORI_NOINLINE constexpr status too_small() const { return workspace_too_small(size_, high_); }

    /// Releases, at its end, what was taken during its lifetime.
    class scope {
    public:
        constexpr explicit scope(workspace& w) : w_(w), mark_(w.mark()) {}
        constexpr ~scope() { w_.release(mark_); }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        workspace& w_;
        std::size_t mark_;
    };

private:
    std::byte* base_ = nullptr;
    std::size_t size_ = 0, used_ = 0, high_ = 0;
    bool counting_ = true;
};

} // namespace apriori
