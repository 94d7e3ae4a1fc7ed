// SPDX-License-Identifier: Apache-2.0
// Lowering: from an expression to launches of a device's primitives. The element-wise nodes around a kernel become its
// epilogue, a norm under a contraction becomes its prologue, and what is left between two kernels becomes a temporary.
//
// The same code plans and runs. It is constexpr: a context without a device runs nothing but measures the workspace,
// and a planning device (expr/plan.hpp) records launches. Each node lowers itself (see expr/concepts.hpp); this file
// has what they share.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/attention.hpp"
#include "apriori/expr/cached_attention.hpp"
#include "apriori/expr/check_memory.hpp"
#include "apriori/expr/interleave.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/normalize.hpp"
#include "apriori/expr/row_reduction.hpp"
#include "apriori/expr/strided.hpp"
#include "apriori/expr/workspace.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// The error for an extent that is not that of the result. Out of line, so that it is no part of every launch.
APRIORI_NOINLINE constexpr status past_a_kernel(index_t own, index_t result) {
    return status::shape("assign: a run-time extent of 1 is broadcast past a kernel; write it to a temporary first",
                         own, result);
}
/// Whether the host can read the memory that a device works with.
template <class Device>
inline constexpr bool in_host_memory = requires { requires Device::is_host; };

} // namespace detail

/// Compile error for an operation that a device does not have.
template <class Device, class Op, bool Supported>
struct device_operation {
    static_assert(Supported,
                  "apriori: this device lacks an operation that the expression needs; the template arguments of "
                  "device_operation name the device and the operation");
    static constexpr bool value = Supported;
};

/// What expressions are assigned with: a device, the memory for temporaries, and the first error.
///
///     to(h) = gelu(linear(x, w, b));   // does nothing after an error
///     to(y) = x + linear(h, v);
///     return to.state;
template <class Device>
class context {
public:
    using device_type = Device;

    workspace& memory;
    status state{}; ///< the first error

    constexpr context(Device& d, workspace& temporaries) : memory(temporaries), device_(&d) {}
    /// Runs nothing; `counting` then says how much memory a run would need.
    explicit constexpr context(workspace& counting) : memory(counting) {}

    /// Not for a context that only counts.
    constexpr Device& device() const noexcept { return *device_; }

    /// The type of to(out): assigning an expression to it writes out.
    template <class Out>
    class destination {
    public:
        constexpr destination(context& to, const Out& out) : to_(to), out_(out) {}
        constexpr void operator=(const operand auto& x) const {
            to_.assign_checked(out_, detail::operand_node<element_of<Out>>(x));
        }
        constexpr void operator+=(const operand auto& x) const { *this = out_ + x; }
        constexpr void operator-=(const operand auto& x) const { *this = out_ - x; }
        constexpr void operator*=(const operand auto& x) const { *this = out_ * x; }
        constexpr void operator/=(const operand auto& x) const { *this = out_ / x; }

    private:
        context& to_;
        Out out_;
    };

