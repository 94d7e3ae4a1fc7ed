// SPDX-License-Identifier: Apache-2.0
// PriorTransformer's forward as diffusers writes it, in loops of doubles over run-time sizes: slow, and sharing only
// the names of the parameters with the library.
#pragma once

#include "model_testing.hpp"

#include <map>
#include <numbers>
#include <stdexcept>

namespace model_testing {

class prior_oracle {
public:
    using row = std::vector<double>;
    using rows = std::vector<row>;

    template <apriori::tensor_source Source>
    prior_oracle(const PriorConfig& config, const Source& source) : c_(apriori::canonical(config)) {
        for (std::size_t i = 0; i < source.size(); ++i) {
            const auto info = source.info(i);
            std::vector<float> values(static_cast<std::size_t>(info.size()));
            EXPECT_TRUE(source.read(i, 0, values).ok()) << info.name;
            parameters_[std::string(info.name)] = row(values.begin(), values.end());
        }
    }

    /// predicted_image_embedding, [rows, tokens, clip_embed_dim].
    row operator()(const prior_inputs& x) const {
        row out;
        for (index_t r = 0; r < x.rows; ++r) {
            const rows y = forward(x, static_cast<std::size_t>(r));
            for (const row& token : y) out.insert(out.end(), token.begin(), token.end());
        }
        return out;
    }

    /// latents * clip_std + clip_mean.
    row post_process_latents(const std::vector<float>& latents) const {
        row out;
        const row &mean = at("clip_mean"), &deviation = at("clip_std");
        for (std::size_t i = 0; i < latents.size(); ++i)
            out.push_back(double{latents[i]} * deviation[i % mean.size()] + mean[i % mean.size()]);
        return out;
    }

private:
    const row& at(const std::string& name) const {
        const auto found = parameters_.find(name);
        if (found == parameters_.end()) throw std::runtime_error("no parameter " + name);
        return found->second;
    }

    static rows tokens_of(const std::vector<float>& values, std::size_t r, index_t tokens, index_t batch) {
        rows out;
        const auto n = static_cast<std::size_t>(tokens), width = values.size() / (n * static_cast<std::size_t>(batch));
        for (std::size_t t = 0; t < n; ++t) {
            const auto first = values.begin() + static_cast<std::ptrdiff_t>((r * n + t) * width);
            out.emplace_back(first, first + static_cast<std::ptrdiff_t>(width));
        }
        return out;
    }

    row linear(const row& x, const std::string& name) const {
        row y = at(name + ".bias");
        const row& w = at(name + ".weight");
        for (std::size_t j = 0; j < y.size(); ++j) {
            double sum = 0;
            for (std::size_t i = 0; i < x.size(); ++i) sum += w[j * x.size() + i] * x[i];
            y[j] += sum;
        }
        return y;
    }

    row norm(const row& x, const std::string& name, apriori::norm_type type) const {
        if (type == apriori::norm_type::none) return x;
        const auto n = static_cast<double>(x.size());
        const bool centred = type == apriori::norm_type::layer;
        double mean = 0, square = 0;
        if (centred)
            for (const double v : x) mean += v / n;
        for (const double v : x) square += (v - mean) * (v - mean) / n;
        row y = at(name + ".weight");
        for (std::size_t i = 0; i < x.size(); ++i) y[i] *= (x[i] - mean) / std::sqrt(square + 1e-5);
        if (centred) add(y, at(name + ".bias"));
        return y;
    }

    static double gelu(double v) { return 0.5 * v * (1 + std::erf(v / std::numbers::sqrt2)); }
    double time_activation(double v) const {
        switch (c_.time_embed_act_fn) {
        case apriori::activation::silu:
            return v / (1 + std::exp(-v));
        case apriori::activation::mish:
            return v * std::tanh(std::log1p(std::exp(v)));
        case apriori::activation::gelu:
            return gelu(v);
        default:
            return v > 0 ? v : 0;
        }
    }

    /// The time token. Angles are float32, as in torch.
    row time(float t) const {
        const int half = c_.inner_dim() / 2;
        row waves(static_cast<std::size_t>(c_.inner_dim()));
        for (int i = 0; i < half; ++i) {
            const float f = std::exp(-std::log(10000.0f) * static_cast<float>(i) / static_cast<float>(half));
            const float angle = t * f;
            waves[static_cast<std::size_t>(i)] = std::cos(double{angle});
            waves[static_cast<std::size_t>(half + i)] = std::sin(double{angle});
        }
        row h = linear(waves, "time_embedding.linear_1");
        for (double& v : h) v = time_activation(v);
        return linear(h, "time_embedding.linear_2");
    }

