// SPDX-License-Identifier: Apache-2.0
// Whether a source holds exactly the tensors a model expects.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/core/tensor_source.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace apriori {

namespace detail {

/// "2 missing tensors: a, b": at most `most` of them, then "and N more".
class bounded_list {
public:
    static constexpr std::size_t most = 20;

    void add(const tensor_info& t, std::string_view detail = {}) {
        if (++count_ > most) return;
        if (count_ > 1) text_ += ", ";
        text_ += t.name.substr(0, 200);
        text_ += detail;
    }
    std::size_t count() const { return count_; }
    void append_to(std::string& message, std::string_view kind) const {
        if (count_ == 0) return;
        message += message.empty() ? "" : "; ";
        message += std::to_string(count_);
        message += ' ';
        message += kind;
        message += count_ == 1 ? " tensor: " : " tensors: ";
        message += text_;
        if (count_ > most) {
            message += " and ";
            message += std::to_string(count_ - most);
            message += " more";
        }
    }

private:
    std::size_t count_ = 0;
    std::string text_;
};

inline std::string shape_text(const tensor_info& t) {
    std::string out = "[";
    for (int i = 0; i < t.rank; ++i) {
        if (i > 0) out += ", ";
        out += std::to_string(at(t.dims, i));
    }
    return out += ']';
}

} // namespace detail

/// Compares what `source` holds with `expected`, by name and exact shape. All missing, unexpected and misshapen tensors
/// are in one message, up to 20 of each by name: not_found if any is missing, else shape_mismatch if any has another
/// shape, else invalid_argument.
result<void> check_tensors(const tensor_source auto& source, std::span<const tensor_info> expected) {
    const auto by_name = [](const tensor_info& a, const tensor_info& b) { return a.name < b.name; };
    std::vector<tensor_info> held;
    held.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) held.push_back(source.info(i));
    std::sort(held.begin(), held.end(), by_name);

    detail::bounded_list missing;
    detail::bounded_list unexpected;
    detail::bounded_list misshapen;
    for (const tensor_info& want : expected) {
        const auto at = std::lower_bound(held.begin(), held.end(), want, by_name);
        if (at == held.end() || at->name != want.name) {
            missing.add(want);
        } else if (!at->same_shape(want)) {
            std::string shapes = " is ";
            shapes += detail::shape_text(*at);
            shapes += ", must be ";
            shapes += detail::shape_text(want);
            misshapen.add(want, shapes);
        }
    }
    std::vector<tensor_info> wanted(expected.begin(), expected.end());
    std::sort(wanted.begin(), wanted.end(), by_name);
    for (const tensor_info& have : held)
        if (!std::binary_search(wanted.begin(), wanted.end(), have, by_name)) unexpected.add(have);

    std::string message;
    missing.append_to(message, "missing");
    unexpected.append_to(message, "unexpected");
    misshapen.append_to(message, "misshapen");
    if (message.empty()) return {};
    const errc code = missing.count() != 0     ? errc::not_found
                      : misshapen.count() != 0 ? errc::shape_mismatch
                                               : errc::invalid_argument;
    message.insert(0, "the weights do not fit the model: ");
    return failure{code, message};
}

} // namespace apriori
