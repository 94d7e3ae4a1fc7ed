// SPDX-License-Identifier: Apache-2.0
// Five operations that apriori does not have, one of each kind: an element-wise function, a norm, a reduction, a view operation,
// and a primitive with a kernel for cpu and one for cuda. Nothing of the library is changed, and nothing of its namespaces
// `detail` is used.
#pragma once

#include <apriori/expr.hpp>
#ifdef OWN_OPERATIONS_CUDA // what nvcc compiles
#include <apriori/device/cuda/device.hpp>
#else
#include <apriori/device/cpu/device.hpp>
#endif

#include <cmath>
#include <limits>

namespace own {

using apriori::expression;
using apriori::extents;
using apriori::index_t;
using apriori::layout;
using apriori::status;
using apriori::view;

// ---- an element-wise function -------------------------------------------------------------------------------------------

/// x / (1 + |x|).
struct softsign_function {
    static constexpr const char* name = "softsign";
    static constexpr int flops = 3;
    APRIORI_HD auto operator()(auto x) const noexcept {
        using std::abs; // registers bring their own
        return x / (apriori::fn::set(x, 1.0f) + abs(x));
    }
};
constexpr auto softsign(expression auto&& x) {
    return apriori::elementwise(softsign_function{}, std::forward<decltype(x)>(x));
}

// ---- a norm and a reduction ---------------------------------------------------------------------------------------------

/// x / sqrt(sum x^2) over a row.
struct unit_policy {
    static constexpr const char* name = "unit";
    static constexpr int flops = 3;
    APRIORI_HD float reduce(const auto& row, index_t) const noexcept {
        return 1.0f / std::sqrt(row.sum(apriori::fn::squared{}));
    }
    APRIORI_HD static auto apply(float inverse, auto x) noexcept { return x * apriori::fn::set(x, inverse); }
};
constexpr auto unit(expression auto&& x) { return apriori::normalize(unit_policy{}, std::forward<decltype(x)>(x)); }

/// log sum exp(x) over a row, relative to its largest element, so that no exponential overflows.
struct log_sum_exp_policy {
    static constexpr const char* name = "log_sum_exp";
    static constexpr int flops = 4;
    APRIORI_HD float reduce(const auto& row, index_t) const noexcept {
        const float largest = (row.max)(apriori::fn::identity{});
        return largest + std::log(row.sum(apriori::fn::exp_from{largest}));
    }
};
template <int... Axes>
constexpr auto log_sum_exp(expression auto&& x) {
    return apriori::reduce<Axes...>(log_sum_exp_policy{}, std::forward<decltype(x)>(x));
}

// ---- a view operation ---------------------------------------------------------------------------------------------------

/// The diagonal of a square matrix from the upper right corner: each element is one row below and one column before the last.
struct antidiagonal_operation {
    static constexpr const char* name = "antidiagonal";

    template <class T, class E, layout L>
    constexpr auto operator()(const view<T, E, L>& x) const {
        static_assert(E::rank == 2, "antidiagonal: the operand is no matrix");
        using result_extents = extents<E::fixed(0) != apriori::dyn ? E::fixed(0) : E::fixed(1)>;
        const index_t n = x.ext()[0] == x.ext()[1] ? x.ext()[0] : -1; // which an assignment refuses
        return view<T, result_extents, layout::strided>(apriori::advance(x.data, n > 0 ? (n - 1) * x.stride(1) : 0),
                                                        apriori::extents_of_sizes<result_extents>({n}),
                                                        {x.stride(0) - x.stride(1)});
    }
    /// What an expression is told before anything runs.
    constexpr status check(const auto& e) const {
        return e[0] == e[1] ? status{} : status::shape("antidiagonal: the matrix is not square", e[0], e[1]);
    }
};
/// Free on what has memory; on an expression, which is written first, free after that.
constexpr auto antidiagonal(expression auto&& x) {
    return apriori::view_operation(antidiagonal_operation{}, std::forward<decltype(x)>(x));
}

// ---- a primitive --------------------------------------------------------------------------------------------------------

#ifdef OWN_OPERATIONS_CUDA
/// A thread for each row: short to read. A fast kernel would have a warp for each.
template <class Op>
__global__ void __launch_bounds__(128) running_max_kernel(const __grid_constant__ Op op) {
    const index_t r = index_t{blockIdx.x} * index_t{blockDim.x} + index_t{threadIdx.x};
    if (r < op.rows) op.compute_row(r);
}
#endif

/// out[r, c] = epilogue(the largest of input[r, 0 .. c]).
template <class Program, class Epilogue>
struct running_max_primitive {
    Program input;
    Epilogue epilogue;
    apriori::ops::output out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr apriori::launch describe() const {
        apriori::launch l{.primitive = "running_max", .rows = rows, .cols = cols};
        l.add(input, l.prologue, rows, cols);
        l.flops += rows * cols;
        l.add_epilogue(epilogue, rows, cols);
        return l;
    }

    APRIORI_HD void compute_row(index_t r) const {
        const auto x = input.row(r);
        const auto after = epilogue.row(r);
        float* const to = out.row(r);
        float largest = x.at(0, 0.0f);
        for (index_t c = 0; c < cols; ++c) {
            const float v = x.at(c, 0.0f);
            largest = v > largest ? v : largest;
            to[c] = after.at(c, largest);
        }
    }

#ifdef OWN_OPERATIONS_CUDA
    template <int Sm>
    status run_on(apriori::cuda<Sm>& device) const {
        constexpr int threads = 128;
        if (cols <= 0) return {};
        return apriori::cuda_kernels::launch(device.stream(), apriori::ceil_div(rows, threads), threads,
                                             running_max_kernel<running_max_primitive>, *this);
    }
#else
    template <class Arch, class Executor>
    status run_on(apriori::cpu<Arch, Executor>&) const {
        for (index_t r = 0; r < rows && cols > 0; ++r) compute_row(r);
        return {};
    }
#endif
};

/// The node: it has the shape of its operand, and takes in what is element-wise below it and around it.
template <class X>
struct running_max_node {
    using apriori_expression = void;
    using extents_type = apriori::extents_of<X>;
    static constexpr const char* name = "running_max";
    static constexpr int epilogue_worth = 1;

    X x;

    constexpr extents_type ext() const { return x.ext(); }
    constexpr status check() const { return apriori::check_extents(x); }

    template <class Context, class Out, class Epilogue>
    constexpr void lower(Context& to, const Out& out, const Epilogue& epilogue) const {
        const auto input = to.program(x, x.ext());
        to.run(running_max_primitive<std::remove_const_t<decltype(input)>, Epilogue>{
            input, epilogue, to.output_of(out), out.ext().rows(), out.ext().cols()});
    }
};
/// The largest element so far, along the last axis.
template <expression X>
constexpr auto running_max(X&& x) {
    return running_max_node<apriori::node_t<X>>{apriori::as_node(std::forward<X>(x))};
}

} // namespace own
