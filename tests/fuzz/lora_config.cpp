// SPDX-License-Identifier: Apache-2.0
// PEFT's LoraConfig, followed by a zero byte and the name of a module. If it is accepted, the module's factor is a
// number.
#include "apriori/io/lora_config.hpp"
#include "apriori/io/lora_keys.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest = text(data, size);
    const std::string_view json = take_part(rest, std::string_view("\0", 1)), module = rest;
    if (const auto key = parse_lora_key(module.substr(lora_prefix(module).size())); !key) refused(key.error());
    for (const char* prefix : {"", "prior."}) {
        const auto config = lora_config::parse(json, "adapter_config.json", prefix);
        if (!config) {
            refused(config.error());
            continue;
        }
        for (const index_t rank : {1, 4, 8}) {
            const auto scale = config->scale(module, rank);
            if (!scale)
                refused(scale.error());
            else
                require(scale->alpha >= 0 && scale->alpha / scale->divisor < 1e30, "the factor is a number");
        }
    }
    return 0;
}
