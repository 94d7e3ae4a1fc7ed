// SPDX-License-Identifier: Apache-2.0
// Arrays in a device's memory, and copies between them and the host.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <cstddef>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Device memory for `count` elements of T.
template <class T, class Device>
class device_array {
public:
    device_array() = default;
    device_array(Device& d, index_t count)
        : device_(&d), buffer_(d.allocate(to_size(count) * sizeof(T))), count_(count) {}

    T* data() const noexcept { return reinterpret_cast<T*>(buffer_.data()); }
    index_t size() const noexcept { return count_; }
    std::span<T> span() const noexcept { return {data(), to_size(count_)}; }
    /// False after a failed allocation.
    explicit operator bool() const noexcept { return count_ == 0 || !buffer_.empty(); }
    std::span<std::byte> bytes() const noexcept { return {buffer_.data(), to_size(count_) * sizeof(T)}; }
    /// Copies from the host to the elements from `at` on.
    status write(std::span<const T> from, index_t at = 0) {
        return from.empty() ? status{} : device_->upload(data() + at, from.data(), from.size_bytes());
    }
    /// Copies the first elements to the host.
    status read(std::span<T> to) const {
        return to.empty() ? status{} : device_->download(to.data(), data(), to.size_bytes());
    }

private:
    Device* device_ = nullptr;
    typename Device::buffer buffer_{};
    index_t count_ = 0;
};

/// Makes arrays on a device and copies to and from them. Keeps the first error, and does nothing after it.
template <class Device>
class device_staging {
public:
    status state{}; ///< the first error

    /// `no_memory`, a literal, is the message of a failed allocation.
    device_staging(Device& device, const char* no_memory) : device_(&device), no_memory_(no_memory) {}

    /// Keeps s if it is the first error.
    void check(const status& s) {
        if (state) state = s;
    }
    template <class T>
    device_array<T, Device> array(index_t count) {
        if (!state) return {};
        device_array<T, Device> a(*device_, count);
        if (!a) state = {errc::device_error, no_memory_};
        return a;
    }
    device_array<float, Device> floats(index_t count) { return array<float>(count); }
    device_array<std::byte, Device> bytes(std::size_t count) { return array<std::byte>(index_t(count)); }
    template <class T>
    void write(device_array<T, Device>& to, std::span<const T> from, index_t at = 0) {
        if (state) state = to.write(from, at);
    }
    /// An array with a copy of the elements of a vector or span.
    auto copy(const auto& values) {
        auto a = array<std::remove_cvref_t<decltype(values[0])>>(std::ssize(values));
        write(a, std::span(values.data(), values.size()));
        return a;
    }
    /// Waits for the device, then copies to the host.
    template <class T>
    void read(const device_array<T, Device>& from, std::span<T> to) {
        if (state) state = device_->synchronize();
        if (state) state = from.read(to);
    }

private:
    Device* device_;
    const char* no_memory_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
