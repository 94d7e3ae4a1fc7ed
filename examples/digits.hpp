// SPDX-License-Identifier: Apache-2.0
// Shared by the examples with the model in examples/digits: showing an embedding.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/io/stored_prompt.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using apriori::io::read_tensor;

/// The picture that decoder/model.safetensors makes of an embedding [64], as eight lines of text. The decoder has two
/// linear layers, written in the expression core. Their weights are operands like any other, and not packed.
template <class Source>
apriori::result<std::string> picture(const Source& decoder, const std::vector<float>& embedding) {
    using namespace apriori;
    const auto w0 = read_tensor(decoder, "0.weight"), b0 = read_tensor(decoder, "0.bias");
    const auto w2 = read_tensor(decoder, "2.weight"), b2 = read_tensor(decoder, "2.bias");
    for (const auto* r : {&w0, &b0, &w2, &b2})
        if (!*r) return r->error();
    if (embedding.size() != 64 || w0->size() != 256 * 64 || b0->size() != 256 || w2->size() != 64 * 256 ||
        b2->size() != 64)
        return failure{errc::shape_mismatch, "the decoder's or the embedding's shape is not that of digits-unclip"};

    const view<const float, extents<1, 64>> e(embedding.data(), {});
    const view<const float, extents<256, 64>> hidden_weight(w0->data(), {});
    const view<const float, extents<256>> hidden_bias(b0->data(), {});
    const view<const float, extents<64, 256>> pixel_weight(w2->data(), {});
    const view<const float, extents<64>> pixel_bias(b2->data(), {});
    const auto y =
        sigmoid(linear(gelu(linear(e, hidden_weight, hidden_bias)), pixel_weight, pixel_bias)); // [1, 64], 0 to 1

    cpu<> device;
    tensor<float, extents<1, 64>> pixels;
    const host_buffer memory(plan<cpu<>>(y).workspace);
    if (const status s = assign(device, memory.span(), pixels.view(), y); !s.ok()) return to_failure(s);
    std::string text;
    for (std::size_t i = 0; i < 64; ++i) {
        const char ink = " .:-=+*#%@"[static_cast<int>(pixels.flat()[i] * 9.99f)];
        text += {ink, ink};
        if (i % 8 == 7) text += '\n';
    }
    return text;
}

/// The digit whose mean embedding (the decoder's digit_centroids [10, 64]) has the direction closest to that of e.
template <class Source>
apriori::result<int> nearest_digit(const Source& decoder, const std::vector<float>& e) {
    const auto means = read_tensor(decoder, "digit_centroids");
    if (!means) return means.error();
    if (means->size() != 10 * e.size())
        return apriori::failure{apriori::errc::shape_mismatch, "digit_centroids do not have the embedding's width"};
    std::vector<float> cosines;
    for (auto mean = means->begin(); mean != means->end(); mean += static_cast<std::ptrdiff_t>(e.size())) {
        float dot = 0, squares = 0;
        for (std::size_t i = 0; i < e.size(); ++i) {
            dot += e[i] * mean[static_cast<std::ptrdiff_t>(i)];
            squares += mean[static_cast<std::ptrdiff_t>(i)] * mean[static_cast<std::ptrdiff_t>(i)];
        }
        cosines.push_back(dot / std::sqrt(squares));
    }
    return static_cast<int>(std::max_element(cosines.begin(), cosines.end()) - cosines.begin());
}

/// The digit that a text names, or -1 if it names none.
inline int named_digit(const std::string& text) {
    const char* words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    for (int i = 0; i < 10; ++i)
        if (text.find(words[i]) != std::string::npos) return i;
    return -1;
}
