// SPDX-License-Identifier: Apache-2.0
// Checks that a source has exactly the tensors that a model expects.
#pragma once

#include "apriori/core/decimal.hpp"
#include "apriori/core/fixed_string.hpp"
#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/core/tensor_source.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

namespace detail {

/// "2 missing tensors: a, b": at most `most` names, then "and N more".
class bounded_list {
public:
    static constexpr std::size_t most = 20;

    void add(const tensor_info& t, std::string_view detail = {}) {
        if (++count_ > most) return;
        if (count_ > 1) text_ += ", ";
        std::size_t end = std::min<std::size_t>(t.name.size(), 200);
        while (end > 0 && end < t.name.size() && (t.name[end] & 0xC0) == 0x80) --end; // do not cut a UTF-8 character
        text_ += t.name.substr(0, end);
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

/// "[3, 5] is NaN": element `i` of a tensor, row-major, and its value.
inline std::string number_and_place(const tensor_info& t, index_t i, float value) {
    std::string place;
    for (int d = t.rank - 1; d >= 0; --d) {
        place = std::to_string(i % at(t.dims, d)) + (place.empty() ? "" : ", ") + place;
        i /= at(t.dims, d);
    }
    short_text<32> number;
    if (is_finite(value))
        add_decimal(number, value);
    else
        number.add(is_nan(value) ? "NaN" : value > 0 ? "inf" : "-inf");
    return "[" + place + "] is " + std::string(number.view());
}

} // namespace detail

/// Compares the tensors of a source, `held`, with `expected`, by name and exact shape. Returns the index in `held` of
/// each of `expected`. Otherwise one message lists all missing, unexpected and misshapen tensors, up to 20 of each by
/// name. The error is not_found if any is missing, else shape_mismatch if any has another shape, else invalid_argument.
result<std::vector<std::size_t>> find_tensors(std::span<const tensor_info> held, std::span<const tensor_info> expected);
/// The same check for a source.
template <tensor_source S>
result<void> check_tensors(const S& source, std::span<const tensor_info> expected) {
    if (const auto found = find_tensors(infos_of(source), expected); !found) return found.error();
    return {};
}

#if APRIORI_DEFINITIONS
APRIORI_FUNCTION result<std::vector<std::size_t>> find_tensors(std::span<const tensor_info> held,
                                                               std::span<const tensor_info> expected) {
    using place = std::pair<std::string_view, std::size_t>;
    std::vector<place> places, wanted;
    for (const tensor_info& t : held) places.emplace_back(t.name, places.size());
    for (const tensor_info& t : expected) wanted.emplace_back(t.name, wanted.size());
    std::sort(places.begin(), places.end());
    std::sort(wanted.begin(), wanted.end());
    const auto find = [](const std::vector<place>& in, std::string_view name) {
        const auto at = std::lower_bound(in.begin(), in.end(), place{name, 0});
        return at != in.end() && at->first == name ? &*at : nullptr;
    };
    std::vector<std::size_t> found;

    detail::bounded_list missing;
    detail::bounded_list unexpected;
    detail::bounded_list misshapen;
    for (const tensor_info& want : expected) {
        const place* at = find(places, want.name);
        if (at == nullptr) {
            missing.add(want);
            continue;
        }
        found.push_back(at->second);
        if (!held[at->second].same_shape(want))
            misshapen.add(want,
                          " is " + detail::shape_text(held[at->second]) + ", must be " + detail::shape_text(want));
    }
    for (const auto& [name, at] : places)
        if (find(wanted, name) == nullptr) unexpected.add({name});

    std::string message;
    missing.append_to(message, "missing");
    unexpected.append_to(message, "unexpected");
    misshapen.append_to(message, "misshapen");
    if (message.empty()) return found;
    const errc code = missing.count() != 0     ? errc::not_found
                      : misshapen.count() != 0 ? errc::shape_mismatch
                                               : errc::invalid_argument;
    message.insert(0, "the weights do not fit the model: ");
    return failure{code, message};
}
#endif

} // namespace apriori
APRIORI_END_EXACT_MATH
