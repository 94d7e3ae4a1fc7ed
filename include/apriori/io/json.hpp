// SPDX-License-Identifier: Apache-2.0
// Reading untrusted JSON: no exceptions, no duplicate keys, bounded depth and number of values.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apriori::io {

using json = nlohmann::json;

/// A JSON value for a message: ASCII, at most 60 characters.
inline std::string shown(const json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array() && value.size() > 16) return cat("an array of ", value.size(), " values");
    std::string text = value.dump(-1, ' ', true);
    if (text.size() > 60) text.replace(57, text.size(), "...");
    return text;
}

namespace detail {

/// Receives nlohmann's parser events and builds the value, stopping at the first thing that is not allowed.
class json_builder {
public:
    static constexpr std::size_t max_depth = 32;
    static constexpr std::size_t max_values = 2'000'000;

    bool null() { return put(nullptr) != nullptr; }
    bool boolean(bool v) { return put(v) != nullptr; }
    bool number_integer(json::number_integer_t v) { return put(v) != nullptr; }
    bool number_unsigned(json::number_unsigned_t v) { return put(v) != nullptr; }
    bool number_float(json::number_float_t v, const std::string&) { return put(v) != nullptr; }
    bool string(std::string& v) { return put(std::move(v)) != nullptr; }
    bool binary(json::binary_t&) { return refuse("binary values are not JSON"); }
    bool start_object(std::size_t) { return open(json::object()); }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(json::array()); }
    bool end_array() { return close(); }
    bool key(std::string& name) {
        if (open_.back()->contains(name)) return refuse(cat("the key ", quote(name), " occurs twice"));
        slot_ = &(*open_.back())[name];
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const json::exception&) {
        position_ = position;
        return refuse("is not well-formed JSON");
    }

    json root;
    const std::string& error() const { return error_; }
    std::size_t position() const { return position_; }

private:
    bool refuse(std::string why) {
        error_ = std::move(why);
        return false;
    }
    json* put(json value) {
        if (++values_ > max_values) {
            refuse(cat("holds more than ", max_values, " values"));
            return nullptr;
        }
        json* at = &root;
        if (!open_.empty()) {
            if (open_.back()->is_array()) {
                open_.back()->push_back(nullptr);
                at = &open_.back()->back();
            } else {
                at = slot_;
            }
        }
        *at = std::move(value);
        return at;
    }
    bool open(json value) {
        if (open_.size() == max_depth) return refuse(cat("is nested deeper than ", max_depth, " levels"));
        json* at = put(std::move(value));
        if (at != nullptr) open_.push_back(at);
        return at != nullptr;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    std::vector<json*> open_; ///< the containers around the current place; a parent does not grow while a child is open
    json* slot_ = nullptr;    ///< where the value of the last key goes
    std::size_t values_ = 0;
    std::size_t position_ = 0;
    std::string error_;
};

} // namespace detail

/// Parses `text`; `where` (a path) opens every message. bad_format with line and column if it is not well-formed,
/// a key occurs twice, it is nested deeper than 32 levels or holds more than 2 million values.
inline result<json> parse_json(std::string_view text, std::string_view where) {
    detail::json_builder builder;
    if (json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
    std::string message = std::string(where);
    if (builder.position() != 0) {
        const std::string_view before = text.substr(0, std::min(builder.position() - 1, text.size()));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto last = before.rfind('\n');
        const auto column = before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
        message += cat(":", line, ":", column);
    }
    return failure{errc::bad_format, cat(message, ": ", builder.error())};
}

} // namespace apriori::io
