// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/status.hpp"

#include <cstddef>
#include <span>

namespace apriori {

/// Memory of a device for count elements of T.
template <class T, class Device>
class device_array {
public:
    device_array() = default;
    device_array(Device& d, index_t count)
        : device_(&d), buffer_(d.allocate(static_cast<std::size_t>(count) * sizeof(T))), count_(count) {}

    T* data() const noexcept { return reinterpret_cast<T*>(buffer_.data()); }
    index_t size() const noexcept { return count_; }
    bool ok() const noexcept { return count_ == 0 || !buffer_.empty(); }
    std::span<std::byte> bytes() const noexcept {
        return {buffer_.data(), static_cast<std::size_t>(count_) * sizeof(T)};
    }
    /// Copies from the host to element `at`.
    status write(std::span<const T> from, index_t at = 0) {
        return from.empty() ? status{} : device_->upload(data() + at, from.data(), from.size_bytes());
    }
    /// Copies to the host.
    status read(std::span<T> to) const {
        return to.empty() ? status{} : device_->download(to.data(), data(), to.size_bytes());
    }

private:
    Device* device_ = nullptr;
    typename Device::buffer buffer_{};
    index_t count_ = 0;
};

} // namespace apriori
