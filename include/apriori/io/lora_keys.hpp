// SPDX-License-Identifier: Apache-2.0
// The names of tensors in LoRA files: which module of the model each belongs to, and its role there, in every form that
// diffusers loads into a PriorTransformer.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <string>
#include <string_view>

namespace apriori::io {

/// The role of a tensor in weight + alpha / rank * up @ down.
enum class lora_role {
    down,    ///< [rank, in], PEFT's lora_A
    up,      ///< [out, rank], PEFT's lora_B
    up_bias, ///< [out], added to the module's bias
    alpha,   ///< a number
};

/// A tensor's name in a LoRA file, as a module of the model and a role.
struct lora_key {
    std::string module; ///< the model's name for it, such as transformer_blocks.0.attn1.to_q
    lora_role role = lora_role::down;
};

/// The prefix that diffusers and PEFT write before the model's own names; "" if `key` has none of these.
inline std::string_view lora_prefix(std::string_view key) noexcept {
    for (const std::string_view prefix : {"base_model.model.", "prior.", "transformer.", "unet."})
        if (key.starts_with(prefix)) return prefix;
    return "";
}

/// The part of a pipeline besides the prior that `key` belongs to, with its dot, as in files with LoRAs of several
/// parts; "" if it belongs to none.
inline std::string_view other_part(std::string_view key) noexcept {
    for (const std::string_view part : {"text_encoder.", "text_encoder_2.", "image_encoder.", "decoder.", "movq."})
        if (key.starts_with(part)) return part;
    return "";
}

/// Reads a name without its prefix:
/// - `<module>.lora_A.weight`, `.lora_B.weight`, `.lora_B.bias`: PEFT, and diffusers' save_lora_adapter
/// - `<module>.lora.down.weight`, `.lora.up.weight`: diffusers before PEFT
/// - `<attention>.processor.to_q_lora.down.weight`, `.up.weight`: diffusers' attention processors;
///   to_k, to_v and to_out as well
/// - `<module>.alpha`: with any of them
///
/// unsupported, with an explanation, for other methods and other programs' forms; the caller
/// adds the file to the message.
inline result<lora_key> parse_lora_key(std::string_view key) {
    struct kind {
        std::string_view part, what;
    };
    static constexpr kind others[] = {{".lora_magnitude_vector", "is of a DoRA"},
                                      {".lokr_", "is of a LoKr"},
                                      {".hada_", "is of a LoHa"},
                                      {".lora_embedding_", "is of a LoRA on an embedding"},
                                      {".lora_linear_layer.", "is in the form for text encoders"},
                                      {".lora_down.", "is in kohya's form"},
                                      {".lora_up.", "is in kohya's form"}};
    const auto refuse = [&](std::string_view what) {
        return failure{errc::unsupported, cat("tensor ", quote(key), " ", what,
                                              "; allowed: <module>.lora_A.weight and .lora_B.weight, .lora.down.weight "
                                              "and .lora.up.weight, or .processor.to_q_lora.down.weight and the like")};
    };
    for (const kind& k : others)
        if (key.find(k.part) != std::string_view::npos) return refuse(k.what);

    struct ending {
        std::string_view text;
        lora_role role;
        std::string_view module = {}; ///< its name in the model, if the name in the file differs
        bool old = false;             ///< from diffusers before PEFT, where attention processors were modules
    };
    static constexpr ending endings[] = {{".lora_A.weight", lora_role::down},
                                         {".lora_B.weight", lora_role::up},
                                         {".lora_B.bias", lora_role::up_bias},
                                         {".lora.down.weight", lora_role::down, "", true},
                                         {".lora.up.weight", lora_role::up, "", true},
                                         {".to_q_lora.down.weight", lora_role::down, ".to_q", true},
                                         {".to_q_lora.up.weight", lora_role::up, ".to_q", true},
                                         {".to_k_lora.down.weight", lora_role::down, ".to_k", true},
                                         {".to_k_lora.up.weight", lora_role::up, ".to_k", true},
                                         {".to_v_lora.down.weight", lora_role::down, ".to_v", true},
                                         {".to_v_lora.up.weight", lora_role::up, ".to_v", true},
                                         {".to_out_lora.down.weight", lora_role::down, ".to_out.0", true},
                                         {".to_out_lora.up.weight", lora_role::up, ".to_out.0", true},
                                         {".alpha", lora_role::alpha}};
    for (const ending& e : endings) {
        if (!key.ends_with(e.text) || key.size() == e.text.size()) continue;
        lora_key found{cat(key.substr(0, key.size() - e.text.size()), e.module), e.role};
        constexpr std::string_view processor = ".processor.";
        if (const auto at = found.module.find(processor); e.old && at != std::string::npos)
            found.module.replace(at, processor.size(), ".");
        return found;
    }
    return refuse("is no part of a LoRA");
}

} // namespace apriori::io
