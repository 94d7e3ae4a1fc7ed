// SPDX-License-Identifier: Apache-2.0
// A user's own device: plain loops on the host for every primitive. It runs the model in examples/digits, and its
// numbers are compared with those of the CPU device.
#include "digits.hpp"

#include "apriori/core/philox.hpp"
#include "apriori/device/host_memory.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace apriori;

/// A weight matrix [n, k], unpacked: row-major.
struct loops_packed {
    const float* data = nullptr;
    index_t n = 0, k = 0;

    constexpr loops_packed() = default;
    loops_packed(std::byte* p, index_t outputs, index_t depth)
        : data(reinterpret_cast<const float*>(p)), n(outputs), k(depth) {}
    static constexpr std::size_t stored_bytes(index_t n, index_t k) {
        return static_cast<std::size_t>(round_up(n * k * 4, static_cast<index_t>(buffer_alignment)));
    }
};

/// Memory is the host's: host_memory has `buffer`, `allocate`, `upload`, `download` and `synchronize`.
class loops : public host_memory {
public:
    static constexpr const char* name = "loops";
    static constexpr bool fuses_prologue = false; // norms below a contraction need their own launches
    template <class Format>
    requires std::same_as<Format, f32>
    using packed = loops_packed;

    /// Copies rows `first` and on of w from float32, in the device's layout.
    status pack(loops_packed w, index_t first, std::span<const float> rows) {
        std::copy(rows.begin(), rows.end(), const_cast<float*>(w.data) + first * w.k);
        return {};
    }

    // ---- the primitives: out[r, c] = the epilogue of the loop's result ---------------------------------------------

