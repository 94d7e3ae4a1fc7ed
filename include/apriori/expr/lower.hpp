// SPDX-License-Identifier: Apache-2.0
// Lowering: from an expression to launches of a device's primitives. The element-wise nodes around a contraction become
// its epilogue, a norm under it becomes its prologue, and what is left between two kernels becomes a temporary.
//
// The same code plans (expr/plan.hpp) and runs: it is constexpr, and a planning device writes launches down.
#pragma once

#include "apriori/expr/anchors.hpp"
#include "apriori/expr/leaves.hpp"
#include "apriori/expr/sizes.hpp"
#include "apriori/expr/workspace.hpp"

namespace apriori {

/// Compile error for an operation that a device does not have.
template <class Device, class Op, bool Supported>
struct device_operation {
    static_assert(Supported,
                  "apriori: this device lacks an operation that the expression needs; the template arguments of "
                  "device_operation name the device and the operation");
    static constexpr bool value = Supported;
};

namespace detail {

/// True where a shape X broadcasts into a destination E, as far as the compiler knows.
template <class E, class X>
inline constexpr bool assignable = [] {
    if (X::rank > E::rank) return false;
    for (int i = 0; i < X::rank && i < E::rank; ++i) {
        const index_t own = X::fixed(i), whole = E::fixed(i + E::rank - X::rank);
        if (own != 1 && own != dyn && whole != dyn && own != whole) return false;
    }
    return true;
}();

} // namespace detail

/// A device and the memory for temporaries: what an expression is assigned with.
template <class Device>
class context {
public:
    Device& device;
    workspace& memory;

    constexpr context(Device& d, workspace& m) : device(d), memory(m) {}

    /// A dense temporary of that shape; lives until the enclosing workspace::scope ends.
    template <class E>
    constexpr view<float, E> temporary(E shape) {
        return {memory.template take<float>(shape.size()), shape};
    }

    /// out = x. The shape of x broadcasts into that of out; out may be an operand of element-wise parts of x at the same
    /// place, never of a contraction's or norm's input. Returns shape_mismatch where run-time extents do not fit.
    template <class T, class E, layout L, operand X>
    constexpr status assign(const view<T, E, L>& out, const X& x) {
        const auto& node = as_node(x);
        using N = node_t<X>;
        static_assert(E::rank > 0, "apriori: assign: the destination needs an axis");
        static_assert(require_shapes<"assign", E, extents_of<N>, detail::assignable<E, extents_of<N>>>::value);
        if (const status fit = detail::check_operand(node, out.ext()); !fit.ok()) return fit;
        workspace::scope temporaries(memory);
        return write(out, node);
    }

private:
    template <class Op>
    constexpr status emit(Op op) {
        static_assert(device_operation<Device, Op, requires { device.run(op); }>::value);
        workspace::scope s(memory);
        op.scratch = memory.template take<std::byte>(static_cast<index_t>(Device::scratch_bytes(op)));
        if (memory.overflowed()) return workspace_too_small(0, memory.high_water());
        return device.run(op);
    }

    // ---- results -------------------------------------------------------------------------------------------------

    template <class Out, class X>
    constexpr status write(const Out& out, const X& x) {
        using list = typename detail::anchors<X>::type;
        constexpr int root = detail::root_anchor<list, extents_of<Out>>::value;
        status s;
        if constexpr (root >= 0) {
            const auto& anchor = detail::find_anchor<root>(x);
            if (!same_sizes(anchor.ext(), out.ext()))
                return status::shape(
                    "assign: a run-time extent of 1 is broadcast past a kernel; write it to a temporary first");
            const auto epilogue = program<root, 0>(x, out.ext(), s);
            return s.ok() ? write_anchor(out, anchor, epilogue) : s;
        } else if constexpr (std::is_same_v<list, detail::type_list<X>> &&
                             detail::same_extents<extents_of<X>, extents_of<Out>>) {
            return write_whole(out, x);
        } else {
            const auto p = program<-1, 0>(x, out.ext(), s);
            if (!s.ok()) return s;
            return emit(ops::map<std::remove_const_t<decltype(p)>>{p, detail::output_of(out), out.ext().rows(),
                                                                   out.ext().cols()});
        }
    }

