// SPDX-License-Identifier: Apache-2.0
// Host memory, which devices that compute on the host share.
#pragma once

#include "apriori/core/status.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstring>

namespace apriori {

/// The memory part of the device concept for devices that work in the host's memory; they derive from it.
struct host_memory {
    using buffer = host_buffer;
    static constexpr bool is_host = true; ///< the host can read the device's memory

    buffer allocate(std::size_t bytes) { return host_buffer(bytes); }
    status upload(void* to, const void* from, std::size_t bytes) {
        if (bytes != 0) std::memcpy(to, from, bytes);
        return {};
    }
    status download(void* to, const void* from, std::size_t bytes) { return upload(to, from, bytes); }
    status synchronize() { return {}; }
};

} // namespace apriori
