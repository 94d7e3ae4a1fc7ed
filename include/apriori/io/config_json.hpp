// SPDX-License-Identifier: Apache-2.0
// Reads and writes config.json: the files of diffusers' PriorTransformer and of CLIP's encoders in transformers. The
// allowed fields are in each configuration's table (core/field.hpp); CMake reads the same files with the same code.
#pragma once

#include "apriori/core/warning.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/models/read_model_config.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace apriori::io {

/// The configuration in the text of a config.json; messages begin with `where` (a path). See read_model_config. Unknown
/// fields cause a warning (core/warning.hpp).
template <class Config>
result<Config> parse_config(std::string_view text, std::string_view where = "config.json") {
    const config_reading<Config> reading = read_model_config<Config>(text);
    if (!reading.ok()) return failure{reading.code, cat(where, reading.message.view())};
    if (reading.warning.size > 0) warn(cat(where, reading.warning.view()));
    return reading.config;
}
/// The configuration in a file, or in the config.json of a folder.
template <class Config>
result<Config> load_config(const std::filesystem::path& path) {
    std::error_code error;
    const auto file_path = std::filesystem::is_directory(path, error) ? path / "config.json" : path;
    const auto file = mapped_file::open(file_path);
    if (!file.ok()) return file.error();
    auto config = parse_config<Config>(file->text(), file_path.string());
    if (!config.ok()) return explained(config.error(), file_path, file->bytes());
    return config;
}

/// The text of a config.json that diffusers reads, and that parse_config reads back unchanged.
inline std::string to_json_text(const PriorConfig& config) {
    std::string out = cat("{\n  \"_class_name\": \"", PriorConfig::class_name, '"');
    for_each_field<PriorConfig>([&](const field<PriorConfig>& f) {
        if (f.ours && f.get(config) == f.get(PriorConfig{})) return;
        short_text<64> value;
        f.add_value(value, f.get(config));
        out += cat(",\n  \"", f.name, "\": ", value.view());
    });
    return out += "\n}\n";
}

} // namespace apriori::io
