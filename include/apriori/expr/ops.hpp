// SPDX-License-Identifier: Apache-2.0
// The primitives: what expressions are lowered to and what a device implements, as `status run(const Op&)` for each.
// They carry programs, pointers, strides and run-time extents, and never a configuration.
#pragma once

#include "apriori/expr/attention.hpp"
#include "apriori/expr/program.hpp"

#include <cstddef>

namespace apriori::ops {

/// Where row r of a result goes; its columns are contiguous.
struct output {
    float* p = nullptr;
    row_map map{};
    APRIORI_HD float* row(index_t r) const noexcept { return p + map(r); }
};

/// The left operand of a contraction: rows of an element-wise program.
template <class Program>
struct mapped {
    using program_type = Program;
    static constexpr bool direct = std::is_same_v<Program, el::matrix>; ///< rows in memory as they are
    Program program;
};

/// The left operand of a contraction: normalised rows. `inner` gives what is normalised, `outer` is applied after.
template <class Policy, class Inner, class Outer>
struct normalized {
    static constexpr bool direct = false;
    Policy policy;
    Inner inner;
    Outer outer;
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
};

/// A matrix per batch item, addressed by strides in elements.
struct batched_matrix {
    const float* p = nullptr;
    row_map batch{};
    index_t row = 0, col = 0;
};

/// out[b m + i, j] = epilogue(sum_k a[b][i, k] b[b][k, j]), both operands activations.
template <class Epilogue>
struct matmul {
    batched_matrix a, b;
    Epilogue epilogue;
    output out;
    index_t batch, m, n, k;
    std::byte* scratch = nullptr;
};

/// out[r, c] = outer(policy(inner[r, :])[c]).
template <class Policy, class Inner, class Outer>
struct normalize {
    normalized<Policy, Inner, Outer> input;
    output out;
    index_t rows, cols;
    std::byte* scratch = nullptr;
};

/// out[r, 0] = outer(policy(inner[r, :])), one number a row.
template <class Policy, class Inner, class Outer>
struct reduce {
    normalized<Policy, Inner, Outer> input;
    output out;
    index_t rows, cols;
    std::byte* scratch = nullptr;
};

/// out[r, c] = program[r, c].
template <class Program>
struct map {
    Program program;
    output out;
    index_t rows, cols;
    std::byte* scratch = nullptr;
};

/// out = epilogue(softmax(scale q k^T + bias) v); row r of q, k and v lies at r * their stride, head h at column h * head_dim.
template <class Epilogue>
struct attention {
    const float *q, *k, *v;
    index_t q_stride, k_stride, v_stride;
    index_t heads, head_dim;
    attention_rows sequences;
    float scale;
    Epilogue epilogue;
    output out;
    std::byte* scratch = nullptr;
};

} // namespace apriori::ops
