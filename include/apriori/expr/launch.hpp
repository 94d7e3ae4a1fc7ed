// SPDX-License-Identifier: Apache-2.0
// What a launch of a primitive is, in words and numbers: the entries of a plan, and what a recording device writes down.
#pragma once

#include "apriori/expr/cached_attention.hpp"
#include "apriori/expr/ops.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace apriori {

/// A short list of names.
struct name_list {
    static constexpr int capacity = 12;
    std::array<std::string_view, capacity> names{};
    int count = 0;

    constexpr void add(std::string_view name) {
        if (count < capacity) names[static_cast<std::size_t>(count++)] = name;
    }
    constexpr bool contains(std::string_view name) const {
        for (int i = 0; i < count; ++i)
            if (names[static_cast<std::size_t>(i)] == name) return true;
        return false;
    }
    constexpr bool operator==(const name_list&) const = default;
};

/// One launch of a primitive. FLOPs count a multiplication and an addition as two; bytes are those of operands and
/// results, each once.
struct launch {
    std::string_view primitive;
    name_list prologue;
    name_list epilogue;
    index_t batch = 1, rows = 0, cols = 0, depth = 0; ///< depth: the axis that is summed over, 0 where none is
    std::int64_t flops = 0;
    std::int64_t bytes = 0;

    constexpr bool operator==(const launch&) const = default;
};

namespace detail {

constexpr launch launch_of(std::string_view primitive, index_t batch, index_t rows, index_t cols, index_t depth) {
    launch l;
    l.primitive = primitive;
    l.batch = batch;
    l.rows = rows;
    l.cols = cols;
    l.depth = depth;
    return l;
}

/// What a program names, computes and reads.
template <class P>
struct program_facts {
    static constexpr void names(name_list&) {}
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const P&, index_t, index_t) { return 0; }
};
template <>
struct program_facts<el::vector> {
    static constexpr void names(name_list&) {}
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const el::vector&, index_t, index_t cols) { return 4 * cols; }
};
template <>
struct program_facts<el::matrix> {
    static constexpr void names(name_list&) {}
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const el::matrix&, index_t rows, index_t cols) { return 4 * rows * cols; }
};
template <>
struct program_facts<el::strided> {
    static constexpr void names(name_list& l) { l.add("strided"); }
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const el::strided&, index_t rows, index_t cols) { return 4 * rows * cols; }
};
template <>
struct program_facts<el::column> {
    static constexpr void names(name_list&) {}
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const el::column&, index_t rows, index_t) { return 4 * rows; }
};
template <>
struct program_facts<el::gathered> {
    static constexpr void names(name_list& l) { l.add("gather"); }
    static constexpr std::int64_t flops = 0;
    static constexpr std::int64_t bytes(const el::gathered&, index_t rows, index_t cols) {
        return 4 * rows * (cols + 1);
    }
};
template <>
struct program_facts<el::attention_bias> {
    static constexpr void names(name_list& l) { l.add("attention_bias"); }
    static constexpr std::int64_t flops = 0;
    /// A mask is bytes beside the scores' floats, and a plan is the same with it and without.
    static constexpr std::int64_t bytes(const el::attention_bias&, index_t, index_t) { return 0; }
};
template <class F, class... P>
struct program_facts<el::apply<F, P...>> {
    static constexpr void names(name_list& l) {
        (program_facts<P>::names(l), ...);
        l.add(F::name);
    }
    static constexpr std::int64_t flops = (std::int64_t{F::flops} + ... + program_facts<P>::flops);
    static constexpr std::int64_t bytes(const el::apply<F, P...>& p, index_t rows, index_t cols) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return (std::int64_t{0} + ... + program_facts<P>::bytes(el::get<I>(p.programs), rows, cols));
        }(std::index_sequence_for<P...>{});
    }
};

template <class P>
constexpr std::int64_t read_bytes(const P& p, index_t rows, index_t cols) {
    return program_facts<P>::bytes(p, rows, cols);
}
template <class P>
constexpr void add_names(const P&, name_list& l) {
    program_facts<P>::names(l);
}

