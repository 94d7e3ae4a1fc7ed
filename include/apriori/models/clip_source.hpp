// SPDX-License-Identifier: Apache-2.0
// Adapts a tensor source to the names of clip_parameters.hpp: published files differ in three ways.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/tensor_source.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::detail {

/// A source without position_ids, which older files have, and with "text_model." or "vision_model." before all names if
/// none has it, as newer transformers saves models without a projection. From a CLIPModel, which has the names of both,
/// it takes the half with the given prefix. Must not outlive the source.
class clip_source {
public:
    clip_source(tensor_source_ref source, std::string_view prefix);
    std::size_t size() const noexcept { return kept_.size(); }
    tensor_info info(std::size_t i) const {
        tensor_info t = source_.info(kept_[i]);
        t.name = names_[i];
        return t;
    }
    status read(std::size_t i, std::int64_t first, std::span<float> out) const {
        return source_.read(kept_[i], first, out);
    }

private:
    tensor_source_ref source_;
    std::deque<std::string> names_;
    std::vector<std::size_t> kept_;
};

#if APRIORI_DEFINITIONS

APRIORI_FUNCTION clip_source::clip_source(tensor_source_ref source, std::string_view prefix) : source_(source) {
    const bool of_text = prefix == "text_model.";
    const std::string_view other = of_text ? "vision_model." : "text_model.";
    const std::string_view projection = of_text ? "visual_projection.weight" : "text_projection.weight";
    bool bare = true, alone = true;
    for (std::size_t i = 0; i < source.size(); ++i) {
        bare = bare && !source.info(i).name.starts_with(prefix);
        alone = alone && !source.info(i).name.starts_with(other);
    }
    const bool halves = !bare && !alone;
    for (std::size_t i = 0; i < source.size(); ++i) {
        const std::string_view name = source.info(i).name;
        if (name.ends_with("embeddings.position_ids")) continue;
        if (halves && (name.starts_with(other) || name == projection || name == "logit_scale")) continue;
        std::string& own = names_.emplace_back(bare && !name.ends_with("_projection.weight") ? prefix : "");
        own += name;
        kept_.push_back(i);
    }
}

#endif

} // namespace apriori::detail
APRIORI_END_EXACT_MATH