    template <class P, class E>
    status run(const ops::contraction<ops::mapped<P>, loops_packed, E>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const auto x = op.input.program.row(r);
            store(op.out, op.epilogue, r, op.n, [&](index_t j) {
                return sum(op.k, [&](index_t i) { return x.at(i, 0.0f) * op.weights.data[j * op.k + i]; });
            });
        }
        return {};
    }

    template <class E>
    status run(const ops::matmul<E>& op) {
        for (index_t b = 0; b < op.batch; ++b)
            for (index_t m = 0; m < op.m; ++m) {
                const float* x = op.a.p + op.a.batch(b) + m * op.a.row;
                const float* y = op.b.p + op.b.batch(b);
                store(op.out, op.epilogue, b * op.m + m, op.n, [&](index_t j) {
                    return sum(op.k, [&](index_t i) { return x[i * op.a.col] * y[i * op.b.row + j * op.b.col]; });
                });
            }
        return {};
    }

    template <class Policy, class Inner, class Outer>
    status run(const ops::normalize<Policy, Inner, Outer>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const auto x = op.input.inner.row(r);
            const auto stats = op.input.policy.reduce(reduced_row{x, op.cols}, op.cols);
            store(op.out, op.input.outer, r, op.cols, [&](index_t c) { return Policy::apply(stats, x.at(c, 0.0f)); });
        }
        return {};
    }

    template <class Policy, class Inner, class Outer>
    status run(const ops::reduce<Policy, Inner, Outer>& op) {
        for (index_t r = 0; r < op.rows; ++r) {
            const auto x = op.input.inner.row(r);
            store(op.out, op.input.outer, r, 1,
                  [&](index_t) { return op.input.policy.reduce(reduced_row{x, op.cols}, op.cols); });
        }
        return {};
    }

    template <class Program>
    status run(const ops::map<Program>& op) {
        for (index_t r = 0; r < op.rows; ++r) store(op.out, op.program, r, op.cols, [](index_t) { return 0.0f; });
        return {};
    }

    template <class E>
    status run(const ops::attention<E>& op) {
        const index_t t = op.sequences.tokens, d = op.head_dim;
        float* scores = reinterpret_cast<float*>(op.scratch); // [tokens]
        for (index_t s = 0; s < op.sequences.count; ++s)
            for (index_t i = 0; i < t; ++i)
                for (index_t h = 0; h < op.heads; ++h) {
                    const auto head = [&](const float* p, index_t stride, index_t row) {
                        return p + (s * t + row) * stride + h * d;
                    };
                    const float* q = head(op.q, op.q_stride, i);
                    for (index_t j = 0; j < t; ++j) {
                        const float* k = head(op.k, op.k_stride, j);
                        scores[j] =
                            op.scale * sum(d, [&](index_t c) { return q[c] * k[c]; }) + op.sequences.bias(s, i, j);
                    }
                    const float total = exponentials(scores, t);
                    const auto e = op.epilogue.row(s * t + i);
                    for (index_t c = h * d; c < (h + 1) * d; ++c)
                        op.out.row(s * t + i)[c] = e.at(
                            c,
                            sum(t, [&](index_t j) { return scores[j] / total * op.v[(s * t + j) * op.v_stride + c]; }));
                }
        return {};
    }

    /// For a step of incremental sampling: queries attend to rows of earlier passes and to those of their own pass.
    status run(const ops::cached_attention& op) {
        const index_t d = op.head_dim, width = op.heads * d;
        float* scores = reinterpret_cast<float*>(op.scratch); // [max_keys]
        for (index_t n = 0; n < op.groups.count; ++n) {
            const attention_group& g = op.groups.groups[n];
            for (index_t i = 0; i < g.queries; ++i) {
                const index_t query = g.first_query + i, own = op.groups.causal ? g.first_row : query;
                const float* q = op.own + query * op.stride;
                const auto key = [&](index_t j) { // key j: first those of the two pasts, then those of its own group
                    for (const cached_rows& past : g.past) {
                        if (j < past.count) return past.row(op.layer, j);
                        j -= past.count;
                    }
                    return op.own + (own + j) * op.stride + width;
                };
                const index_t keys = g.past[0].count + g.past[1].count + query - own + 1;
                for (index_t h = 0; h < width; h += d) {
                    for (index_t j = 0; j < keys; ++j)
                        scores[j] = op.scale * sum(d, [&](index_t c) { return q[h + c] * key(j)[h + c]; });
                    const float total = exponentials(scores, keys);
                    for (index_t c = h; c < h + d; ++c)
                        op.out[(g.first_out + i) * op.out_stride + c] =
                            sum(keys, [&](index_t j) { return scores[j] / total * key(j)[width + c]; });
                }
            }
        }
        return {};
    }

    /// The size of op.scratch, which the lowering provides to `run`.
    template <class E>
    static constexpr std::size_t scratch_bytes(const ops::attention<E>& op) {
        return static_cast<std::size_t>(op.sequences.tokens) * sizeof(float);
    }
    static constexpr std::size_t scratch_bytes(const ops::cached_attention& op) {
        return static_cast<std::size_t>(op.groups.max_keys) * sizeof(float);
    }
    template <class Op>
    static constexpr std::size_t scratch_bytes(const Op&) {
        return 0;
    }

private:
    template <class F>
    static float sum(index_t n, F f) {
        float total = 0;
        for (index_t i = 0; i < n; ++i) total += f(i);
        return total;
    }
    /// scores[j] = exp(scores[j] - the largest of them); returns their sum.
    static float exponentials(float* scores, index_t n) {
        const float largest = *std::max_element(scores, scores + n);
        return sum(n, [&](index_t j) { return scores[j] = std::exp(scores[j] - largest); });
    }
    template <class Epilogue, class F>
    static void store(const ops::output& out, const Epilogue& epilogue, index_t r, index_t cols, F value) {
        const auto e = epilogue.row(r);
        for (index_t c = 0; c < cols; ++c) out.row(r)[c] = e.at(c, value(c));
    }

    /// The interface of a row for norms and reductions (expr/norms.hpp).
    template <class Row>
    struct reduced_row {
        const Row& x;
        index_t n;
        template <class F>
        float sum(F f) const {
            return loops::sum(n, [&](index_t c) { return f(x.at(c, 0.0f)); });
        }
        template <class F>
        float max(F f) const {
            float largest = -INFINITY;
            for (index_t c = 0; c < n; ++c) largest = std::max(largest, f(x.at(c, 0.0f)));
            return largest;
        }
    };
    template <class Row>
    reduced_row(const Row&, index_t) -> reduced_row<Row>;
};
static_assert(device<loops>);

