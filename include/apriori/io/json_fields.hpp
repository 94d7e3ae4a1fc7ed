// SPDX-License-Identifier: Apache-2.0
// Typed reading of a flat JSON object that is not the configuration of a model or scheduler (core/read_config.hpp reads
// those). Every message names file, field, value and what is allowed.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/json.hpp"
#include "apriori/io/mapped_file.hpp"

#include <concepts>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// A number in a message.
inline std::string decimal(double x) {
    short_text<64> out;
    add_decimal(out, static_cast<float>(x));
    return std::string(out.view());
}

/// Reads a JSON object field by field. A field that is absent leaves its variable unchanged. The first error is kept,
/// and later calls do nothing, so a reader is a list of fields and one finish():
///
///     auto fields = json_fields::open(path);
///     if (!fields.ok()) return fields.error();
///     fields->integer("r", config.rank, 1, 1024);
///     fields->boolean("use_rslora", config.rslora);
///     if (auto done = fields->finish(); !done.ok()) return done.error();
class json_fields {
public:
    /// The object in `text`; messages begin with `where` (a path).
    static result<json_fields> parse(std::string_view text, std::string_view where) {
        auto parsed = parse_json(text, where);
        if (!parsed.ok()) return parsed.error();
        if (!parsed->is(json_kind::object))
            return failure{errc::bad_format, cat(where, ": is ", shown(*parsed), ", not an object")};
        return json_fields(text, std::string(where));
    }
    /// The object in a file.
    static result<json_fields> open(const std::filesystem::path& path) {
        const auto file = mapped_file::open(path);
        if (!file.ok()) return file.error();
        auto fields = parse(file->text(), path.string());
        if (!fields.ok()) return explained(fields.error(), path, file->bytes());
        return fields;
    }

    /// From now on a field that is null counts as absent.
    void nulls_are_absent() noexcept { nulls_are_absent_ = true; }

    /// An integer from `least` to `most`; not 8.0, not "8".
    void integer(const char* key, int& out, int least, int most) {
        const json* v = next(key);
        if (v == nullptr) return;
        const double x = v->number();
        if (x >= least && x <= most && v->text.find_first_of(".eE") == std::string_view::npos)
            out = static_cast<int>(x);
        else
            refuse(key, *v, cat("an integer from ", least, " to ", most));
    }
    /// A finite number from `least` to `most`, integer or not.
    template <std::floating_point T>
    void number(const char* key, T& out, std::type_identity_t<T> least, std::type_identity_t<T> most) {
        const json* v = next(key);
        if (v == nullptr) return;
        const double x = v->number();
        if (x >= static_cast<double>(least) && x <= static_cast<double>(most))
            out = static_cast<T>(x);
        else
            refuse(key, *v, cat("a number from ", decimal(least), " to ", decimal(most)));
    }
    /// true or false; not 0 or 1.
    void boolean(const char* key, bool& out) {
        const json* v = next(key);
        if (v == nullptr) return;
        if (v->is(json_kind::boolean))
            out = v->text == "true";
        else
            refuse(key, *v, "true or false");
    }
    /// Text.
    void text(const char* key, std::string& out) {
        const json* v = next(key);
        if (v == nullptr) return;
        if (v->is(json_kind::string))
            out = v->string();
        else
            refuse(key, *v, "text");
    }
    /// The value itself, or nullptr if it is absent, for types that the functions above do not cover. See refuse().
    const json* next(const char* key) {
        if (!error_.ok()) return nullptr;
        known_.insert(key);
        for (const json_item& item : items_)
            if (item.key == key) return nulls_are_absent_ && item.value.is(json_kind::null) ? nullptr : &item.value;
        return nullptr;
    }
    /// Reports that a value is not allowed.
    void refuse(const char* key, const json& value, const std::string& allowed, errc code = errc::invalid_argument) {
        if (error_.ok())
            error_ = failure{code, cat(where_, ": field '", key, "' is ", shown(value), "; allowed: ", allowed)};
    }
    /// Reports anything else that is wrong with the object.
    void refuse(const std::string& why) {
        if (error_.ok()) error_ = failure{errc::invalid_argument, cat(where_, ": ", why)};
    }

    /// The first error. Fields that no call above named are ignored.
    result<void> finish() const { return error_; }
    /// The first error; or one if `_class_name` exists and is not `class_name`, or if there is a field that no call
    /// above named and whose name does not begin with '_'.
    result<void> finish(std::string_view class_name) {
        if (!error_.ok()) return error_;
        if (const json* name = next("_class_name"); name != nullptr && !json_says(*name, class_name))
            refuse("_class_name", *name, cat('"', class_name, '"'), errc::unsupported);
        for (const auto& [key, value] : items_) {
            if (key.starts_with('_') || known_.contains(key)) continue;
            std::string names;
            for (const auto& name : known_) names += cat(names.empty() ? "" : ", ", name);
            refuse(cat("unknown field ", quote(key), "; ", class_name, " has ", names));
        }
        return error_;
    }

private:
    json_fields(std::string_view text, std::string where) : text_(text.begin(), text.end()), where_(std::move(where)) {
        items_ = json(json_reader({text_.data(), text_.size()}).value()).items();
    }

    std::vector<char> text_; ///< the items are views of it, even after the reader is moved
    std::vector<json_item> items_;
    std::string where_;
    std::set<std::string, std::less<>> known_;
    bool nulls_are_absent_ = false;
    result<void> error_;
};

} // namespace apriori::io
APRIORI_END_EXACT_MATH
