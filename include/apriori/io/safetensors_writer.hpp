// SPDX-License-Identifier: Apache-2.0
// Writes float32 tensors and text metadata as a safetensors file, whole or not at all.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/safetensors_header.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// Collects tensors and metadata, then writes them in the order in which they were added. Values are not copied: the
/// spans must stay valid until write().
class safetensors_writer {
public:
    /// Adds `values`, row-major, under `name`. invalid_argument if the name is not allowed or already used,
    /// shape_mismatch if the number of values is not that of the shape.
    result<void> add(std::string_view name, std::span<const index_t> shape, std::span<const float> values) {
        if (const char* why = bad_tensor_name(name)) return invalid(cat("tensor name ", quote(name), " ", why));
        if (entries_.contains(std::string(name))) return invalid(cat("tensor ", quote(name), " was added before"));
        if (shape.size() > tensor_info::max_rank)
            return invalid(cat("tensor ", quote(name), " has ", shape.size(), " dimensions; allowed: at most ",
                               tensor_info::max_rank));
        constexpr auto most = static_cast<std::size_t>((std::numeric_limits<index_t>::max)()) / sizeof(float);
        std::size_t size = 1; // of the non-zero extents, as in readers
        bool empty = false;
        for (const index_t n : shape) {
            const auto extent = static_cast<std::size_t>(n);
            if (n < 0 || (n > 0 && size > most / extent)) return mismatch(name, shape, values.size());
            if (n > 0) size *= extent;
            empty = empty || n == 0;
        }
        if ((empty ? 0 : size) != values.size()) return mismatch(name, shape, values.size());
        entries_[std::string(name)] = cat(R"({"data_offsets":[)", bytes_, ',', bytes_ + values.size_bytes(),
                                          R"(],"dtype":"F32","shape":[)", joined(shape, ","), "]}");
        bytes_ += values.size_bytes();
        values_.push_back(values);
        return {};
    }
    result<void> add(std::string_view name, std::initializer_list<index_t> shape, std::span<const float> values) {
        return add(name, std::span(shape.begin(), shape.size()), values);
    }

    /// Sets a metadata entry. invalid_argument if key or value is not UTF-8.
    result<void> metadata(std::string_view key, std::string_view value) {
        if (!valid_utf8(key) || !valid_utf8(value))
            return invalid(cat("metadata ", quote(key), ": ", quote(value), " is not UTF-8"));
        metadata_[std::string(key)] = json_quoted(value);
        return {};
    }

    /// Writes the file. An error names the path and the reason; then no file is left.
    result<void> write(const std::filesystem::path& path) const {
        auto file = atomic_file::create(path);
        if (!file.ok()) return file.error();
        if (auto done = file->write(header()); !done.ok()) return done;
        for (const auto values : values_)
            if (auto done = file->write(std::as_bytes(values)); !done.ok()) return done;
        return file->commit();
    }

private:
    static failure invalid(std::string what) { return {errc::invalid_argument, std::move(what)}; }
    static failure mismatch(std::string_view name, std::span<const index_t> shape, std::size_t count) {
        return {errc::shape_mismatch,
                cat("tensor ", quote(name), " of shape [", joined(shape, ", "), "] was given ", count, " values")};
    }
    static std::string joined(std::span<const index_t> shape, std::string_view between) {
        std::string out;
        for (const index_t n : shape) out += cat(out.empty() ? "" : between, n);
        return out;
    }
    /// A JSON object of values that are already JSON.
    static std::string object(const std::map<std::string, std::string>& members) {
        std::string out;
        for (const auto& [key, value] : members) out += cat(out.empty() ? "{" : ",", json_quoted(key), ':', value);
        return out.empty() ? "{}" : out + '}';
    }
    /// Length and JSON, padded with spaces so that the data begins at a multiple of 8.
    std::string header() const {
        std::map<std::string, std::string> all = entries_;
        if (!metadata_.empty()) all["__metadata__"] = object(metadata_);
        std::string text = object(all);
        text.resize((text.size() + 7) / 8 * 8, ' ');
        const std::uint64_t length = text.size();
        std::string out(sizeof length, '\0');
        std::memcpy(out.data(), &length, sizeof length);
        return out += text;
    }

    std::map<std::string, std::string> entries_, metadata_; ///< for the header: JSON by name
    std::vector<std::span<const float>> values_;
    std::size_t bytes_ = 0;
};

} // namespace apriori::io
APRIORI_END_EXACT_MATH
