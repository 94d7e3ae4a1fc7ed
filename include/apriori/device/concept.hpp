// SPDX-License-Identifier: Apache-2.0
// A device is a type whose objects run primitives (expr/ops.hpp). Everything above it sees only this concept.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"
#include "apriori/core/weight_format.hpp"
#include "apriori/expr/launch.hpp"

#include <concepts>
#include <span>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A device's handle to a packed weight matrix [n, k]: trivially copyable, null when default-constructed.
///   stored_bytes(n, k)       constexpr; the bytes that the packed matrix takes, a multiple of buffer_alignment
///   packed(std::byte* p, n, k)   a handle to a matrix stored at p
template <class P>
concept packed_matrix =
    std::is_trivially_copyable_v<P> && std::default_initializable<P> && requires(std::byte* p, index_t n, index_t k) {
        { P::stored_bytes(n, k) } -> std::same_as<std::size_t>;
        P(p, n, k);
    };

/// Memory and packing, besides the primitives. A device supports a primitive Op by a member `status run(const Op&)`; an
/// expression that needs an unsupported primitive does not compile. `scratch_bytes(op)` is constexpr and static: the
/// bytes that `op.scratch` points to when `run` is called. run neither allocates nor throws (Eigen's may allocate).
///   name                       for messages and the command line
///   fuses_prologue             true: contractions take mapped and normalised inputs; false: only rows in memory
///   fuses_rows                 optional; true: map and reduce take reductions of rows (expr/row_reduction.hpp)
///   buffer                     owning, movable device memory aligned to buffer_alignment: data(), size(), empty()
///   allocate(bytes)            a buffer, which is empty() if no memory is available
///   upload(to, from, bytes)    host to device, complete when it returns
///   download(to, from, bytes)  device to host, complete when it returns
///   pack(w, first, rows)       rows from `first` on of w [n, k], from float32 [count, k] on the host, in the device's
///                              layout
///   synchronize()              waits for all launches and returns their status
/// A device may also have `most_rows`, the number of sampling steps that are processed together, and record launches
/// (models/repeated_launches.hpp).
template <class D>
concept device = requires(D& d, void* to, const void* from, std::size_t bytes, typename D::template packed<f32> w,
                          index_t first, std::span<const float> rows) {
    { D::name } -> std::convertible_to<const char*>;
    { D::fuses_prologue } -> std::convertible_to<bool>;
    requires packed_matrix<typename D::template packed<f32>>;
    { d.allocate(bytes) } -> std::same_as<typename D::buffer>;
    { d.upload(to, from, bytes) } -> std::same_as<status>;
    { d.download(to, from, bytes) } -> std::same_as<status>;
    { d.pack(w, first, rows) } -> std::same_as<status>;
    { d.synchronize() } -> std::same_as<status>;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
