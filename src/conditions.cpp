// SPDX-License-Identifier: Apache-2.0
#include "conditions.hpp"

#include "host_tensor.hpp"
#include "near_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace apriori::program {

namespace {
constexpr std::string_view pooled = ".text_embeds", text = ".last_hidden_state", mask = ".attention_mask";
}

result<conditions_file> conditions_file::open(const std::filesystem::path& path) {
    auto tensors = io::weights_source::open_file(path);
    if (!tensors) return tensors.error();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tensors->size(); ++i)
        if (const auto name = tensors->info(i).name; name.ends_with(pooled) && name.size() > pooled.size())
            names.emplace_back(name.substr(0, name.size() - pooled.size()));
    if (names.empty())
        return failure{errc::bad_format,
                       fmt::format("{}: holds no conditions: no tensor is named <prompt>{}", path.string(), pooled)};
    std::sort(names.begin(), names.end());
    return conditions_file(path, std::move(*tensors), std::move(names));
}

bool conditions_file::holds(std::string_view name) const {
    return std::binary_search(names_.begin(), names_.end(), name);
}

result<std::vector<float>> conditions_file::read_tensor(const std::string& name, std::vector<index_t> shape) const {
    const auto at = tensors_.find(name);
    if (!at)
        return failure{errc::not_found, fmt::format("{}: holds no tensor {}", path_.string(), io::quote(name, 200))};
    const tensor_info info = tensors_.info(*at);
    std::vector<index_t> got(info.dims.begin(), info.dims.begin() + info.rank);
    // A leading batch axis of 1, as an encoder returns it, may be present.
    if (got.size() == shape.size() + 1 && got.front() == 1) got.erase(got.begin());
    if (got != shape)
        return failure{errc::shape_mismatch, fmt::format("{}: {} is {}; the model takes {}", path_.string(),
                                                         io::quote(name, 200), shape_text(got), shape_text(shape))};
    std::vector<float> values(static_cast<std::size_t>(info.size()));
    if (const status s = tensors_.read(*at, 0, values); !s.ok()) return to_failure(s);
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]))
            return failure{errc::invalid_argument,
                           fmt::format("{}: {}{} is {}; it must be a finite number", path_.string(),
                                       io::quote(name, 200), place_text(shape, i), values[i])};
    return values;
}

result<condition> conditions_file::read(std::string_view name, const PriorConfig& given) const {
    const PriorConfig config = canonical(given);
    if (!holds(name)) {
        std::string list;
        for (const auto& near : near_names(name, names_))
            list += (list.empty() ? "; near it: " : ", ") + io::quote(near, 200);
        return failure{errc::not_found,
                       fmt::format("{}: holds no condition {}{}", path_.string(), io::quote(name, 200), list)};
    }
    const std::string prompt(name);
    condition c;
    auto embeds = read_tensor(prompt + std::string(pooled), {config.embedding_proj_dim});
    if (!embeds) return embeds.error();
    c.text_embeds = std::move(*embeds);
    if (config.encoder_hid_proj_type == hid_proj_type::linear && config.num_embeddings > 0) {
        auto hidden = read_tensor(prompt + std::string(text), {config.num_embeddings, config.embedding_dim});
        if (!hidden) return hidden.error();
        c.last_hidden_state = std::move(*hidden);
    }
    if (tensors_.find(prompt + std::string(mask))) {
        auto kept = read_tensor(prompt + std::string(mask), {config.num_embeddings});
        if (!kept) return kept.error();
        for (const float m : *kept) {
            if (m != 0.0F && m != 1.0F)
                return failure{errc::invalid_argument, fmt::format("{}: {} holds {}; allowed: 0 and 1", path_.string(),
                                                                   io::quote(prompt + std::string(mask), 200), m)};
            c.attention_mask.push_back(m != 0.0F ? 1 : 0);
        }
    }
    return c;
}

} // namespace apriori::program