template <class P>
constexpr void describe_input(const ops::mapped<P>& in, index_t rows, index_t k, launch& l) {
    add_names(in.program, l.prologue);
    l.flops += program_facts<P>::flops * rows * k;
    l.bytes += read_bytes(in.program, rows, k);
}
template <class Policy, class I, class O>
constexpr void describe_input(const ops::normalized<Policy, I, O>& in, index_t rows, index_t k, launch& l) {
    add_names(in.inner, l.prologue);
    l.prologue.add(Policy::name);
    add_names(in.outer, l.prologue);
    l.flops += (program_facts<I>::flops + Policy::flops + program_facts<O>::flops) * rows * k;
    l.bytes += read_bytes(in.inner, rows, k) + read_bytes(in.outer, rows, k);
}
template <class E>
constexpr void describe_epilogue(const E& e, index_t rows, index_t cols, launch& l) {
    add_names(e, l.epilogue);
    l.flops += program_facts<E>::flops * rows * cols;
    l.bytes += read_bytes(e, rows, cols) + 4 * rows * cols;
}

} // namespace detail

template <class I, class P, class E>
constexpr launch describe(const ops::contraction<I, P, E>& op) {
    launch l = detail::launch_of("contraction", 1, op.rows, op.n, op.k);
    detail::describe_input(op.input, op.rows, op.k, l);
    l.flops += 2 * op.rows * op.n * op.k;
    l.bytes += static_cast<std::int64_t>(P::stored_bytes(op.n, op.k));
    detail::describe_epilogue(op.epilogue, op.rows, op.n, l);
    return l;
}
template <class E>
constexpr launch describe(const ops::matmul<E>& op) {
    launch l = detail::launch_of("matmul", op.batch, op.m, op.n, op.k);
    l.flops = 2 * op.batch * op.m * op.n * op.k;
    l.bytes = 4 * op.batch * (op.m * op.k + op.k * op.n);
    detail::describe_epilogue(op.epilogue, op.batch * op.m, op.n, l);
    return l;
}
template <class Policy, class I, class O>
constexpr launch describe(const ops::normalize<Policy, I, O>& op) {
    launch l = detail::launch_of(Policy::name, 1, op.rows, op.cols, 0);
    detail::add_names(op.input.inner, l.prologue);
    l.flops = (detail::program_facts<I>::flops + Policy::flops) * op.rows * op.cols;
    l.bytes = detail::read_bytes(op.input.inner, op.rows, op.cols);
    detail::describe_epilogue(op.input.outer, op.rows, op.cols, l);
    return l;
}
template <class Policy, class I, class O>
constexpr launch describe(const ops::reduce<Policy, I, O>& op) {
    launch l = detail::launch_of(Policy::name, 1, op.rows, 1, op.cols);
    detail::add_names(op.input.inner, l.prologue);
    l.flops = (detail::program_facts<I>::flops + Policy::flops) * op.rows * op.cols;
    l.bytes = detail::read_bytes(op.input.inner, op.rows, op.cols);
    detail::describe_epilogue(op.input.outer, op.rows, 1, l);
    return l;
}
template <class P>
constexpr launch describe(const ops::map<P>& op) {
    launch l = detail::launch_of("map", 1, op.rows, op.cols, 0);
    detail::describe_epilogue(op.program, op.rows, op.cols, l);
    return l;
}
template <class E>
constexpr launch describe(const ops::attention<E>& op) {
    const index_t t = op.sequences.tokens, rows = op.sequences.count * t, width = op.heads * op.head_dim;
    launch l = detail::launch_of("attention", op.sequences.count * op.heads, t, op.head_dim, t);
    l.flops = op.sequences.count * op.heads * t * t * (4 * op.head_dim + 6);
    l.bytes = 4 * rows * width * 3;
    detail::describe_epilogue(op.epilogue, rows, width, l);
    return l;
}

/// Keys and values count as read once for each query that sees them, the bound for caches that are not shared.
constexpr launch describe(const ops::cached_attention& op) {
    const attention_groups& g = op.groups;
    const index_t width = op.heads * op.head_dim;
    launch l = detail::launch_of("cached_attention", op.heads, g.out_rows, op.head_dim, g.max_keys);
    l.flops = g.scores * op.heads * (4 * op.head_dim + 6);
    l.bytes = 4 * width * (2 * g.scores + 2 * g.out_rows);
    return l;
}

} // namespace apriori
