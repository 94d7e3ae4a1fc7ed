// SPDX-License-Identifier: Apache-2.0
// A file of text-encoder outputs by name: <prompt>.text_embeds, .last_hidden_state and .attention_mask.
#pragma once

#include "apriori/io/safetensors.hpp"
#include "apriori/models/prior_config.hpp"
#include "condition.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace apriori::program {

class conditions_file {
public:
    /// The name of the empty prompt.
    static constexpr std::string_view unconditional = "unconditional";

    static result<conditions_file> open(const std::filesystem::path& path);

    /// Sorted; includes `unconditional` if the file has it.
    const std::vector<std::string>& names() const noexcept { return names_; }
    bool holds(std::string_view name) const;

    /// The condition for a model of that configuration. not_found, with similar names, if there is none of this name;
    /// shape_mismatch, or invalid_argument for a value that is not a number, if it is not a condition for the model.
    result<condition> read(std::string_view name, const PriorConfig& config) const;

private:
    conditions_file(std::filesystem::path path, io::weights_source tensors, std::vector<std::string> names)
        : path_(std::move(path)), tensors_(std::move(tensors)), names_(std::move(names)) {}

    result<std::vector<float>> read_tensor(const std::string& name, std::vector<index_t> shape) const;

    std::filesystem::path path_;
    io::weights_source tensors_;
    std::vector<std::string> names_;
};

} // namespace apriori::program
