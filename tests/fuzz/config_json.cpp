// SPDX-License-Identifier: Apache-2.0
// A config.json, read as one of each class. If it is accepted, it is valid, its canonical form is a fixed point and
// means the same, and the text that is written for it reads the same.
#include "apriori/io/config_json.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace fuzzing;

namespace {

template <class Config>
bool same_fields(const Config& a, const Config& b) {
    bool same = true;
    for_each_field<Config>([&](const field<Config>& f) { same = same && f.get(a) == f.get(b); });
    return same;
}

template <class Config>
void check(std::string_view text) {
    const result<Config> read = io::parse_config<Config>(text);
    if (!read) {
        refused(read.error());
        return;
    }
    require(validate(*read).ok() && refusal(*read).size == 0, "what is accepted is valid");
    const Config c = canonical(*read);
    require(validate(c).ok(), "the canonical form is valid");
    require(same_fields(canonical(c), c), "the canonical form is a fixed point");
    require(first_difference(*read, c).name.empty() && config_hash(*read) == config_hash(c),
            "the canonical form means the same");
    if constexpr (requires { io::to_json_text(*read); }) {
        const auto again = io::parse_config<Config>(io::to_json_text(*read));
        require(again.ok() && same_fields(*again, *read), "what is written reads the same");
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check<PriorConfig>(text(data, size));
    check<CLIPTextConfig>(text(data, size));
    check<CLIPVisionConfig>(text(data, size));
    return 0;
}
