// SPDX-License-Identifier: Apache-2.0
// The tokenizer of the page, made from the merges.txt that is linked into the program.
#pragma once

#include "apriori/core/status.hpp"

#include <cstdint>
#include <string_view>

inline constexpr int tokens = 16; ///< of a text, including special tokens and padding

struct token_row {
    std::int32_t ids[tokens];
    std::uint8_t mask[tokens]; ///< 1 up to the end token
    int cut;                   ///< how many tokens of the text did not fit
};

/// The tokens of a text, which is UTF-8 in normalization form C.
apriori::status tokenize(std::string_view text, token_row& out);
