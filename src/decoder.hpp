// SPDX-License-Identifier: Apache-2.0
// The decoder of examples/digits: from an image embedding to an 8 by 8 picture, as one expression on the CPU.
#pragma once

#include "apriori/core/result.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace apriori::program {

/// Grey pictures of one size, ink from 0 (paper) to 1.
struct pictures {
    static constexpr int width = 8, height = 8, size = width * height;
    std::vector<float> ink; ///< [count, height, width]

    int count() const noexcept { return static_cast<int>(ink.size()) / size; }
    std::span<const float> operator[](int i) const noexcept {
        return std::span(ink).subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size));
    }
};

class decoder {
public:
    static constexpr int embedding_dim = 64, hidden_dim = 256, digits = 10;

    /// True if the folder's config.json says that it makes pictures: other pipelines have other kinds of decoders.
    static bool recognises(const std::filesystem::path& folder);
    /// The decoder in a folder for which `recognises` is true.
    static result<decoder> open(const std::filesystem::path& folder);

    decoder(decoder&&) noexcept;
    ~decoder();

    /// Pictures of embeddings [count, embedding_dim]: sigmoid(W2 gelu(W1 e + b1) + b2).
    result<pictures> operator()(std::span<const float> embeddings) const;

    /// How many of the embeddings [count, embedding_dim] are nearest, by cosine, to the centroid of the digit that the
    /// prompt names; nullopt if it names none, or there are no centroids.
    std::optional<int> count_hits(std::string_view prompt, std::span<const float> embeddings) const;

private:
    struct state;
    explicit decoder(std::unique_ptr<state> s);
    std::unique_ptr<state> state_;
};

/// The smallest digit whose name, "zero" to "nine", is a word of the text.
std::optional<int> named_digit(std::string_view text);

} // namespace apriori::program
