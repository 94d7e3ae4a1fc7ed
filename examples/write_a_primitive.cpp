// SPDX-License-Identifier: Apache-2.0
// A user's own primitive, outside of the library: cumulative sums along rows,
//
//     y[r, c] = x[r, 0] + ... + x[r, c]
//
// It consists of a node, the primitive that the node is lowered to, and a kernel for each device that supports it.
// Plans, workspaces and the recording device then know it; element-wise nodes below it are fused.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/recording.hpp"
#include "apriori/expr.hpp"

#include <cstdio>

using namespace apriori;

namespace mine {

/// The primitive: out[r, c] = sum of program[r, 0 .. c].
template <class Program>
struct cumulative_sum {
    Program program;
    ops::output out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "cumulative_sum", .rows = rows, .cols = cols};
        l.add(program, l.prologue, rows, cols);
        l.flops += rows * cols;
        l.bytes += 4 * rows * cols;
        return l;
    }

    /// The kernel of the CPU. A user's own device has `run`; for a GPU this would launch a kernel on device.stream().
    template <class Arch, class Executor>
    status run_on(cpu<Arch, Executor>&) const {
        for (index_t r = 0; r < rows; ++r) {
            const auto x = program.row(r);
            float sum = 0;
            for (index_t c = 0; c < cols; ++c) out.row(r)[c] = sum += x.at(c, 0.0f);
        }
        return {};
    }
};

/// The node: an expression with the shape of its operand.
template <class X>
struct cumulative_sum_node {
    using apriori_expression = void;
    using extents_type = extents_of<X>;
    static constexpr bool reads_in_order = true; // each element before it is written: x may be the destination

    X x;

    constexpr extents_type ext() const { return x.ext(); }
    constexpr status check() const { return check_extents(x); }

    template <class Context, class Out>
    constexpr void lower(Context& to, const Out& out) const {
        const auto program = to.program(x, x.ext());
        to.run(cumulative_sum<std::remove_const_t<decltype(program)>>{program, to.output_of(out), out.ext().rows(),
                                                                      out.ext().cols()});
    }
};

/// Cumulative sums along the last axis of x.
constexpr auto cumsum(const expression auto& x) {
    return cumulative_sum_node<node_t<std::remove_cvref_t<decltype(x)>>>{as_node(x)};
}

} // namespace mine

int main() {
    tensor<float, extents<3, 20>> x, y;
    for (std::size_t i = 0; i < x.flat().size(); ++i) x.flat()[i] = static_cast<float>(i % 7) - 3.0f;

    // the square is computed where the primitive reads; halving needs its own launch
    const auto e = mine::cumsum(square(x)) * 0.5f;
    constexpr auto planned = plan_of<std::remove_const_t<decltype(e)>, cpu<>>;
    static_assert(planned.size() == 2 && planned[0].primitive == "cumulative_sum");
    static_assert(planned[0].prologue.contains("square") && planned[1].epilogue.contains("multiply"));

    cpu<> processor;
    recording device(processor);
    const host_buffer memory(planned.workspace);
    if (const status s = assign(device, memory.span(), y.view(), e); !s.ok()) {
        std::fprintf(stderr, "write_a_primitive: %s\n", s.what);
        return 1;
    }
    bool right = device.launches.size() == 2;
    for (index_t r = 0; r < 3; ++r) {
        float sum = 0;
        for (index_t c = 0; c < 20; ++c) {
            const auto i = static_cast<std::size_t>(20 * r + c);
            sum += x.flat()[i] * x.flat()[i]; // small integers: exact
            right = right && y.flat()[i] == 0.5f * sum;
        }
    }
    std::printf("%s", describe(planned).c_str());
    return right ? 0 : 1;
}
