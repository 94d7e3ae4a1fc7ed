// SPDX-License-Identifier: Apache-2.0
#include "decoder.hpp"

#include "apriori/core/check_tensors.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/io/json_fields.hpp"
#include "apriori/io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

namespace apriori::program {

namespace {

/// A packed linear layer.
template <index_t Out, index_t In>
struct linear_layer {
    using packed = cpu<>::packed<f32>;
    host_buffer memory{packed::stored_bytes(Out, In)};
    tensor<float, extents<Out>> bias;

    status fill(cpu<>& device, std::span<const float> weights, std::span<const float> values) {
        if (memory.empty() || bias.data() == nullptr) return {errc::device_error, "no memory for the decoder"};
        std::copy(values.begin(), values.end(), bias.data());
        return device.pack(packed(memory.data(), Out, In), 0, weights);
    }
    template <class X>
    auto operator()(const X& x) const {
        return linear(x, weight<packed, Out, In>{packed(memory.data(), Out, In)}, bias.view());
    }
};

/// The tensor of that name, whose shape has been checked.
result<std::vector<float>> read(const io::weights_source& source, std::string_view name) {
    const auto at = source.find(name);
    std::vector<float> values(static_cast<std::size_t>(source.info(*at).size()));
    if (const status s = source.read(*at, 0, values); !s.ok()) return to_failure(s);
    return values;
}

} // namespace

struct decoder::state {
    linear_layer<hidden_dim, embedding_dim> first;
    linear_layer<pictures::size, hidden_dim> second;
    std::vector<float> centroids; ///< [digits, embedding_dim] of length 1; empty if there are none
};

decoder::decoder(std::unique_ptr<state> s) : state_(std::move(s)) {}
decoder::decoder(decoder&&) noexcept = default;
decoder::~decoder() = default;

bool decoder::recognises(const std::filesystem::path& folder) {
    const auto file = io::mapped_file::open(folder / "config.json");
    if (!file) return false;
    const auto config = io::parse_json(file->text(), "config.json");
    return config && (*config)["picture"];
}

result<decoder> decoder::open(const std::filesystem::path& folder) {
    auto fields = io::json_fields::open(folder / "config.json");
    if (!fields) return fields.error();
    const std::string wanted = io::cat('[', pictures::height, ',', pictures::width, ']');
    if (const io::json* size = fields->next("picture"); size != nullptr && io::shown(*size) != wanted)
        return failure{errc::unsupported, io::cat((folder / "config.json").string(), ": field 'picture' is ",
                                                  io::shown(*size), "; allowed: ", wanted)};
    auto source = io::open_weights(folder);
    if (!source) return source.error();
    std::vector<tensor_info> expected{{"0.bias", 1, {hidden_dim}},
                                      {"0.weight", 2, {hidden_dim, embedding_dim}},
                                      {"2.bias", 1, {pictures::size}},
                                      {"2.weight", 2, {pictures::size, hidden_dim}}};
    const bool has_centroids = source->find("digit_centroids").has_value();
    if (has_centroids) expected.push_back({"digit_centroids", 2, {digits, embedding_dim}});
    if (auto fits = check_tensors(*source, expected); !fits)
        return failure{fits.error().code, folder.string() + ": " + fits.error().message};

    auto s = std::make_unique<state>();
    std::array<std::vector<float>, 4> values;
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto v = read(*source, expected[i].name);
        if (!v) return v.error();
        values[i] = std::move(*v);
    }
    cpu<> device;
    if (const status r = s->first.fill(device, values[1], values[0]); !r.ok()) return to_failure(r);
    if (const status r = s->second.fill(device, values[3], values[2]); !r.ok()) return to_failure(r);
    if (has_centroids) {
        auto v = read(*source, "digit_centroids");
        if (!v) return v.error();
        s->centroids = std::move(*v);
        for (std::size_t d = 0; d < digits; ++d) {
            const auto row = std::span(s->centroids).subspan(d * embedding_dim, embedding_dim);
            float squares = 0;
            for (const float x : row) squares += x * x;
            const float length = std::max(std::sqrt(squares), 1e-12F);
            for (float& x : row) x /= length;
        }
    }
    return decoder(std::move(s));
}

result<pictures> decoder::operator()(std::span<const float> embeddings) const {
    const auto rows = static_cast<index_t>(embeddings.size()) / embedding_dim;
    const view<const float, extents<dyn, embedding_dim>> e(embeddings.data(), extents<dyn, embedding_dim>(rows));
    const auto expression = sigmoid(state_->second(gelu(state_->first(e))));
    pictures out{std::vector<float>(static_cast<std::size_t>(rows * pictures::size))};
    const view<float, extents<dyn, pictures::size>> to(out.ink.data(), extents<dyn, pictures::size>(rows));
    cpu<> device;
    const host_buffer memory(plan<cpu<>>(expression).workspace);
    if (memory.empty()) return failure{errc::device_error, "no memory for the pictures; ask for fewer --samples"};
    if (const status s = assign(device, memory.span(), to, expression); !s.ok()) return to_failure(s);
    return out;
}

std::optional<int> decoder::count_hits(std::string_view prompt, std::span<const float> embeddings) const {
    const auto wanted = named_digit(prompt);
    if (!wanted || state_->centroids.empty()) return std::nullopt;
    int hits = 0;
    for (std::size_t row = 0; row < embeddings.size(); row += embedding_dim) {
        int nearest = 0;
        float best = -INFINITY;
        for (int d = 0; d < digits; ++d) {
            const float* centroid = state_->centroids.data() + d * embedding_dim;
            float product = 0;
            for (std::size_t i = 0; i < embedding_dim; ++i) product += embeddings[row + i] * centroid[i];
            if (product > best) {
                best = product;
                nearest = d;
            }
        }
        hits += nearest == *wanted ? 1 : 0;
    }
    return hits;
}

std::optional<int> named_digit(std::string_view text) {
    static constexpr std::array<std::string_view, decoder::digits> words = {"zero", "one", "two",   "three", "four",
                                                                            "five", "six", "seven", "eight", "nine"};
    // the smallest digit that is named anywhere, as in sample.py: not the first word that names one
    std::vector<std::string> found;
    std::istringstream stream{std::string(text)};
    for (std::string word; stream >> word;) found.push_back(word);
    for (std::size_t d = 0; d < words.size(); ++d)
        if (std::find(found.begin(), found.end(), words[d]) != found.end()) return static_cast<int>(d);
    return std::nullopt;
}

} // namespace apriori::program
