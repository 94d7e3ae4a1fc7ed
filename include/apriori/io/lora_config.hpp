// SPDX-License-Identifier: Apache-2.0
// What PEFT's LoraConfig says about a LoRA file: ranks and alphas, from the file's metadata or
// from adapter_config.json.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/io/json_fields.hpp"

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// The factor alpha / divisor of a product of matrices. Two numbers, so that a LoRA's weight is
/// multiplied in where PEFT does it.
struct lora_scale {
    double alpha = 1, divisor = 1;
};

/// The part of a LoraConfig that determines what a LoRA adds to its model.
class lora_config {
public:
    /// Reads JSON; messages begin with `where` (a path). `prefix` precedes every field, as diffusers' pipelines write
    /// it: "prior." or "". Errors: fields that are missing or out of range, patterns that are more than names, and, as
    /// unsupported, options that make a LoRA something other than a product of two matrices.
    static result<lora_config> parse(std::string_view text, std::string_view where, std::string_view prefix = "") {
        auto fields = json_fields::parse(text, where);
        if (!fields) return fields.error();
        const auto named = [&](const char* key) { return cat(prefix, key); };
        for (const char* key : {"r", "lora_alpha"})
            if (fields->next(named(key).c_str()) == nullptr)
                return failure{errc::bad_format, cat(where, ": has no field ", quote(named(key)))};

        lora_config c;
        fields->integer(named("r").c_str(), c.rank_, 1, most_rank);
        fields->number(named("lora_alpha").c_str(), c.alpha_, 0, most_alpha);
        fields->boolean(named("use_rslora").c_str(), c.rslora_);
        read_pattern(*fields, named("rank_pattern"), 1, most_rank, c.ranks_);
        read_pattern(*fields, named("alpha_pattern"), 0, most_alpha, c.alphas_);
        for (const char* key : {"use_dora", "use_bdlora", "arrow_config", "alora_invocation_tokens", "velora_config",
                                "monteclora_config", "kasa_config"})
            if (const json* v = fields->next(named(key).c_str()); v != nullptr && says_yes(*v))
                fields->refuse(named(key).c_str(), *v, "false or null: a plain LoRA", errc::unsupported);
        // These initialisations change the model's own weights in training, and PEFT does so
        // again when it loads the LoRA.
        if (const json* v = fields->next(named("init_lora_weights").c_str()); v != nullptr && v->is(json_kind::string))
            for (const char* name : {"pissa", "olora", "loftq", "corda", "mica"})
                if (lower(v->string()).starts_with(name))
                    fields->refuse(named("init_lora_weights").c_str(), *v, "those that leave the model's weights alone",
                                   errc::unsupported);
        if (auto read = fields->finish(); !read) return read.error();
        return c;
    }

    /// The scale of a module whose matrices have `rank`. An error if the configuration says another rank; the caller
    /// adds the file to the message.
    result<lora_scale> scale(std::string_view module, index_t rank) const {
        const auto said = static_cast<index_t>(value_of(ranks_, module, rank_));
        if (said != rank)
            return failure{errc::bad_format,
                           cat("the tensors of ", quote(module), " have rank ", rank, ", its LoraConfig says ", said)};
        const auto r = static_cast<double>(rank);
        return lora_scale{value_of(alphas_, module, alpha_), rslora_ ? std::sqrt(r) : r};
    }

private:
    static constexpr int most_rank = 1 << 20;
    static constexpr double most_alpha = 1e9;
    using pattern = std::vector<std::pair<std::string, double>>;

    /// Whether Python treats the value as true.
    static bool says_yes(const json& v) {
        const bool container = v.is(json_kind::object) || v.is(json_kind::array);
        return container ? !v.items().empty() : !v.is(json_kind::null) && v.text != "false";
    }

    static void read_pattern(json_fields& fields, const std::string& key, double least, double most, pattern& to) {
        const json* v = fields.next(key.c_str());
        if (v == nullptr || v->is(json_kind::null)) return;
        if (!v->is(json_kind::object))
            return fields.refuse(key.c_str(), *v, "an object from names of modules to numbers");
        for (const auto& [name, value] : v->items()) {
            const double x = value.number();
            if (!(x >= least && x <= most))
                return fields.refuse(cat("field '", key, "': ", quote(name), " is ", shown(value),
                                         "; allowed: numbers from ", decimal(least), " to ", decimal(most)));
            if (!plain(name))
                return fields.refuse(cat("field '", key, "': ", quote(name),
                                         " is a pattern; allowed: names of modules or their ends, with ^ in front for "
                                         "whole names"));
            to.emplace_back(name, x);
        }
    }
    /// Whether a regular expression is a plain name, perhaps with ^ before and $ after it.
    static bool plain(std::string_view name) {
        if (name.starts_with('^')) name.remove_prefix(1);
        if (name.ends_with('$')) name.remove_suffix(1);
        for (const char c : name)
            if (std::string_view("\\|()[]{}*+?^$").find(c) != std::string_view::npos) return false;
        return !name.empty();
    }
    /// PEFT's get_pattern_key: whether the expression (.*\.)?(name)$ matches the module, a dot matching any character.
    static bool matches(std::string_view name, std::string_view module) {
        const bool whole = name.starts_with('^');
        if (whole) name.remove_prefix(1);
        if (name.ends_with('$')) name.remove_suffix(1);
        if (name.size() > module.size()) return false;
        const auto before = module.size() - name.size();
        if (before != 0 && (whole || module[before - 1] != '.')) return false;
        for (std::size_t i = 0; i < name.size(); ++i)
            if (name[i] != '.' && name[i] != module[before + i]) return false;
        return true;
    }
    /// The value of the first name that matches, in the order of names, in which PEFT writes them.
    static double value_of(const pattern& p, std::string_view module, double otherwise) {
        for (const auto& [name, value] : p)
            if (matches(name, module)) return value;
        return otherwise;
    }

    int rank_ = 8;
    double alpha_ = 8;
    bool rslora_ = false;
    pattern ranks_, alphas_;
};

} // namespace apriori::io
APRIORI_END_EXACT_MATH