    /// to(out) = x. The shape of x broadcasts into that of out, whose axes may have any strides: if the last axis has
    /// gaps, the result of a kernel is first written to a temporary. out may be an operand of element-wise parts of x
    /// or of a norm, at the same place, but never one that a contraction or attention reads. shape_mismatch if run-time
    /// extents do not fit; invalid_argument if out has no memory or overlaps what is read in another order, and, in
    /// host memory, if an index of gather is not a row of its table.
    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& out) {
        return destination<view<T, E, L>>(*this, out);
    }
    template <class T, class E, class S>
    constexpr auto operator()(tensor<T, E, S>& out) {
        return (*this)(out.view());
    }
    /// The same; returns the state afterwards.
    constexpr status assign(auto&& out, const operand auto& x) {
        (*this)(out) = x;
        return state;
    }
    /// Keeps s if it is the first error.
    constexpr void check(const status& s) {
        if (state) state = s;
    }

    /// A dense temporary of that shape; it lives until the enclosing scope ends.
    template <class T = float, class E>
    constexpr view<T, E> temporary(E shape) {
        return {memory.take<T>(shape.size()), shape};
    }
    /// Gives back the temporaries that are made during its lifetime.
    constexpr workspace::scope scope() { return workspace::scope(memory); }

    // ---- for nodes that lower themselves ---------------------------------------------------------------------------

    /// Launches a primitive.
    template <class Op>
    constexpr void run(Op op) {
        static_assert(device_operation<Device, Op, runs<Device, Op>>::value);
        if (!state) return;
        const auto s = scope();
        op.scratch = memory.take<std::byte>(index_t(scratch_bytes(op)));
        if (memory.overflowed() || (runs_here() && memory.counting() && memory.high_water() > 0))
            state = memory.too_small();
        else if (device_ != nullptr)
            state = run_on(*device_, op);
    }

    /// Where the rows of a destination go.
    static constexpr ops::output output_of(const auto& out) { return detail::output_of(out); }

    /// x as a program in a result of that shape: its element-wise part; kernels below it write to temporaries first.
    constexpr auto program(const auto& x, const auto& result) { return program_around<-1>(x, result); }
    /// The same for a kernel that asks for each row once. On a device that fuses rows, reductions of a row are part of
    /// it.
    constexpr auto program_of_rows(const auto& x, const auto& result) {
        return program_around<-1, 0, detail::fuses_rows<Device>>(x, result);
    }
    /// The same with values of T. Rows: for a kernel that processes rows one by one, so that their reductions are part
    /// of it.
    template <class T, int Root = -1, bool Rows = false>
    constexpr auto program_as(const auto& x, const auto& result) {
        const auto p = program_around<Root, 0, Rows>(x, result);
        using P = std::remove_const_t<decltype(p)>;
        if constexpr (std::is_same_v<el::value_of<P>, computed_t<T>>)
            return p;
        else
            return el::apply<fn::cast<computed_t<T>>, P>{{}, {{p}}};
    }
    /// The same with anchor number Root as the value that the kernel computes; the anchors of x are numbered from
    /// First.
    template <int Root, int First = 0, bool Rows = false, class X, class R>
    constexpr auto program_around(const X& x, const R& result) {
        if constexpr (leaf<X>)
            return detail::leaf_program(x, result);
        else if constexpr (detail::is_elementwise<X>)
            return program_of_args<Root, First, Rows>(x, result);
        else if constexpr (First == Root)
            return el::acc_of<computed_t<element_of<X>>>{};
        else if constexpr (Rows && detail::is_row_reduction<X, R>)
            return reduction_of_rows(x.policy, program_around<-1, 0, true>(x.x, detail::reduced_extents(x.x, result)),
                                     x.x.ext().cols());
        else
            return detail::leaf_program(in_memory(x), result);
    }

    /// Writes operands whose last axis has one element side by side, in one launch unless one reads what another one
    /// writes. False if they are not such operands, or if the device lacks the primitive.
    template <class Out, class... X>
    constexpr bool interleave(const Out& out, const X&... parts) {
        if constexpr ((detail::loses_last_axis<X> && ...) && Out::memory_layout != layout::strided)
            return [&](const auto&... x) {
                using T = element_of<Out>;
                using To = ops::output_to<T, row_map_of_rank<Out::rank - 1>>;
                using Op = ops::map_interleaved<To, decltype(program_as<T>(x, x.ext()))...>;
                if constexpr (runs<Device, Op>) {
                    if constexpr (!requires { Device::is_planner; })
                        if (device_ != nullptr && !std::is_constant_evaluated() &&
                            !detail::parts_keep_apart(out, x...)) {
                            index_t k = 0;
                            (((*this)(detail::part_of_last_axis(out, k++)) = x), ...);
                            return true;
                        }
                    const auto first = detail::part_of_last_axis(out, 0);
                    run(Op{{{program_as<T>(x, x.ext())}...},
                           {first.data, detail::leading_map(first, first.ext())},
                           first.stride(Out::rank - 2),
                           first.ext().rows(),
                           first.ext().cols()});
                    return true;
                } else
                    return false;
            }(detail::without_last_axis(parts)...);
        else
            return false;
    }

    /// x in memory: itself if it is a view, otherwise a temporary.
    template <class X>
    constexpr auto in_memory(const X& x) {
        if constexpr (is_view<X>)
            return x;
        else if constexpr (requires { x.in_memory(*this); })
            return x.in_memory(*this);
        else
            return copy<element_of<X>>(x);
    }
    /// The same with elements of T.
    template <class T, class X>
    constexpr auto in_memory_as(const X& x) {
        if constexpr (std::is_same_v<element_of<X>, T>)
            return in_memory(x);
        else
            return copy<T>(x);
    }
    /// The same, dense.
    template <class T, class X>
    constexpr auto dense_as(const X& x) {
        const auto v = in_memory_as<T>(x);
        if constexpr (std::remove_const_t<decltype(v)>::memory_layout == layout::dense)
            return v;
        else
            return copy<T>(v);
    }
    /// True if launches run, nothing has failed, and the host can read their memory.
    constexpr bool reads_memory() const {
        if constexpr (detail::in_host_memory<Device>)
            return runs_here() && state;
        else
            return false;
    }
    /// x in memory as floats with contiguous columns.
    template <class X>
    constexpr auto rows_in_memory(const X& x) {
        const auto v = in_memory_as<float>(x);
        if constexpr (std::remove_const_t<decltype(v)>::memory_layout != layout::strided)
            return v;
        else
            return copy<float>(v);
    }

