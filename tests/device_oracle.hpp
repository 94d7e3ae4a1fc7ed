// SPDX-License-Identifier: Apache-2.0
// The oracle: a device that computes every primitive in double, one element after the other, by its formula. It also
// bounds how far a float32 device may be from each element.
#pragma once

#include "apriori/device/concept.hpp"
#include "apriori/device/host_memory.hpp"
#include "apriori/expr/normalize.hpp"
#include "apriori/expr/strided.hpp"
#include "device_oracle_real.hpp"

namespace oracle {

using apriori::index_t;
namespace el = apriori::el;
namespace norms = apriori::norms;
namespace ops = apriori::ops;

// ---- element (r, c) of a program, by its own recursion ----

template <class T>
real element(const el::acc_of<T>&, index_t, index_t, real acc) {
    return acc;
}
inline real element(const el::scalar& s, index_t, index_t, real) { return {static_cast<double>(s.number), 0}; }
inline real element(const el::vector& v, index_t, index_t c, real) { return read(v.p + c); }
inline real element(const el::matrix& m, index_t r, index_t c, real) { return read(m.p + m.map(r) + c); }
inline real element(const el::column& v, index_t r, index_t, real) { return read(v.p + v.map(r)); }
inline real element(const el::strided& m, index_t r, index_t c, real) { return read(m.p + m.map(r) + c * m.stride); }
inline real element(const el::gathered& g, index_t r, index_t c, real) { return read(g.p + g.rows[r] * g.stride + c); }
inline real element(const el::attention_bias& b, index_t r, index_t c, real) {
    const index_t sequence = r / (b.rows.tokens * b.heads), query = r % b.rows.tokens;
    double bias = b.rows.causal && c > query ? -10000.0 : 0.0;
    if (b.rows.mask && c < b.rows.masked && b.rows.mask[sequence * b.rows.masked + c] == 0) bias -= 10000.0;
    return {bias, 0};
}
template <class F, class... P>
real element(const el::apply<F, P...>& a, index_t r, index_t c, real acc) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return a.f(element(el::get<I>(a.programs), r, c, acc)...);
    }(std::index_sequence_for<P...>{});
}

// ---- norms and reductions of a row ----

using row = std::vector<real>;

inline real number(double x) { return {x, 0}; }
inline real mean(const row& x) { return sum(x) / number(static_cast<double>(x.size())); }
template <class F>
row each(const row& x, F f) {
    row y;
    y.reserve(x.size());
    for (real a : x) y.push_back(f(a));
    return y;
}

inline row normalize(const norms::layer_norm& p, const row& x) {
    const real m = mean(x);
    const row centred = each(x, [m](real a) { return a - m; });
    const real variance = mean(each(centred, [](real d) { return d * d; }));
    const real deviation = sqrt(variance + number(static_cast<double>(p.eps)));
    return each(centred, [deviation](real d) { return d * (number(1) / deviation); });
}
inline row normalize(const norms::rms_norm& p, const row& x) {
    const real square = mean(each(x, [](real a) { return a * a; }));
    const real root = sqrt(square + number(static_cast<double>(p.eps)));
    return each(x, [root](real a) { return a * (number(1) / root); });
}
inline row normalize(const norms::softmax&, const row& x) {
    const real m = largest(x);
    const row e = each(x, [m](real a) { return exp(a - m); });
    const real whole = sum(e);
    return each(e, [whole](real a) { return a * (number(1) / whole); });
}
inline real reduce(const norms::sum&, const row& x) { return sum(x); }
inline real reduce(const norms::mean&, const row& x) { return mean(x); }
inline real reduce(const norms::variance& p, const row& x) {
    const real m = mean(x);
    return sum(each(x, [m](real a) { return (a - m) * (a - m); })) /
           number(static_cast<double>(x.size()) - static_cast<double>(p.correction));
}
inline real reduce(const norms::max&, const row& x) { return largest(x); }
inline real reduce(const norms::min&, const row& x) {
    return -largest(each(x, [](real a) { return -a; }));
}

