// SPDX-License-Identifier: Apache-2.0
// Where weights come from. Models and packers use this concept, never a file format.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Name and shape of one tensor; `dims[0 .. rank)` are its extents, row-major.
struct tensor_info {
    static constexpr int max_rank = 8;

    std::string_view name;
    int rank = 0;
    std::array<index_t, max_rank> dims{};

    constexpr index_t size() const noexcept {
        index_t n = 1;
        for (int i = 0; i < rank; ++i) n *= at(dims, i);
        return n;
    }
    constexpr bool same_shape(const tensor_info& o) const noexcept {
        if (rank != o.rank) return false;
        for (int i = 0; i < rank; ++i)
            if (at(dims, i) != at(o.dims, i)) return false;
        return true;
    }
};

/// A set of named tensors that can be read in pieces, as float32 whatever type they are stored in.
///   size()               the number of tensors
///   info(i)              name and shape of tensor i; the name lives as long as the source
///   read(i, first, out)  reads elements first .. first + out.size() of tensor i, row-major, converted to float32
/// and, optionally,
///   concurrent_reads()   true if several threads may read at once
template <class S>
concept tensor_source = requires(const S& s, std::size_t i, std::int64_t first, std::span<float> out) {
    { s.size() } -> std::convertible_to<std::size_t>;
    { s.info(i) } -> std::convertible_to<tensor_info>;
    { s.read(i, first, out) } -> std::same_as<status>;
};

/// A reference to a source of any type, which must outlive it.
class tensor_source_ref {
public:
    template <tensor_source S>
    requires(!std::same_as<S, tensor_source_ref>)
    tensor_source_ref(const S& source) noexcept
        : source_(&source),
          size_([](const void* s) -> std::size_t { return static_cast<const S*>(s)->size(); }),
          info_([](const void* s, std::size_t i) -> tensor_info { return static_cast<const S*>(s)->info(i); }),
          read_([](const void* s, std::size_t i, std::int64_t first, std::span<float> out) {
              return static_cast<const S*>(s)->read(i, first, out);
          }) {
        if constexpr (requires { source.concurrent_reads(); }) concurrent_reads_ = source.concurrent_reads();
    }

    std::size_t size() const { return size_(source_); }
    tensor_info info(std::size_t i) const { return info_(source_, i); }
    status read(std::size_t i, std::int64_t first, std::span<float> out) const { return read_(source_, i, first, out); }
    bool concurrent_reads() const noexcept { return concurrent_reads_; }

private:
    const void* source_;
    std::size_t (*size_)(const void*);
    tensor_info (*info_)(const void*, std::size_t);
    status (*read_)(const void*, std::size_t, std::int64_t, std::span<float>);
    bool concurrent_reads_ = false;
};

/// Names and shapes of a source's tensors, in order.
inline std::vector<tensor_info> infos_of(tensor_source_ref source) {
    std::vector<tensor_info> out;
    for (std::size_t i = 0; i < source.size(); ++i) out.push_back(source.info(i));
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
