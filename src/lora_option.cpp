// SPDX-License-Identifier: Apache-2.0
#include "lora_option.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>

namespace apriori::program {

result<lora_option> parse_lora_option(const std::string& text) {
    std::error_code error;
    if (std::filesystem::exists(text, error)) return lora_option{text};
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return lora_option{text};
    double weight = 0;
    const char *first = text.data() + colon + 1, *last = text.data() + text.size();
    const auto read = std::from_chars(first, last, weight);
    const bool out_of_range = read.ec == std::errc::result_out_of_range;
    if (read.ptr != last || (read.ec != std::errc() && !out_of_range)) return lora_option{text};
    if (colon == 0 || out_of_range || !std::isfinite(weight))
        return failure{
            errc::invalid_argument,
            fmt::format("--lora {}: allowed: FILE or FILE:WEIGHT, the weight a finite number", io::quote(text))};
    return lora_option{text.substr(0, colon), weight};
}

result<std::vector<io::weighted_lora>> open_loras(const std::vector<std::string>& texts,
                                                  const std::filesystem::path& packed) {
    if (!texts.empty() && !packed.empty())
        return failure{
            errc::unsupported,
            fmt::format("--lora and --packed do not go together: the weights in {} are packed already; make a "
                        "packed file of both with apriori pack --lora",
                        packed.string())};
    std::vector<io::weighted_lora> loras;
    for (const std::string& text : texts) {
        auto option = parse_lora_option(text);
        if (!option) return option.error();
        auto file = io::lora_file::open(option->file);
        if (!file) return failure{file.error().code, "--lora " + file.error().message};
        loras.push_back({std::move(*file), option->weight});
    }
    return loras;
}

std::string describe(const std::vector<io::weighted_lora>& loras) {
    nlohmann::json list = nlohmann::json::array();
    for (const io::weighted_lora& l : loras)
        list.push_back({{"file", l.file.path().filename().string()}, {"weight", l.weight}});
    return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace apriori::program
