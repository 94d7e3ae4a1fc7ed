// SPDX-License-Identifier: Apache-2.0
// What devices that wrap another device have in common: everything but `run` is forwarded.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/concept.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The base of a device that computes on `Inner`, which must outlive it. Derived classes add `run`.
template <device Inner>
class device_around {
public:
    static constexpr const char* name = Inner::name;
    static constexpr bool fuses_prologue = Inner::fuses_prologue;
    static constexpr bool fuses_rows = detail::fuses_rows<Inner>;
    using buffer = typename Inner::buffer;
    template <class Format>
    using packed = typename Inner::template packed<Format>;

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

protected:
    explicit device_around(Inner& inner) : inner_(&inner) {}

    Inner* inner_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
