// SPDX-License-Identifier: Apache-2.0
// A model's weights with LoRAs added, as a tensor source: nothing of the model is kept, rows
// are computed as they are read.
#pragma once

#include "apriori/core/check_tensors.hpp"
#include "apriori/core/floats.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/io/lora.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// A LoRA and its weight.
struct weighted_lora {
    lora_file file;
    double weight = 1;
};

namespace detail {

/// out += factor * (up @ down), for elements of the product from `first` on, row-major. As in diffusers' fusion, the
/// product is rounded to float32, then its multiple, then the sum. Products are summed in float64, where each is exact,
/// so the bits are the same on every machine and for every split, whether or not the compiler fuses multiplications
/// with additions. Returns false if a finite number has become one that is not finite.
inline bool add_product(const lora_term& t, float factor, std::int64_t first, std::span<float> out) noexcept {
    constexpr std::size_t most = 64;
    double sums[most];
    bool finite = true;
    for (std::size_t at = 0; at < out.size();) {
        const index_t element = first + static_cast<index_t>(at), row = element / t.cols, column = element % t.cols;
        const std::size_t n = (std::min)({most, static_cast<std::size_t>(t.cols - column), out.size() - at});
        std::fill_n(sums, n, 0.0);
        for (index_t j = 0; j < t.rank; ++j) {
            const auto up = static_cast<double>(t.up[static_cast<std::size_t>(row * t.rank + j)]);
            const float* down = t.down.data() + (j * t.cols + column);
            for (std::size_t i = 0; i < n; ++i) sums[i] += up * static_cast<double>(down[i]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            float& x = out[at + i];
            const auto product = static_cast<double>(static_cast<float>(sums[i]));
            const auto added = static_cast<float>(static_cast<double>(factor) * product);
            const auto sum = static_cast<float>(static_cast<double>(x) + static_cast<double>(added));
            finite = finite && (is_finite(sum) || !is_finite(x));
            x = sum;
        }
        at += n;
    }
    return finite;
}

} // namespace detail

/// The tensors of `Source`, with weight * alpha / rank * up @ down of each LoRA added in turn to those that it touches,
/// as diffusers' fuse_lora does. A tensor_source. Refers to the source and the LoRAs, which must outlive it.
template <tensor_source Source>
class lora_source {
public:
    /// Checks every LoRA against the tensors of `base`: not_found for an unknown module, shape_mismatch for matrices
    /// that do not fit, invalid_argument for weights that are not finite.
    static result<lora_source> make(const Source& base, const std::vector<weighted_lora>& loras) {
        lora_source s(base);
        std::vector<std::pair<std::string_view, std::size_t>> found;
        for (std::size_t i = 0; i < base.size(); ++i) found.emplace_back(base.info(i).name, i);
        std::sort(found.begin(), found.end());
        for (const weighted_lora& lora : loras)
            for (const lora_term& t : lora.file.terms()) {
                const auto at =
                    std::lower_bound(found.begin(), found.end(), std::pair{std::string_view(t.tensor), std::size_t{0}});
                const auto wrong = [&](errc code, const std::string& what) {
                    return failure{code, cat(lora.file.path().string(), ": tensor ", quote(t.key), ": ", what)};
                };
                if (at == found.end() || at->first != t.tensor)
                    return wrong(errc::not_found, cat("the model has no tensor ", quote(t.tensor),
                                                      "; is the LoRA one for another model?"));
                if (const tensor_info info = base.info(at->second);
                    info.rank != (t.vector ? 1 : 2) || info.dims[0] != t.rows || (!t.vector && info.dims[1] != t.cols))
                    return wrong(errc::shape_mismatch,
                                 cat("the LoRA is one for ",
                                     t.vector ? cat("[", t.rows, "]") : cat("[", t.rows, ", ", t.cols, "]"),
                                     ", the model's ", quote(t.tensor), " is ", apriori::detail::shape_text(info)));
                const auto factor = static_cast<float>(lora.weight * t.scale.alpha / t.scale.divisor);
                if (!is_finite(factor))
                    return wrong(errc::invalid_argument, "its alpha times the LoRA's weight is not a finite number");
                if (factor != 0.0F) s.terms_[at->second].push_back({&t, factor});
            }
        return s;
    }

    bool concurrent_reads() const { return tensor_source_ref(*base_).concurrent_reads(); }
    std::size_t size() const { return terms_.size(); }
    tensor_info info(std::size_t i) const { return base_->info(i); }
    /// Elements first .. first + out.size() of tensor i; the bits do not depend on how reads are split.
    /// invalid_argument if a sum is out of float32's range.
    status read(std::size_t i, std::int64_t first, std::span<float> out) const {
        if (const status s = base_->read(i, first, out); !s.ok()) return s;
        for (const auto& [term, factor] : terms_[i])
            if (!detail::add_product(*term, factor, first, out))
                return status::invalid("with the LoRAs in it, a weight is out of float32's range");
        return {};
    }

    /// The tensors that differ from those of the base: the ones that packed weights repack.
    std::vector<std::string> touched() const {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < terms_.size(); ++i)
            if (!terms_[i].empty()) names.emplace_back(info(i).name);
        return names;
    }

private:
    struct addend {
        const lora_term* term;
        float factor;
    };

    explicit lora_source(const Source& base) : base_(&base), terms_(base.size()) {}

    const Source* base_;
    std::vector<std::vector<addend>> terms_; ///< of each tensor
};

} // namespace apriori::io
APRIORI_END_EXACT_MATH
