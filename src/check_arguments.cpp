// SPDX-License-Identifier: Apache-2.0
#include "check_arguments.hpp"

#include <fmt/format.h>

#include <cmath>

namespace apriori::program {

namespace {

failure wrong(errc code, std::string text) { return {code, std::move(text)}; }

result<void> check_rows(const char* name, const host_tensor& t, index_t width, bool needed, bool token_axis_needed) {
    if (t.absent()) {
        if (!needed) return {};
        return wrong(errc::not_found, fmt::format("{} is not there", name));
    }
    const bool rank = t.rank() == 3 || (t.rank() == 2 && !token_axis_needed);
    if (!rank || t.width() != width || t.values.empty())
        return wrong(errc::shape_mismatch,
                     fmt::format("{} is {}; the configuration takes {}[rows, tokens, {}]", name, shape_text(t.shape),
                                 token_axis_needed ? "" : fmt::format("[rows, {}] or ", width), width));
    return {};
}

} // namespace

result<void> check_arguments(const PriorConfig& c, const forward_arguments& a) {
    const index_t text = c.encoder_hid_proj_type == hid_proj_type::linear ? c.embedding_dim : c.inner_dim();
    if (auto r = check_rows("hidden_states", a.hidden_states, c.embedding_dim, true, false); !r) return r;
    if (auto r = check_rows("proj_embedding", a.proj_embedding, c.embedding_proj_dim, true, false); !r) return r;
    if (auto r = check_rows("encoder_hidden_states", a.encoder_hidden_states, text, false, true); !r) return r;
    if (c.time_embedding && a.timestep.rank() != 1)
        return wrong(errc::shape_mismatch,
                     fmt::format("timestep is {}; allowed: [1] or [rows]", shape_text(a.timestep.shape)));
    for (std::size_t i = 0; i < a.timestep.values.size(); ++i)
        if (!std::isfinite(a.timestep.values[i]))
            return wrong(errc::invalid_argument,
                         fmt::format("timestep[{}] is {}; it must be a finite number", i, a.timestep.values[i]));
    if (!a.attention_mask.absent() && a.attention_mask.rank() != 2)
        return wrong(errc::shape_mismatch, fmt::format("attention_mask is {}; the configuration takes [rows, {}]",
                                                       shape_text(a.attention_mask.shape), c.num_embeddings));
    for (std::size_t i = 0; i < a.attention_mask.values.size(); ++i)
        if (const float m = a.attention_mask.values[i]; m != 0.0F && m != 1.0F)
            return wrong(errc::invalid_argument, fmt::format("attention_mask{} is {}; allowed: 0 and 1",
                                                             place_text(a.attention_mask.shape, i), m));
    return {};
}

} // namespace apriori::program
