// SPDX-License-Identifier: Apache-2.0
// The state and the inputs of a long run: a small JSON file next to its output, from which a stopped run continues.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/json_fields.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apriori::io {

/// Names and values of all that the numbers of a run depend on, such as {"seed", "7"}, {"model", "digits-unclip"}.
/// Names are distinct and not empty; both are UTF-8.
using run_inputs = std::vector<std::pair<std::string, std::string>>;

/// The progress of a run. Items are done in order, so their number is enough.
struct run_manifest {
    static constexpr int current_version = 1;

    std::uint64_t items = 0, rows_of_item = 1, width = 0; ///< the output is [items * rows_of_item, width]
    std::uint64_t done = 0;                               ///< items 0 .. done - 1 are in the file
    run_inputs inputs{};

    /// The path of the manifest of an output.
    static std::filesystem::path path_of(const std::filesystem::path& out) {
        std::filesystem::path path = out;
        return path += ".manifest.json";
    }

    std::string text() const {
        std::string t = cat("{\n  \"apriori_run\": ", current_version, ",\n  \"items\": ", items,
                            ",\n  \"rows_of_item\": ", rows_of_item, ",\n  \"width\": ", width, ",\n  \"done\": ", done,
                            ",\n  \"inputs\": {");
        for (std::size_t i = 0; i < inputs.size(); ++i)
            t += cat(i == 0 ? "\n    " : ",\n    ", json_quoted(inputs[i].first), ": ", json_quoted(inputs[i].second));
        return t += inputs.empty() ? "}\n}\n" : "\n  }\n}\n";
    }

    /// Parses `text`, a manifest; messages begin with `where`. bad_format, or the errors of
    /// json_fields, if it is not one.
    static result<run_manifest> parse(std::string_view text, std::string_view where) {
        auto fields = json_fields::parse(text, where);
        if (!fields) return fields.error();
        run_manifest m;
        std::uint64_t version = 0;
        const auto whole = [&](const char* key, std::uint64_t& out) {
            const json* v = fields->next(key);
            const auto n = v == nullptr ? std::nullopt : v->whole();
            if (!n || *n > most)
                fields->refuse(cat("field '", key, "' must be there, a whole number from 0 to ", most));
            else
                out = *n;
        };
        whole("apriori_run", version);
        if (fields->finish() && version != current_version)
            fields->refuse(cat("has version ", version, ", this program reads ", current_version,
                               "; go on with the program that began the run, or remove the file and begin again"));
        whole("items", m.items);
        whole("rows_of_item", m.rows_of_item);
        whole("width", m.width);
        whole("done", m.done);
        if (m.done > m.items) fields->refuse(cat("says that ", m.done, " of ", m.items, " items are done; remove it"));
        if (const json* in = fields->next("inputs"); in != nullptr)
            for (const json_item& item : in->items()) {
                if (!in->is(json_kind::object) || !item.value.is(json_kind::string))
                    fields->refuse("inputs", *in, "an object of texts");
                m.inputs.emplace_back(item.key, item.value.string());
            }
        if (auto r = fields->finish(); !r) return r.error();
        return m;
    }
    /// The manifest in a file; see parse.
    static result<run_manifest> read(const std::filesystem::path& path) {
        const auto file = mapped_file::open(path);
        if (!file) return file.error();
        return parse(file->text(), path.string());
    }

    /// The first difference between two runs, for a message; none if they make the same array.
    struct difference {
        std::string what{}, first{}, second{};
    };
    static std::optional<difference> between(const run_manifest& a, const run_manifest& b) {
        run_inputs as = a.inputs, bs = b.inputs;
        std::sort(as.begin(), as.end());
        std::sort(bs.begin(), bs.end());
        for (std::size_t i = 0; i < as.size() || i < bs.size(); ++i) {
            if (i < as.size() && i < bs.size() && as[i] == bs[i]) continue;
            const bool not_in_a = i == as.size() || (i < bs.size() && bs[i].first < as[i].first);
            const bool not_in_b = i == bs.size() || (i < as.size() && as[i].first < bs[i].first);
            return difference{quote(not_in_a ? bs[i].first : as[i].first), not_in_a ? "not there" : quote(as[i].second),
                              not_in_b ? "not there" : quote(bs[i].second)};
        }
        const auto numbers = [](const run_manifest& m) { return std::array{m.items, m.rows_of_item, m.width}; };
        constexpr std::array names{"number of items", "number of rows of an item", "width"};
        for (std::size_t i = 0; i < names.size(); ++i)
            if (numbers(a)[i] != numbers(b)[i])
                return difference{names[i], std::to_string(numbers(a)[i]), std::to_string(numbers(b)[i])};
        return std::nullopt;
    }

private:
    static constexpr std::uint64_t most = std::uint64_t{1} << 53; ///< other readers of JSON represent it exactly, too
};

} // namespace apriori::io
