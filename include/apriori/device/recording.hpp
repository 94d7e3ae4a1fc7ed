// SPDX-License-Identifier: Apache-2.0
// A device that runs on another one and writes down every launch: what was done can be compared with what was planned.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/concept.hpp"

#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

template <device Inner>
class recording {
public:
    static constexpr const char* name = Inner::name;
    static constexpr bool fuses_prologue = Inner::fuses_prologue;
    using buffer = typename Inner::buffer;
    template <class Format>
    using packed = typename Inner::template packed<Format>;

    explicit recording(Inner& inner) : inner_(&inner) {}

    buffer allocate(std::size_t bytes) { return inner_->allocate(bytes); }
    status upload(void* to, const void* from, std::size_t bytes) { return inner_->upload(to, from, bytes); }
    status download(void* to, const void* from, std::size_t bytes) { return inner_->download(to, from, bytes); }
    template <class P>
    status pack(P w, index_t first, std::span<const float> rows) {
        return inner_->pack(w, first, rows);
    }
    status synchronize() { return inner_->synchronize(); }

    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op& op) {
        return Inner::scratch_bytes(op);
    }
    template <class Op>
    requires runs<Inner, Op>
    status run(const Op& op) {
        launches.push_back(op.describe());
        return run_on(*inner_, op);
    }

    std::vector<launch> launches;

private:
    Inner* inner_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