// The same expression on two devices: the plans show what one of them fuses and the other does not.
using Rows = view<const float, extents<dyn, 128>>;
template <class Device>
using first_linear =
    decltype(linear(layer_norm(Rows{}, view<const float, extents<128>>{}, view<const float, extents<128>>{}),
                    weight<typename Device::template packed<f32>, 512, 128>{}));
static_assert(plan_of<first_linear<cpu<>>, cpu<>>.size() == 1);
static_assert(plan_of<first_linear<loops>, loops>.size() == 2);

/// Predictions for two prompts: by forward, followed by those of a step of incremental sampling, which agree with them.
template <class Device>
result<std::vector<float>> answers(Device& device) {
    using Model = PriorTransformer<presets::digits, Device>;
    const auto weights = io::open_weights("examples/digits/digits-unclip/prior");
    if (!weights) return weights.error();
    const auto model = Model::load(device, *weights);
    if (!model) return model.error();
    std::printf("%s: %d launches for a forward, %d for a step\n", Device::name, Model::plan({.rows = 2}).size(),
                Model::step_plan({.rows = 2, .samples = 2}).size());

    const extents<dyn, 64> shape(2);
    tensor<float, extents<dyn, 64>> x(shape), pooled(shape);
    tensor<float, extents<2, 16, 64>> text;
    philox_generator(0, 0).randn(x.flat());
    philox_generator(0, 1).randn(pooled.flat());
    philox_generator(0, 2).randn(text.flat());
    const std::uint8_t mask[2][16] = {{1, 1, 1, 1, 1}, {1, 1, 1}};
    const float timesteps[2] = {999, 1.5f};
    std::vector<float> out(4 * 64);

    const host_buffer memory(Model::workspace_bytes({.rows = 2}));
    const auto done = model->forward({.hidden_states = x,
                                      .timestep = {timesteps, extents<dyn>(2)},
                                      .proj_embedding = pooled,
                                      .encoder_hidden_states = text,
                                      .attention_mask = {mask[0], extents<dyn, dyn>(2, 16)}},
                                     out, memory.span(), {.rows = 2});
    if (!done.state.ok()) return to_failure(done.state);

    const prior_prompt prompts[] = {{pooled.flat().first(64), text.flat().first(1024), mask[0]},
                                    {pooled.flat().last(64), text.flat().last(1024), mask[1]}};
    const auto prefix = model->prefix(prompts);
    if (!prefix) return prefix.error();
    const auto kv_cache = model->kv_cache(*prefix, timesteps);
    if (!kv_cache) return kv_cache.error();
    const prior_step<Device> steps[] = {{kv_cache->get(), 0, 0, 0}, {kv_cache->get(), 1, 1, 1}};
    const step_limits two{.rows = 2, .samples = 2};
    const host_buffer step_memory(Model::step_workspace_bytes(two));
    if (const status s = model->step(x.view(), steps, std::span(out).subspan(2 * 64), step_memory.span(), two); !s.ok())
        return to_failure(s);
    return out;
}

int main() {
    loops mine;
    cpu<> theirs;
    const auto a = answers(mine), b = answers(theirs);
    for (const auto* r : {&a, &b})
        if (!*r) {
            std::fprintf(stderr, "write_a_device: %s\n", r->error().message.c_str());
            return 2;
        }
    float devices = 0, ways = 0;
    const auto keep_larger = [](float& worst, float a, float b) {
        if (!(std::abs(a - b) <= worst)) worst = std::abs(a - b);
    };
    for (std::size_t i = 0; i < a->size(); ++i) keep_larger(devices, (*a)[i], (*b)[i]);
    for (std::size_t i = 0; i < 2 * 64; ++i) keep_larger(ways, (*a)[i], (*a)[i + 2 * 64]);
    std::printf("largest difference: %.1e between the devices, %.1e between forward and step\n",
                static_cast<double>(devices), static_cast<double>(ways));
    return devices <= 2e-5f && ways <= 2e-5f ? 0 : 1;
}