    /// The element-wise part of x as a program; the anchor numbered Root is `acc`, others are written to temporaries.
    template <int Root, int First, class X, class R>
    constexpr auto program(const X& x, const R& result, status& s) {
        if constexpr (!std::is_same_v<typename detail::anchors<X>::type, detail::type_list<X>>) {
            if constexpr (requires { detail::leaf_program(x, result); })
                return detail::leaf_program(x, result);
            else
                return program_of_args<Root, First>(x, result, s);
        } else if constexpr (First == Root)
            return el::acc{};
        else
            return detail::leaf_program(materialize(x, s), result);
    }
    template <int Root, int First, class F, class... A, class R>
    constexpr auto program_of_args(const elementwise_node<F, A...>& x, const R& result, status& s) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            // braces: operands are lowered left to right, as the anchors are counted
            return el::apply<F, decltype(program<Root, First + detail::anchors_before<I, A...>>(std::get<I>(x.args),
                                                                                                result, s))...>{
                x.f, {{program<Root, First + detail::anchors_before<I, A...>>(std::get<I>(x.args), result, s)}...}};
        }(std::index_sequence_for<A...>{});
    }

    /// x in memory: itself when it is a view, a temporary otherwise.
    template <class X>
    constexpr auto materialize(const X& x, status& s) {
        if constexpr (is_view<X>)
            return x;
        else if constexpr (requires { x.op; }) // a view operation: its operand in memory, seen through it
            return x.op(materialize(x.x, s));
        else {
            const auto t = temporary(x.ext());
            if (s.ok()) {
                workspace::scope inner(memory);
                s = write(t, x);
            }
            return view<const float, extents_of<X>>(t);
        }
    }

    /// x in memory with contiguous columns.
    template <class X>
    constexpr auto materialize_rows(const X& x, status& s) {
        const auto v = materialize(x, s);
        if constexpr (std::remove_const_t<decltype(v)>::memory_layout != layout::strided)
            return v;
        else {
            const auto t = temporary(v.ext());
            if (s.ok()) s = write(t, v);
            return view<const float, extents_of<X>>(t);
        }
    }

    // ---- anchors with an epilogue ----------------------------------------------------------------------------------

    template <class Out, class X, class W, class E>
    constexpr status write_anchor(const Out& out, const linear_node<X, W>& a, const E& epilogue) {
        status s;
        const auto in = input(a.x, s);
        if (!s.ok()) return s;
        return emit(ops::contraction<std::remove_const_t<decltype(in)>, std::remove_cvref_t<decltype(a.w.packed)>, E>{
            in, a.w.packed, epilogue, detail::output_of(out), out.ext().rows(), W::out_features, W::in_features});
    }
    template <class Out, class A, class B, class E>
    constexpr status write_anchor(const Out& out, const matmul_node<A, B>& m, const E& epilogue) {
        constexpr int last = extents_of<Out>::rank - 1;
        status s;
        const auto a = materialize(m.a, s);
        const auto b = materialize(m.b, s);
        if (!s.ok()) return s;
        index_t batch = 1;
        for (int i = 0; i < last - 1; ++i) batch *= out.ext()[i];
        return emit(ops::matmul<E>{detail::matrices_of(a), detail::matrices_of(b), epilogue, detail::output_of(out),
                                   batch, out.ext()[last - 1], out.ext()[last], a.ext()[last]});
    }
    template <class Out, class P, class X, class E>
    constexpr status write_anchor(const Out& out, const normalize_node<P, X>& a, const E& epilogue) {
        status s;
        const auto inner = program<-1, 0>(a.x, a.x.ext(), s);
        if (!s.ok()) return s;
        return emit(ops::normalize<P, std::remove_const_t<decltype(inner)>, E>{
            {a.policy, inner, epilogue}, detail::output_of(out), out.ext().rows(), a.x.ext().cols()});
    }
    template <class Out, class P, class X, class E>
    constexpr status write_anchor(const Out& out, const reduce_node<P, X>& a, const E& epilogue) {
        status s;
        const auto inner = program<-1, 0>(a.x, a.x.ext(), s);
        if (!s.ok()) return s;
        return emit(ops::reduce<P, std::remove_const_t<decltype(inner)>, E>{
            {a.policy, inner, epilogue}, detail::output_of(out), out.ext().rows(), a.x.ext().cols()});
    }
    template <class Out, int H, class... X, class E>
    constexpr status write_anchor(const Out& out, const attention_node<fused_attention, H, X...>& a,
                                  const E& epilogue) {
        status s;
        const auto [q, k, v] = heads_of(a, s);
        if (!s.ok()) return s;
        return emit(ops::attention<E>{q.data, k.data, v.data, q.stride(0), k.stride(0), v.stride(0), H,
                                      std::remove_cvref_t<decltype(a)>::head_dim, a.rows, a.scale, epilogue,
                                      detail::output_of(out)});
    }

    // ---- anchors without: they write the whole destination -------------------------------------------------------------

    template <class Out, int Axis, class... X>
    constexpr status write_whole(const Out& out, const concat_node<Axis, X...>& c) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            index_t first = 0;
            status s;
            ((s = s.ok() ? write_part<Axis>(out, std::get<I>(c.parts), first) : s), ...);
            return s;
        }(std::index_sequence_for<X...>{});
    }
    template <int Axis, class Out, class X>
    constexpr status write_part(const Out& out, const X& x, index_t& first) {
        const index_t count = x.ext()[Axis];
        const auto part = slice_view<Axis, extents_of<X>::fixed(Axis)>(out, first, count);
        first += count;
        return assign(part, x);
    }
    template <class Out, class Op, class X>
    constexpr status write_whole(const Out& out, const view_op_node<Op, X>& x) {
        status s;
        const auto v = materialize(x, s);
        return s.ok() ? assign(out, v) : s;
    }
    template <class Out, class Processor, int H, class... X>
    constexpr status write_whole(const Out& out, const attention_node<Processor, H, X...>& a) {
        status s;
        const auto [q, k, v] = heads_of(a, s);
        return s.ok() ? a.processor.template run<H>(*this, q, k, v, a.rows, a.scale, out) : s;
    }

    template <class Out, int H, class Own>
    constexpr status write_whole(const Out& out, const cached_attention_node<H, Own>& a) {
        static_assert(Out::rank == 2 && Out::memory_layout != layout::strided,
                      "apriori: cached_attention: the destination is rows of columns");
        return emit(ops::cached_attention{a.own.data, a.own.stride(0), H, cached_attention_node<H, Own>::head_dim,
                                          a.layer, a.groups, a.scale, out.data, out.stride(0)});
    }

    /// q, k and v in memory.
    template <class P, int H, class... X>
    constexpr auto heads_of(const attention_node<P, H, X...>& a, status& s) {
        if constexpr (sizeof...(X) == 3) {
            // braces: operands are written from left to right
            return std::tuple{materialize_rows(std::get<0>(a.operands), s),
                              materialize_rows(std::get<1>(a.operands), s),
                              materialize_rows(std::get<2>(a.operands), s)};
        } else {
            constexpr index_t width = std::remove_cvref_t<decltype(a)>::width;
            const auto qkv = materialize_rows(std::get<0>(a.operands), s);
            return std::tuple{slice_view<1, width>(qkv, 0, width), slice_view<1, width>(qkv, width, width),
                              slice_view<1, width>(qkv, 2 * width, width)};
        }
    }

    // ---- the left operand of a contraction ------------------------------------------------------------------------------

    template <class X>
    constexpr auto input(const X& x, status& s) {
        using list = typename detail::anchors<X>::type;
        if constexpr (list::size == 0 && (is_view<X> || Device::fuses_prologue)) {
            const auto p = program<-1, 0>(x, x.ext(), s);
            return ops::mapped<std::remove_const_t<decltype(p)>>{p};
        } else if constexpr (detail::is_norm_prologue<X> && Device::fuses_prologue) {
            const auto& norm = detail::find_anchor<0>(x);
            if (!same_sizes(norm.ext(), x.ext()))
                s = status::shape("linear: a norm of one row is broadcast; write it to a temporary first",
                                  norm.ext().rows(), x.ext().rows());
            const auto inner = program<-1, 0>(norm.x, norm.x.ext(), s);
            const auto outer = program<0, 0>(x, x.ext(), s);
            return ops::normalized<std::remove_cvref_t<decltype(norm.policy)>, std::remove_const_t<decltype(inner)>,
                                   std::remove_const_t<decltype(outer)>>{norm.policy, inner, outer};
        } else {
            const auto p = detail::leaf_program(materialize(x, s), x.ext());
            return ops::mapped<std::remove_const_t<decltype(p)>>{p};
        }
    }
};

} // namespace apriori
