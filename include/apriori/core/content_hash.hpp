// SPDX-License-Identifier: Apache-2.0
// A fast hash of bytes that detects damaged or changed data.
#pragma once

#include "apriori/core/macros.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace apriori {

/// A 64-bit hash of bytes, continuing from `seed`, at memory speed. It tells damaged or different data from equal data,
/// but does not resist someone who constructs collisions. Four lanes of 64-bit words, each hashed much like FNV-1a, are
/// combined at the end.
inline std::uint64_t content_hash(std::span<const std::byte> bytes, std::uint64_t seed = 0xcbf29ce484222325u) noexcept {
    constexpr std::uint64_t prime = 0x9e3779b97f4a7c15u;
    std::uint64_t lane[4] = {seed, seed ^ 1, seed ^ 2, seed ^ 3};
    const auto mix = [](std::uint64_t h, std::uint64_t word) {
        h = (h ^ word) * prime;
        return h ^ (h >> 32);
    };
    std::size_t at = 0;
    for (; at + 32 <= bytes.size(); at += 32) {
        std::uint64_t words[4];
        std::memcpy(words, bytes.data() + at, 32);
        for (int i = 0; i < 4; ++i) lane[i] = mix(lane[i], words[i]);
    }
    std::uint64_t h = mix(seed, bytes.size());
    for (const std::uint64_t l : lane) h = mix(h, l);
    for (; at < bytes.size(); ++at) h = mix(h, std::to_integer<std::uint64_t>(bytes[at]));
    return h;
}

} // namespace apriori
