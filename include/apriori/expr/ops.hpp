// SPDX-License-Identifier: Apache-2.0
// The primitives: what expressions are lowered to and what a device implements, as a `status run(const Op&)` for each.
// They hold programs, pointers, strides and run-time extents, never a configuration. Each describes its launch.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/attention_rows.hpp"
#include "apriori/expr/norms.hpp"
#include "apriori/expr/program.hpp"

#include <cstddef>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::ops {

/// Where row r of a result goes; its columns are contiguous.
template <class T, class Map = row_map>
struct output_to {
    using element = T;
    T* p = nullptr;
    Map map{};
    APRIORI_HD constexpr T* row(index_t r) const noexcept { return p + map(r); }
};
using output = output_to<float>;

/// The left operand of a contraction: rows of an element-wise program.
template <class Program>
struct mapped {
    Program program;

    constexpr void describe(launch& l, index_t rows, index_t k) const { l.add(program, l.prologue, rows, k); }
};

/// The left operand of a contraction: normalised rows. `inner` gives the elements to normalise; `outer` is applied
/// after.
template <class Policy, class Inner, class Outer>
struct normalized {
    using number = norms::computed_in<Policy, el::value_of<Inner>>; ///< the type that the policy computes in
    Policy policy;
    Inner inner;
    Outer outer;

    /// Describes the norm and its input.
    constexpr void describe_inner(launch& l, index_t rows, index_t k) const {
        l.add(inner, l.prologue, rows, k);
        l.flops += Policy::flops * rows * k;
    }
    constexpr void describe(launch& l, index_t rows, index_t k) const {
        describe_inner(l, rows, k);
        l.prologue.add(Policy::name);
        l.add(outer, l.prologue, rows, k);
    }
};

/// out[r, j] = epilogue(sum_k input[r, k] W[j, k]).
template <class Input, class Packed, class Epilogue>
struct contraction {
    Input input;
    Packed weights;
    Epilogue epilogue;
    output out;
    index_t rows, n, k;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "contraction", .rows = rows, .cols = n, .depth = k};
        input.describe(l, rows, k);
        l.flops += 2 * rows * n * k;
        l.bytes += std::int64_t(Packed::stored_bytes(n, k));
        l.add_epilogue<float>(epilogue, rows, n);
        return l;
    }
};

/// One matrix for each item of a batch, addressed by strides in elements.
template <class T, class Map = row_map>
struct batched_matrix_of {
    const T* p = nullptr;
    Map batch{};
    index_t row = 0, col = 0;
};
using batched_matrix = batched_matrix_of<float>;

/// out[b m + i, j] = epilogue(sum_k a[b][i, k] b[b][k, j]); both operands are activations. Items of a batch may share a
/// matrix.
template <class Epilogue, class T = float, class Map = row_map>
struct matmul {
    batched_matrix_of<T, Map> a, b;
    Epilogue epilogue;
    output_to<T> out;
    index_t batch, m, n, k;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "matmul", .batch = batch, .rows = m, .cols = n, .depth = k};
        l.flops = 2 * batch * m * n * k;
        l.bytes = std::int64_t{sizeof(T)} * batch * (m * k + k * n);
        l.add_epilogue<T>(epilogue, batch * m, n);
        return l;
    }
};

/// out[r, c] = outer(policy(inner[r, :])[c]).
template <class Policy, class Inner, class Outer, class Out = output>
struct normalize {
    normalized<Policy, Inner, Outer> input;
    Out out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = Policy::name, .rows = rows, .cols = cols};
        input.describe_inner(l, rows, cols);
        l.add_epilogue<typename Out::element>(input.outer, rows, cols);
        return l;
    }
};

/// out[r, 0] = outer(policy(inner[r, :])), one number for each row.
template <class Policy, class Inner, class Outer, class Out = output>
struct reduce {
    normalized<Policy, Inner, Outer> input;
    Out out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = Policy::name, .rows = rows, .cols = 1, .depth = cols};
        input.describe_inner(l, rows, cols);
        l.add_epilogue<typename Out::element>(input.outer, rows, 1);
        return l;
    }
};

/// out[r, c] = program[r, c].
template <class Program, class Out = output>
struct map {
    Program program;
    Out out;
    index_t rows, cols;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        launch l{.primitive = "map", .rows = rows, .cols = cols};
        l.add_epilogue<typename Out::element>(program, rows, cols);
        return l;
    }
};

/// out = epilogue(softmax(scale q k^T + bias) v). Row r of q, k and v begins at r * its stride, head h at column
/// h * head_dim. Factors of products are rounded to Products, float or bfloat16.
template <class Epilogue, class Products = float>
struct attention {
    const float *q, *k, *v;
    index_t q_stride, k_stride, v_stride;
    index_t heads, head_dim;
    attention_rows sequences;
    float scale;
    Epilogue epilogue;
    output out;
    std::byte* scratch = nullptr;

    constexpr launch describe() const {
        const index_t t = sequences.tokens, rows = sequences.count * t, width = heads * head_dim;
        launch l{.primitive = "attention", .batch = sequences.count * heads, .rows = t, .cols = head_dim, .depth = t};
        l.flops = sequences.count * heads * t * t * (4 * head_dim + 6);
        l.bytes = 4 * rows * width * 3;
        l.add_epilogue<float>(epilogue, rows, width);
        return l;
    }
};

/// Attention of a few rows to keys and values that earlier passes have stored. Row r of `own`, with q, k and v side by
/// side, begins at own + r * stride. The keys of row r of a group's past begin at past.row(layer, r), followed by its
/// values.
struct cached_attention {
    const float* own;
    index_t stride;
    index_t heads, head_dim, layer;
    attention_groups groups;
    float scale;
    float* out; ///< [out_rows, heads * head_dim], with rows out_stride apart
    index_t out_stride;
    std::byte* scratch = nullptr;

    /// Keys and values count as read once for each query that sees them: an upper bound if queries share a cache.
    constexpr launch describe() const {
        launch l{.primitive = "cached_attention",
                 .batch = heads,
                 .rows = groups.out_rows,
                 .cols = head_dim,
                 .depth = groups.max_keys};
        l.flops = groups.scores * heads * (4 * head_dim + 6);
        l.bytes = 4 * heads * head_dim * (2 * groups.scores + 2 * groups.out_rows);
        return l;
    }
};

} // namespace apriori::ops
APRIORI_END_EXACT_MATH