template <class P>
row row_of(const P& program, index_t r, index_t cols) {
    row x;
    for (index_t c = 0; c < cols; ++c) x.push_back(element(program, r, c, real{}));
    return x;
}
template <class P>
row input_row(const ops::mapped<P>& in, index_t r, index_t k) {
    return row_of(in.program, r, k);
}
template <class Policy, class I, class O>
row input_row(const ops::normalized<Policy, I, O>& in, index_t r, index_t k) {
    row x = normalize(in.policy, row_of(in.inner, r, k));
    for (index_t c = 0; c < k; ++c)
        x[static_cast<std::size_t>(c)] = element(in.outer, r, c, x[static_cast<std::size_t>(c)]);
    return x;
}
/// n numbers with a stride.
inline row line(const float* p, index_t n, index_t stride) {
    row x;
    for (index_t i = 0; i < n; ++i) x.push_back(read(p + i * stride));
    return x;
}

/// A weight matrix [n, k], unpacked.
struct matrix {
    float* data = nullptr;
    index_t n = 0, k = 0;
    constexpr matrix() = default;
    matrix(std::byte* p, index_t rows, index_t cols) : data(reinterpret_cast<float*>(p)), n(rows), k(cols) {}
    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return static_cast<std::size_t>((n * k + 15) / 16 * 64);
    }
};

template <bool FusesPrologue = true>
class device : public apriori::host_memory {
public:
    static constexpr const char* name = "oracle";
    static constexpr bool fuses_prologue = FusesPrologue;
    using status = apriori::status;
    template <class Format>
    using packed = matrix;

