// SPDX-License-Identifier: Apache-2.0
// The CPU as a device: xsimd kernels over packed weights, on an executor of the user's choice.
#pragma once

#include "apriori/device/concept.hpp"
#include "apriori/device/cpu/attention.hpp"
#include "apriori/device/cpu/cached_attention.hpp"
#include "apriori/device/cpu/compiled_kernels.hpp"
#include "apriori/device/cpu/softmax.hpp"
#include "apriori/device/host_memory.hpp"

namespace apriori {

/// `Arch` is an xsimd architecture (or `scalar`), which the translation unit must be compiled for. A cpu refers to its
/// executor and holds nothing else: it is as cheap to copy as a pointer.
template <class Arch = default_arch, executor Executor = serial_executor>
class cpu : public host_memory {
public:
    static constexpr const char* name = "cpu";
    static constexpr bool fuses_prologue = true;
    using arch = Arch;
    template <class Format>
    using packed = cpu_packed<Arch, Format>;

    cpu()
    requires std::is_same_v<Executor, serial_executor>
        : executor_(&serial()) {}
    explicit cpu(Executor& e) : executor_(&e) {}

    template <class Format>
    status pack(cpu_packed<Arch, Format> w, index_t first, std::span<const float> rows) {
        return pack_rows<Arch>(w, first, rows);
    }

    template <class I, class P, class E>
    static constexpr std::size_t scratch_bytes(const ops::contraction<I, P, E>& op) {
        return contraction_scratch<Arch>(op);
    }
    template <class E>
    static constexpr std::size_t scratch_bytes(const ops::matmul<E>& op) {
        return matmul_scratch<Arch>(op);
    }
    template <class E>
    static constexpr std::size_t scratch_bytes(const ops::attention<E>& op) {
        return attention_scratch<Arch>(op);
    }
    static constexpr std::size_t scratch_bytes(const ops::cached_attention& op) { return cached_attention_scratch(op); }
    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op&) {
        return 0;
    }

    template <class I, class Format, class E>
    status run(const ops::contraction<I, cpu_packed<Arch, Format>, E>& op) {
        run_contraction<Arch>(*executor_, op);
        return {};
    }
    template <class E>
    status run(const ops::matmul<E>& op) {
        run_matmul<Arch>(*executor_, op);
        return {};
    }
    template <class E>
    status run(const ops::attention<E>& op) {
        run_attention<Arch>(*executor_, op);
        return {};
    }
    status run(const ops::cached_attention& op) {
        run_cached_attention<Arch>(*executor_, op);
        return {};
    }
    template <class P, class I, class O>
    status run(const ops::normalize<P, I, O>& op) {
        return over_rows(op, P::flops, [&](index_t first, index_t last) { normalize_rows<V>(op, first, last); });
    }
    template <class I, class O>
    status run(const ops::normalize<norms::softmax, I, O>& op) {
        return over_rows(op, norms::softmax::flops,
                         [&](index_t first, index_t last) { softmax_rows<V>(op, first, last); });
    }
    template <class P, class I, class O>
    status run(const ops::reduce<P, I, O>& op) {
        return over_rows(op, P::flops, [&](index_t first, index_t last) { reduce_rows<V>(op, first, last); });
    }
    template <class P>
    status run(const ops::map<P>& op) {
        return over_rows(op, 4, [&](index_t first, index_t last) { map_rows<V>(op, first, last); });
    }

private:
    using V = value_t<Arch>;

    static serial_executor& serial() {
        static serial_executor s;
        return s;
    }
    template <class Op, class Body>
    status over_rows(const Op& op, int flops, const Body& body) {
        parallel_ranges(*executor_, op.rows, 4.0 * flops * static_cast<double>(op.rows * op.cols), body);
        return {};
    }

    Executor* executor_;
};

} // namespace apriori
