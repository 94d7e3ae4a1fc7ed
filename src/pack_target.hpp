// SPDX-License-Identifier: Apache-2.0
// Weights packed for another machine than this one.
#pragma once

#include "any_source.hpp"
#include "apriori/core/result.hpp"
#include "apriori/io/packed_header.hpp"
#include "apriori/models/prior_config.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace apriori::program {

/// A block of packed weights, and its description for a packed file.
struct target_weights {
    io::packed_kind kind;
    std::uint64_t hash = 0;
    std::span<const std::byte> bytes{};
    std::shared_ptr<const void> owner{};
};

/// The text "scalar, sse2, neon, ...".
std::string known_targets();
bool is_target(std::string_view name);

/// The weights of a source for a target and in a weight format. The same bytes that the target machine packs.
/// invalid_argument for an unknown target, unsupported for other formats.
result<target_weights> pack_for(std::string_view target, std::string_view format, const PriorConfig& config,
                                const any_source& source, int threads);

} // namespace apriori::program