    status pack(matrix w, index_t first, std::span<const float> rows) {
        std::copy(rows.begin(), rows.end(), w.data + first * w.k);
        return {};
    }
    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op&) {
        return 0;
    }

    template <class I, class E>
    status run(const ops::contraction<I, matrix, E>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const row x = input_row(op.input, r, op.k);
            row y;
            for (index_t j = 0; j < op.n; ++j) y.push_back(dot(x, line(op.weights.data + j * op.k, op.k, 1)));
            finish(op.epilogue, r, y, op.out);
        }
        return {};
    }
    template <class E>
    status run(const ops::matmul<E>& op) {
        for (index_t i = 0; i < op.batch * op.m; ++i) {
            const index_t b = i / op.m;
            const row x = line(op.a.p + op.a.batch(b) + i % op.m * op.a.row, op.k, op.a.col);
            row y;
            for (index_t j = 0; j < op.n; ++j)
                y.push_back(dot(x, line(op.b.p + op.b.batch(b) + j * op.b.col, op.k, op.b.row)));
            finish(op.epilogue, i, y, op.out);
        }
        return {};
    }
    template <class Policy, class I, class O>
    status run(const ops::normalize<Policy, I, O>& op) {
        for (index_t r = 0; r < op.rows; ++r)
            finish(op.input.outer, r, normalize(op.input.policy, row_of(op.input.inner, r, op.cols)), op.out);
        return {};
    }
    template <class Policy, class I, class O>
    status run(const ops::reduce<Policy, I, O>& op) {
        for (index_t r = 0; r < op.rows; ++r)
            finish(op.input.outer, r, {reduce(op.input.policy, row_of(op.input.inner, r, op.cols))}, op.out);
        return {};
    }
    template <class Op>
    static row column_of(const Op& op, index_t g, index_t c) {
        row x;
        for (index_t i = 0; i < op.in.depth; ++i) x.push_back(element(op.input.inner, g * op.in.depth + i, c, real{}));
        return x;
    }
    template <class Policy, class I, class O>
    status run(const ops::reduce_columns<Policy, I, O>& op) {
        for (index_t g = 0; g < op.in.groups; ++g) {
            row y;
            for (index_t c = 0; c < op.in.cols; ++c) y.push_back(reduce(op.input.policy, column_of(op, g, c)));
            finish(op.input.outer, g, y, op.out);
        }
        return {};
    }
    template <class Policy, class I, class O>
    status run(const ops::normalize_columns<Policy, I, O>& op) {
        for (index_t g = 0; g < op.in.groups; ++g) {
            std::vector<row> rows(static_cast<std::size_t>(op.in.depth));
            for (index_t c = 0; c < op.in.cols; ++c) {
                const row y = normalize(op.input.policy, column_of(op, g, c));
                for (std::size_t i = 0; i < y.size(); ++i) rows[i].push_back(y[i]);
            }
            for (index_t i = 0; i < op.in.depth; ++i)
                finish(op.input.outer, g * op.in.depth + i, rows[static_cast<std::size_t>(i)], op.out);
        }
        return {};
    }
    template <class P, class Out>
    status run(const ops::map_strided<P, Out>& op) {
        for (index_t r = 0; r < op.rows; ++r)
            for (index_t c = 0; c < op.cols; ++c)
                write(op.out.row(r) + c * op.stride, element(op.program, r, c, real{}));
        return {};
    }
    template <class Out, class... P>
    status run(const ops::map_interleaved<Out, P...>& op) {
        for (index_t r = 0; r < op.rows; ++r)
            for (index_t c = 0; c < op.cols; ++c) {
                auto* to = op.out.row(r) + c * op.stride;
                el::unpack([&](const P&... p) { (write(to++, element(p, r, c, real{})), ...); }, op.programs);
            }
        return {};
    }
    template <class P>
    status run(const ops::map<P>& op) {
        for (index_t r = 0; r < op.rows; ++r) finish(el::acc{}, r, row_of(op.program, r, op.cols), op.out);
        return {};
    }
    template <class E>
    status run(const ops::attention<E>& op) {
        const index_t t = op.sequences.tokens, d = op.head_dim;
        const el::attention_bias bias{op.sequences, 1};
        for (index_t r = 0; r < op.sequences.count * t; ++r) {
            const index_t first = r / t * t; // the first row of the sequence
            row y;
            for (index_t h = 0; h < op.heads; ++h) {
                const row q = line(op.q + r * op.q_stride + h * d, d, 1);
                row scores;
                for (index_t j = 0; j < t; ++j)
                    scores.push_back(dot(q, line(op.k + (first + j) * op.k_stride + h * d, d, 1)) *
                                         number(static_cast<double>(op.scale)) +
                                     element(bias, r, j, real{}));
                const row weights = normalize(norms::softmax{}, scores);
                for (index_t c = 0; c < d; ++c)
                    y.push_back(dot(weights, line(op.v + first * op.v_stride + h * d + c, t, op.v_stride)));
            }
            finish(op.epilogue, r, y, op.out);
        }
        return {};
    }
    status run(const ops::cached_attention& op) {
        const index_t d = op.head_dim, width = op.heads * d;
        for (index_t i = 0; i < op.groups.count; ++i) {
            const apriori::attention_group& g = op.groups.groups[i];
            for (index_t q = g.first_query; q < g.first_query + g.queries; ++q) {
                std::vector<const float*> seen; // rows [k, v]
                for (const auto& past : g.past)
                    for (index_t j = 0; j < past.count; ++j) seen.push_back(past.row(op.layer, j));
                for (index_t j = g.first_row; j <= q; ++j)
                    if (op.groups.causal || j == q) seen.push_back(op.own + j * op.stride + width);
                for (index_t h = 0; h < op.heads; ++h) {
                    row scores;
                    for (const float* k : seen)
                        scores.push_back(dot(line(op.own + q * op.stride + h * d, d, 1), line(k + h * d, d, 1)) *
                                         number(static_cast<double>(op.scale)));
                    const row weights = normalize(norms::softmax{}, scores);
                    for (index_t c = h * d; c < (h + 1) * d; ++c) {
                        row values;
                        for (const float* v : seen) values.push_back(read(v + width + c));
                        write(op.out + (g.first_out + q - g.first_query) * op.out_stride + c, dot(weights, values));
                    }
                }
            }
        }
        return {};
    }

private:
    /// Row r of a result. The whole row is computed before any of it is written, since `out` may be an operand.
    template <class E>
    static void finish(const E& epilogue, index_t r, row y, const ops::output& out) {
        for (std::size_t c = 0; c < y.size(); ++c) y[c] = element(epilogue, r, static_cast<index_t>(c), y[c]);
        for (std::size_t c = 0; c < y.size(); ++c) write(out.row(r) + c, y[c]);
    }
};

static_assert(apriori::device<device<>>);

} // namespace oracle