    /// The additive mask of query i and key j.
    double bias(const prior_inputs& x, std::size_t r, std::size_t i, std::size_t j) const {
        if (x.attention_mask.empty()) return 0;
        const auto n = static_cast<std::size_t>(c_.num_embeddings);
        return (j < n && x.attention_mask[r * n + j] == 0 ? -10000.0 : 0.0) + (j > i ? -10000.0 : 0.0);
    }

    void attend(rows& x, const prior_inputs& in, std::size_t r, const std::string& block) const {
        rows q, k, v;
        for (const row& token : x) {
            const row y = norm(token, block + "norm1", apriori::norm_type::layer);
            q.push_back(linear(y, block + "attn1.to_q"));
            k.push_back(linear(y, block + "attn1.to_k"));
            v.push_back(linear(y, block + "attn1.to_v"));
        }
        const auto d = static_cast<std::size_t>(c_.attention_head_dim);
        for (std::size_t i = 0; i < x.size(); ++i) {
            row mixed(x[i].size());
            for (std::size_t head = 0; head < mixed.size(); head += d) {
                row score(x.size());
                double largest = -std::numeric_limits<double>::infinity(), sum = 0;
                for (std::size_t j = 0; j < x.size(); ++j) {
                    for (std::size_t c = head; c < head + d; ++c) score[j] += q[i][c] * k[j][c];
                    score[j] = score[j] / std::sqrt(static_cast<double>(d)) + bias(in, r, i, j);
                    largest = std::max(largest, score[j]);
                }
                for (double& s : score) sum += s = std::exp(s - largest);
                for (std::size_t j = 0; j < x.size(); ++j)
                    for (std::size_t c = head; c < head + d; ++c) mixed[c] += score[j] / sum * v[j][c];
            }
            add(x[i], linear(mixed, block + "attn1.to_out.0"));
        }
    }

    static void add(row& x, const row& y) {
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    }

    rows forward(const prior_inputs& in, std::size_t r) const {
        using apriori::norm_type;
        rows x;
        if (in.text_tokens > 0)
            for (const row& t : tokens_of(in.encoder_hidden_states, r, in.text_tokens, in.rows))
                x.push_back(c_.encoder_hid_proj_type == apriori::hid_proj_type::linear
                                ? linear(t, "encoder_hidden_states_proj")
                                : t);
        for (const row& t : tokens_of(in.proj_embedding, r, in.proj_tokens, in.rows))
            x.push_back(linear(norm(t, "embedding_proj_norm", c_.embedding_proj_norm_type), "embedding_proj"));
        if (c_.time_embedding) x.push_back(time(in.timestep[in.timestep.size() == 1 ? 0 : r]));
        const std::size_t first_hidden = x.size();
        for (const row& t : tokens_of(in.hidden_states, r, in.hidden_tokens, in.rows))
            x.push_back(linear(t, "proj_in"));
        const bool prd = c_.added_emb_type == apriori::added_emb::prd;
        if (prd) x.push_back(at("prd_embedding"));

        const auto positions = static_cast<std::size_t>(c_.positions()),
                   width = static_cast<std::size_t>(c_.inner_dim());
        const row& table = at("positional_embedding");
        const std::size_t zeros_before = positions < x.size() ? first_hidden : 0;
        for (std::size_t t = zeros_before; t < zeros_before + positions; ++t)
            for (std::size_t i = 0; i < width; ++i) x.at(t)[i] += table[(t - zeros_before) * width + i];
        for (row& t : x) t = norm(t, "norm_in", c_.norm_in_type);

        for (int layer = 0; layer < c_.num_layers; ++layer) {
            const std::string block = "transformer_blocks." + std::to_string(layer) + ".";
            attend(x, in, r, block);
            for (row& t : x) {
                row h = linear(norm(t, block + "norm3", norm_type::layer), block + "ff.net.0.proj");
                for (double& v : h) v = gelu(v);
                add(t, linear(h, block + "ff.net.2"));
            }
        }
        rows out;
        for (std::size_t t = prd ? x.size() - 1 : first_hidden; t < x.size(); ++t)
            out.push_back(linear(norm(x[t], "norm_out", norm_type::layer), "proj_to_clip_embeddings"));
        return out;
    }

    PriorConfig c_;
    std::map<std::string, row> parameters_;
};

} // namespace model_testing