private:
    Device* device_ = nullptr; ///< null: nothing runs

    /// x in a temporary with elements of T.
    template <class T, class X>
    constexpr view<const T, extents_of<X>> copy(const X& x) {
        const auto t = temporary<T>(x.ext());
        const auto inner = scope();
        write(t, x);
        return t;
    }

    /// A primitive from outside the library says so itself.
    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op& op) {
        if constexpr (requires { op.scratch_bytes(); })
            return op.scratch_bytes();
        else
            return Device::scratch_bytes(op);
    }
    /// False if launches are only counted or planned.
    constexpr bool runs_here() const noexcept {
        if constexpr (requires { Device::is_planner; })
            return false;
        else
            return device_ != nullptr;
    }

    template <class Out, class X>
    constexpr void assign_checked(const Out& out, const X& x) {
        using E = extents_of<Out>;
        using T = element_of<Out>;
        constexpr bool converts = kind_of<element_of<X>> <= kind_of<T>;
        static_assert(element<T>,
                      "apriori: assign: the destination's elements are float, double, apriori::float16 or bfloat16, "
                      "std::int32_t, int64_t, uint8_t or bool");
        static_assert(!element<T> || converts,
                      "apriori: assign: real numbers become integers, and numbers masks, only where that is asked "
                      "for: write cast<std::int32_t>(x), or x > 0.0f");
        constexpr bool writable = !std::is_const_v<typename Out::value_type>;
        static_assert(writable, "apriori: assign: the destination is const");
        if constexpr (writable && element<T> && converts) {
            static_assert(require_shapes<"assign", E, extents_of<X>, detail::assignable<E, extents_of<X>>>::value);
            if (!state) return;
            state = detail::first_error(detail::check_shape(out.ext()), detail::check_operand<"assign">(x, out.ext()));
            if constexpr (!requires { Device::is_planner; })
                if (state && device_ != nullptr && !std::is_constant_evaluated()) state = check_memory(out, x);
            const auto temporaries = scope();
            if (!state) return;
            if constexpr (E::rank == 0)
                write(view<T, extents<1>>(out.data, {}), x);
            else if constexpr (Out::memory_layout == layout::strided && detail::anchor_count<X> == 0)
                run(detail::strided_map(program_as<T>(x, out.ext()), out));
            else if constexpr (Out::memory_layout == layout::strided)
                run(detail::strided_map(program_as<T>(copy<T>(x), out.ext()), out));
            else
                write(out, x);
        }
    }

    /// The error in the memory of an assignment whose extents are right.
    template <class Out, class X>
    APRIORI_NOINLINE static status check_memory(const Out& out, const X& x) {
        if (out.data == nullptr && out.size() > 0)
            return status::invalid("assign: the destination has no memory", 0, out.size());
        constexpr int root = detail::root_anchor<X, extents_of<Out>, detail::output_of_t<Out>>;
        bool spoiled = detail::spoils<root, 0>(detail::byte_view(out), x) || spoils_reduced_rows<root>(out, x) ||
                       detail::spoils_a_later_part(out, x);
        if constexpr (root < 0 && detail::lowers_into<X, Out>)
            spoiled = spoiled || detail::spoils_inputs(detail::byte_view(out), x);
        if (spoiled)
            return status::invalid(
                "assign: the destination overlaps an operand that is read in another order; write the "
                "expression to a temporary first");
        if constexpr (detail::in_host_memory<Device>)
            return detail::check_indices(x);
        else
            return {};
    }

    /// Whether the reductions of rows around anchor number Root, or in a map if Root is -1, are part of its kernel.
    template <int Root, class X>
    static constexpr bool takes_reductions = [] {
        if constexpr (!detail::fuses_rows<Device> || detail::anchor_count<X> == 0)
            return false;
        else if constexpr (Root < 0)
            return true;
        else
            return detail::reduces_last_axis<
                std::remove_cvref_t<decltype(detail::find_anchor<Root>(std::declval<const X&>()))>>;
    }();
    template <int Root, class Out, class X>
    static bool spoils_reduced_rows(const Out& out, const X& x) {
        if constexpr (takes_reductions<Root, X>)
            return detail::spoils_reduced_rows<extents_of<Out>, Root>(detail::byte_view(out), x);
        else
            return false;
    }

    /// A kernel writes all of its destination: it does not broadcast what it computes.
    constexpr void check_whole(const auto& anchor, const auto& out) {
        if (!same_sizes(anchor.ext(), out.ext())) check(detail::past_a_kernel(anchor.ext().size(), out.ext().size()));
    }

    template <class Out, class X>
    constexpr void write(const Out& out, const X& x) {
        using T = element_of<Out>;
        constexpr int root = detail::root_anchor<X, extents_of<Out>, detail::output_of_t<Out>>;
        if constexpr (root >= 0) {
            const auto& anchor = detail::find_anchor<root>(x);
            check_whole(anchor, out);
            anchor.lower(*this, out, program_as<T, root, takes_reductions<root, X>>(x, out.ext()));
        } else if constexpr (detail::lowers_into<X, Out>) {
            if constexpr (!detail::assigns<X>) check_whole(x, out);
            x.lower(*this, out);
        } else {
            using P = std::remove_const_t<decltype(program_as<T, -1, takes_reductions<-1, X>>(x, out.ext()))>;
            run(ops::map<P, detail::output_of_t<Out>>{program_as<T, -1, takes_reductions<-1, X>>(x, out.ext()),
                                                      detail::output_of(out), out.ext().rows(), out.ext().cols()});
        }
    }

    template <class Policy, class P>
    static constexpr el::reduced<Policy, P> reduction_of_rows(const Policy& policy, const P& program, index_t cols) {
        return {policy, program, cols};
    }
    template <int Root, int First, bool Rows, class F, class... A, class R>
    constexpr auto program_of_args(const elementwise_node<F, A...>& x, const R& result) {
        return [&]<int... Is>(std::integer_sequence<int, Is...>) {
            // braces: operands are lowered from left to right, as the anchors are counted
            return el::apply<F, decltype(program_around<Root, First + detail::first_anchor<Is, A...>, Rows>(
                                    el::get<Is>(x.args), result))...>{
                x.f,
                {{program_around<Root, First + detail::first_anchor<Is, A...>, Rows>(el::get<Is>(x.args), result)}...}};
        }(std::make_integer_sequence<int, int(sizeof...(A))>{});
    }
};

} // namespace apriori
APRIORI_END_EXACT_MATH
