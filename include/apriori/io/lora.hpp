// SPDX-License-Identifier: Apache-2.0
// LoRA files as diffusers and PEFT write them for a PriorTransformer: two thin matrices for each module, whose product
// is added to the module's weight.
#pragma once

#include "apriori/core/check_tensors.hpp"
#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/io/lora_config.hpp"
#include "apriori/io/lora_keys.hpp"
#include "apriori/io/safetensors.hpp"

#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// What one module's LoRA adds to one tensor of the model: alpha / divisor * up @ down.
struct lora_term {
    std::string tensor;  ///< the model's name for it, such as transformer_blocks.0.attn1.to_q.weight
    std::string key;     ///< of `up` in the file
    bool vector = false; ///< a bias [rows]: then rank and cols are 1, and down is {1}
    index_t rows = 0, rank = 1, cols = 1;
    std::vector<float> up;   ///< [rows, rank]
    std::vector<float> down; ///< [rank, cols]
    lora_scale scale{};
};

/// A LoRA in memory, checked as far as possible without its model.
class lora_file {
public:
    /// Opens a .safetensors file, or a folder with pytorch_lora_weights.safetensors (diffusers) or
    /// adapter_model.safetensors (PEFT). Names may have any form of lora_keys.hpp, but all must have the
    /// same prefix. If the file also has LoRAs of other parts of a pipeline, the prior's is taken, with a
    /// warning. The factor of a module is
    ///   alpha / rank, or alpha / sqrt(rank)   from the file's lora_adapter_metadata, or, for PEFT's own files, whose
    ///                                         names begin with base_model.model., from adapter_config.json in the same
    ///                                         folder
    ///   alpha / rank                          if all modules have tensors .alpha
    ///   1                                     if there is neither, as in diffusers
    /// Every error is one line with file and tensor: names of other forms, a matrix without the other one, ranks that
    /// disagree, numbers that are not finite.
    static result<lora_file> open(const std::filesystem::path& path) {
        const auto file = find_file(path);
        if (!file) return file.error();
        const auto source = safetensors_source::open(*file);
        if (!source) return source.error();
        const auto prefix = prefix_of_prior(*source);
        if (!prefix) return failure{prefix.error().code, cat(file->string(), ": ", prefix.error().message)};
        const auto config = read_config(*file, *source, *prefix);
        if (!config) return config.error();
        lora_file lora;
        lora.path_ = *file;
        if (auto r = lora.read(*source, *prefix, *config); !r)
            return failure{r.error().code, cat(file->string(), ": ", r.error().message)};
        if (const std::string left = left_out(*source, *prefix); !left.empty()) warn(cat(file->string(), ": ", left));
        return lora;
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    /// Sorted by module.
    const std::vector<lora_term>& terms() const noexcept { return terms_; }

private:
    /// The indices of a module's tensors in the file.
    struct module_tensors {
        std::optional<std::size_t> down{}, up{}, up_bias{}, alpha{};
    };

    static result<std::filesystem::path> find_file(const std::filesystem::path& path) {
        std::error_code error;
        if (std::filesystem::is_directory(path, error)) {
            for (const char* name : {"pytorch_lora_weights.safetensors", "adapter_model.safetensors"})
                if (detail::is_file(path / name)) return path / name;
            for (const char* name : {"pytorch_lora_weights.bin", "adapter_model.bin"})
                if (detail::is_file(path / name)) return pickle_failure(path / name);
            return failure{errc::not_found, cat(path.string(), ": holds no LoRA; looked for "
                                                               "pytorch_lora_weights.safetensors and "
                                                               "adapter_model.safetensors")};
        }
        if (is_pickle_name(path.filename().string())) return pickle_failure(path);
        return path;
    }

    /// Whether a tensor is of another model than the prior, whose names have `prefix`.
    static bool is_left_out(std::string_view key, std::string_view prefix) {
        return !other_part(key).empty() || lora_prefix(key) != prefix;
    }
    /// The prefix of the prior's names. If a file has LoRAs of several models, it is `prior.`, as in diffusers, or the
    /// prefix that is not another part of a pipeline.
    static result<std::string_view> prefix_of_prior(const safetensors_source& file) {
        if (file.size() == 0) return failure{errc::bad_format, "holds no tensors"};
        std::string_view of_prior = "prior.", first;
        bool has_prior = false, others = false, plain = false;
        for (std::size_t i = 0; i < file.size(); ++i) {
            const std::string_view key = file.info(i).name, prefix = lora_prefix(key);
            if (!other_part(key).empty()) continue;
            has_prior = has_prior || prefix == of_prior;
            plain = plain || prefix.empty();
            others = others || (!first.empty() && prefix != lora_prefix(first));
            if (first.empty()) first = key;
        }
        if (first.empty())
            return failure{errc::unsupported, cat("all its tensors, as ", quote(file.info(0).name),
                                                  ", are of another model; allowed: a LoRA of the prior")};
        if (!others) return lora_prefix(first);
        if (has_prior && !plain) return of_prior;
        for (std::size_t i = 0; i < file.size(); ++i)
            if (const std::string_view key = file.info(i).name;
                other_part(key).empty() && lora_prefix(key) != lora_prefix(first))
                return failure{errc::unsupported,
                               cat("tensors ", quote(first), " and ", quote(key),
                                   " are of two models, and which is the prior is not clear; allowed: "
                                   "names of the prior that begin with 'prior.'")};
        return of_prior;
    }
    /// What else the file holds, for a warning: "ignored: 24 tensors of 'text_encoder', 2 tensors of
    /// 'unet'; ..."; empty if nothing.
    static std::string left_out(const safetensors_source& file, std::string_view prefix) {
        std::map<std::string_view, int> parts;
        for (std::size_t i = 0; i < file.size(); ++i)
            if (const std::string_view key = file.info(i).name; is_left_out(key, prefix))
                ++parts[key.substr(0, key.find('.'))];
        std::string text;
        for (const auto& [part, count] : parts)
            text +=
                cat(text.empty() ? "ignored: " : ", ", count, count == 1 ? " tensor of " : " tensors of ", quote(part));
        return text.empty() ? text : text + "; a LoRA is merged into the prior alone";
    }

    result<void> read(const safetensors_source& file, std::string_view prefix,
                      const std::optional<lora_config>& config) {
        std::map<std::string, module_tensors> modules;
        for (std::size_t i = 0; i < file.size(); ++i) {
            const std::string_view key = file.info(i).name;
            if (is_left_out(key, prefix)) continue;
            auto parsed = parse_lora_key(key.substr(prefix.size()));
            if (!parsed) return parsed.error();
            if (auto r = check_stored(file, i); !r) return r;
            auto& at = place_of(modules[parsed->module], parsed->role);
            if (at)
                return failure{errc::bad_format, cat("tensors ", quote(file.info(*at).name), " and ", quote(key),
                                                     " are the same part of ", quote(parsed->module))};
            at = i;
        }
        const bool alphas = modules.begin()->second.alpha.has_value();
        for (const auto& [module, tensors] : modules) {
            if (tensors.alpha.has_value() != alphas)
                return failure{errc::bad_format,
                               cat("some modules have tensors .alpha and ",
                                   quote(alphas ? module : modules.begin()->first), " has none; allowed: all or none")};
            if (alphas && config)
                return failure{errc::bad_format,
                               "holds tensors .alpha, and its LoraConfig says alphas too; allowed: one of them"};
            if (auto r = add_module(file, module, tensors, config); !r) return r;
        }
        if (!alphas && !config && prefix == peft_prefix)
            return failure{errc::not_found, "its names are those of PEFT, whose alphas are in adapter_config.json; "
                                            "there is none in the same folder"};
        return {};
    }

    static std::optional<std::size_t>& place_of(module_tensors& m, lora_role role) {
        switch (role) {
        case lora_role::down:
            return m.down;
        case lora_role::up:
            return m.up;
        case lora_role::up_bias:
            return m.up_bias;
        case lora_role::alpha:
            break;
        }
        return m.alpha;
    }

    /// The file's LoraConfig, if it has one.
    static result<std::optional<lora_config>> read_config(const std::filesystem::path& path,
                                                          const safetensors_source& file, std::string_view prefix) {
        const auto keep = [](result<lora_config> c) -> result<std::optional<lora_config>> {
            if (!c) return c.error();
            return std::optional(std::move(*c));
        };
        for (const auto& [key, text] : file.metadata())
            if (key == "lora_adapter_metadata")
                return keep(
                    lora_config::parse(text, cat(path.string(), ": ", key), prefix == peft_prefix ? "" : prefix));
        const auto beside = path.parent_path() / "adapter_config.json";
        if (prefix != peft_prefix || !detail::is_file(beside)) return std::optional<lora_config>();
        const auto text = mapped_file::open(beside);
        if (!text) return text.error();
        return keep(lora_config::parse(text->text(), beside.string()));
    }

    static failure wrong(const safetensors_source& file, std::size_t i, std::string_view what,
                         errc code = errc::bad_format) {
        return {code, cat("tensor ", quote(file.info(i).name), " ", what)};
    }
    static result<void> check_stored(const safetensors_source& file, std::size_t i) {
        const element_type type = file.dtype(i);
        if (type == element_type::f32 || type == element_type::f16 || type == element_type::bf16 ||
            type == element_type::f64)
            return {};
        return wrong(file, i, cat("is stored as ", traits(type).name, "; allowed: F32, F16, BF16, F64"));
    }
    static result<std::vector<float>> values(const safetensors_source& file, std::size_t i) {
        std::vector<float> v(static_cast<std::size_t>(file.info(i).size()));
        if (const status s = file.read(i, 0, v); !s.ok()) return to_failure(s);
        for (std::size_t k = 0; k < v.size(); ++k)
            if (!is_finite(v[k])) return wrong(file, i, cat("holds a number that is not finite, element ", k));
        return v;
    }

    result<void> add_module(const safetensors_source& file, const std::string& module, const module_tensors& m,
                            const std::optional<lora_config>& config) {
        if (!m.down || !m.up) {
            const std::size_t one = m.up ? *m.up : m.down ? *m.down : m.up_bias ? *m.up_bias : *m.alpha;
            return wrong(file, one,
                         cat("has no ",
                             m.up     ? "down (lora_A)"
                             : m.down ? "up (lora_B)"
                                      : "down and up",
                             " beside it; a LoRA has both"));
        }
        const tensor_info down = file.info(*m.down), up = file.info(*m.up);
        const auto shape = [](const tensor_info& t) { return apriori::detail::shape_text(t); };
        for (const std::size_t i : {*m.down, *m.up})
            if (const tensor_info t = file.info(i); t.rank != 2 || t.dims[0] < 1 || t.dims[1] < 1)
                return wrong(file, i, cat("is ", shape(t), "; allowed: a matrix"), errc::shape_mismatch);
        if (down.dims[0] != up.dims[1])
            return wrong(file, *m.down,
                         cat("is ", shape(down), " and ", quote(up.name), " is ", shape(up), ": their ranks, ",
                             down.dims[0], " and ", up.dims[1], ", disagree"),
                         errc::shape_mismatch);

        lora_term t;
        t.tensor = module + ".weight";
        t.key = up.name;
        t.rows = up.dims[0];
        t.rank = up.dims[1];
        t.cols = down.dims[1];
        auto ups = values(file, *m.up), downs = values(file, *m.down);
        if (!ups) return ups.error();
        if (!downs) return downs.error();
        t.up = std::move(*ups);
        t.down = std::move(*downs);
        const auto scale = scale_of(file, module, m, config, t.rank);
        if (!scale) return scale.error();
        t.scale = *scale;
        terms_.push_back(std::move(t));
        return m.up_bias ? add_bias(file, module, *m.up_bias) : result<void>();
    }

    static result<lora_scale> scale_of(const safetensors_source& file, const std::string& module,
                                       const module_tensors& m, const std::optional<lora_config>& config,
                                       index_t rank) {
        const auto r = static_cast<double>(rank);
        if (config) return config->scale(module, rank);
        if (!m.alpha) return lora_scale{r, r};
        if (const tensor_info t = file.info(*m.alpha); t.size() != 1 || t.rank > 1)
            return wrong(file, *m.alpha, cat("is ", apriori::detail::shape_text(t), "; allowed: one number"),
                         errc::shape_mismatch);
        const auto alpha = values(file, *m.alpha);
        if (!alpha) return alpha.error();
        return lora_scale{static_cast<double>(alpha->front()), r};
    }

    /// Adds the bias of the module that was added last.
    result<void> add_bias(const safetensors_source& file, const std::string& module, std::size_t i) {
        const lora_term& matrix = terms_.back();
        const tensor_info info = file.info(i);
        if (info.rank != 1 || info.dims[0] != matrix.rows)
            return wrong(file, i, cat("is ", apriori::detail::shape_text(info), "; allowed: [", matrix.rows, "]"),
                         errc::shape_mismatch);
        auto bias = values(file, i);
        if (!bias) return bias.error();
        lora_term t;
        t.tensor = module + ".bias";
        t.key = info.name;
        t.vector = true;
        t.rows = matrix.rows;
        t.up = std::move(*bias);
        t.down = {1.0F};
        t.scale = matrix.scale;
        terms_.push_back(std::move(t));
        return {};
    }

    static constexpr std::string_view peft_prefix = "base_model.model.";

    std::filesystem::path path_;
    std::vector<lora_term> terms_;
};

} // namespace apriori::io
APRIORI_END_EXACT_MATH
