// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: xsimd kernels over packed weights, on an executor of the user's choice.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/device/concept.hpp"
#include "apriori/device/cpu/attention.hpp"
#include "apriori/device/cpu/cached_attention.hpp"
#include "apriori/device/cpu/columns.hpp"
#include "apriori/device/cpu/compiled_kernels.hpp"
#include "apriori/device/cpu/interleave.hpp"
#include "apriori/device/cpu/reduce.hpp"
#include "apriori/device/cpu/short_rows.hpp"
#include "apriori/device/cpu/softmax.hpp"
#include "apriori/device/host_memory.hpp"

#include <limits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// `Arch` is an xsimd architecture (or `scalar_arch`), for which the translation unit must be compiled. A cpu holds
/// only a pointer to its executor, which must outlive it, and is as cheap to copy.
template <class Arch = default_arch, executor Executor = serial_executor>
class cpu : public host_memory {
public:
    static constexpr const char* name = "cpu";
    static constexpr bool fuses_prologue = true;
    static constexpr bool fuses_rows = true;
    using arch = Arch;
    template <class Format>
    using packed = cpu_device::packed<Arch, Format>;

    /// Runs everything on the calling thread.
    cpu()
    requires std::is_same_v<Executor, serial_executor>
        : executor_(&serial()) {}
    explicit cpu(Executor& e) : executor_(&e) {}

    /// Packs rows from `first` on of w [n, k], from float32 [count, k].
    template <class Format>
    status pack(packed<Format> w, index_t first, std::span<const float> rows) {
        return cpu_device::pack_rows(w, first, rows);
    }
    /// Calls body(first, last) for ranges of 0 .. count, on all threads of the executor.
    void concurrently(index_t count, const auto& body) {
        parallel_ranges(*executor_, count, std::numeric_limits<double>::infinity(), body);
    }
    static constexpr std::size_t scratch_bytes(const auto& op) { return cpu_device::scratch_bytes<Arch>(op); }
    template <class Op>
    requires requires(Executor& e, const Op& op) { cpu_device::run<Arch>(e, op); }
    APRIORI_NOINLINE status run(const Op& op) { // never inlined: the same code, whatever extents the caller knows
        cpu_device::run<Arch>(*executor_, op);
        return {};
    }

private:
    static serial_executor& serial() {
        static serial_executor s;
        return s;
    }

    Executor* executor_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
