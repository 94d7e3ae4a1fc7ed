// SPDX-License-Identifier: Apache-2.0
// The presets by name.
#pragma once

#include "apriori/models/prior_config.hpp"

#include <string>
#include <string_view>

namespace apriori::program {

struct preset {
    std::string_view name;
    PriorConfig config;
};

inline constexpr preset all_presets[] = {
    {"karlo_v1_alpha", presets::karlo_v1_alpha},
    {"kandinsky_2_1", presets::kandinsky_2_1},
    {"stable_unclip", presets::stable_unclip},
    {"kandinsky_2_2", presets::kandinsky_2_2},
    {"shap_e", presets::shap_e},
    {"shap_e_img2img", presets::shap_e_img2img},
    {"digits", presets::digits},
};

inline const preset* find_preset(std::string_view name) {
    for (const preset& p : all_presets)
        if (p.name == name) return &p;
    return nullptr;
}

/// The presets that mean a configuration: "karlo_v1_alpha, kandinsky_2_1".
inline std::string presets_of(const PriorConfig& config) {
    std::string names;
    for (const preset& p : all_presets)
        if (canonical(p.config) == canonical(config)) names += (names.empty() ? "" : ", ") + std::string(p.name);
    return names;
}

} // namespace apriori::program
