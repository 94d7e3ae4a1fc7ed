// SPDX-License-Identifier: Apache-2.0
// Plans: the launches that an expression becomes on a device, found at compile time by lowering it for a device that
// records them instead of running them.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/launch.hpp"
#include "apriori/expr/lower.hpp"

#include <string>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// The launches of an expression, in order, and the bytes of workspace that they need.
template <int Capacity>
struct launch_plan {
    std::array<launch, std::size_t{Capacity}> launches{};
    int count = 0;
    std::size_t workspace = 0;

    constexpr int size() const noexcept { return count; }
    constexpr const launch& operator[](int i) const noexcept { return at(launches, i); }
    constexpr std::int64_t flops() const noexcept {
        std::int64_t n = 0;
        for (int i = 0; i < count; ++i) n += (*this)[i].flops;
        return n;
    }
    constexpr std::int64_t bytes() const noexcept {
        std::int64_t n = 0;
        for (int i = 0; i < count; ++i) n += (*this)[i].bytes;
        return n;
    }
};

/// Stands in for Device and records the launches that it would make.
template <class Device, int Capacity>
struct planner {
    static constexpr bool fuses_prologue = Device::fuses_prologue;
    static constexpr bool fuses_rows = detail::fuses_rows<Device>;
    static constexpr const char* name = Device::name;
    static constexpr bool is_planner = true; ///< views have no memory

    launch_plan<Capacity> plan{};

    static constexpr std::size_t scratch_bytes(const auto& op) { return Device::scratch_bytes(op); }
    template <class Op>
    requires runs<Device, Op>
    constexpr status run(const Op& op) {
        if (plan.count == Capacity)
            return status::invalid("plan: more launches than its capacity", plan.count, Capacity);
        at(plan.launches, plan.count++) = op.describe();
        return {};
    }
};

/// The plan of what `body(context)` assigns, on Device; its count is -1 if that fails.
template <class Device, int Capacity = 64, class Body>
constexpr launch_plan<Capacity> plan_body(Body&& body) {
    planner<Device, Capacity> device;
    workspace memory;
    context to(device, memory);
    if constexpr (std::is_void_v<decltype(body(to))>)
        body(to);
    else
        to.check(body(to));
    launch_plan<Capacity> plan = device.plan;
    if (!to.state) plan.count = -1;
    plan.workspace = memory.high_water();
    return plan;
}

/// The workspace of what `body(context)` assigns, in bytes. The context has the type that runs on Device, so that one
/// instantiation of a body both measures and runs.
template <class Device>
constexpr std::size_t workspace_of(auto&& body) {
    workspace counting;
    context<Device> to(counting);
    body(to);
    return counting.high_water();
}

/// The plan of `x` written into a dense tensor of its shape.
template <class Device, expression X>
constexpr launch_plan<64> plan(const X& x) {
    using destination = view<element_of<X>, extents_of<X>>;
    return plan_body<Device>([&](auto& to) { return to.assign(destination(nullptr, as_node(x).ext()), x); });
}

/// The plan of an expression type; run-time extents count as 1.
template <class X, class Device>
inline constexpr launch_plan<64> plan_of = plan<Device>(X{});

/// out = x on a device, with temporaries in `span` (aligned to buffer_alignment). Nothing is written if the span is
/// smaller than plan<Device>(x).workspace (workspace_too_small) or run-time extents do not fit (shape_mismatch).
template <class Device, class T, class E, layout L, operand X>
status assign(Device& device, std::span<std::byte> span, const view<T, E, L>& out, const X& x) {
    workspace counting;
    if (const status s = context<Device>(counting).assign(view<T, E, L>(nullptr, out.ext(), out.strides), x); !s)
        return s;
    if (const status s = check_workspace(span, counting.high_water()); !s) return s;
    workspace memory(span);
    return context<Device>(device, memory).assign(out, x);
}

/// The same into a tensor.
template <class Device, class T, class E, class S, operand X>
status assign(Device& device, std::span<std::byte> span, tensor<T, E, S>& out, const X& x) {
    return assign(device, span, out.view(), x);
}
/// A compile error that says why this is not an assignment.
template <class Device, class Out, class X>
requires(!(is_view<std::remove_cvref_t<Out>> || is_tensor<std::remove_cvref_t<Out>>) || !operand<X>)
status assign(Device&, std::span<std::byte>, Out&&, const X&) {
    static_assert(is_view<std::remove_cvref_t<Out>> || is_tensor<std::remove_cvref_t<Out>>,
                  "apriori: assign: the destination is a view or a tensor");
    static_assert(operand<X>, "apriori: assign: what is assigned is an expression, a view, a tensor or a number");
    return {};
}

/// A plan as text, one launch per line: the prologue before the primitive, the epilogue after it.
template <int Capacity>
std::string describe(const launch_plan<Capacity>& plan) {
    std::string text; // grown only by +=: gcc 12 reports literal + string as an overlapping copy
    const auto add = [&text](auto... parts) {
        const auto one = [&text](auto part) {
            if constexpr (std::is_integral_v<decltype(part)>)
                text += std::to_string(part);
            else
                text += part;
        };
        (one(parts), ...);
    };
    const auto add_names = [&](const char* before, const name_list& l, const char* after) {
        for (int i = 0; i < l.count; ++i) add(i == 0 ? before : ", ", at(l.names, i));
        if (l.count > 0) add(after);
    };
    for (int i = 0; i < plan.count; ++i) {
        const launch& l = plan[i];
        add(i + 1, ". ");
        add_names("[", l.prologue, "] ");
        add(l.primitive);
        add_names(" [", l.epilogue, "]");
        add("  ");
        if (l.batch > 1) add(l.batch, " x ");
        add(l.rows, " x ", l.cols);
        if (l.depth) add(" over ", l.depth);
        add("  ", l.flops, " FLOP  ", l.bytes, " bytes\n");
    }
    add("workspace ", plan.workspace, " bytes\n");
    return text;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
