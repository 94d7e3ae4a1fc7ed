// SPDX-License-Identifier: Apache-2.0
// Words in, handwritten digits out: compares them with those of examples/digits/sample.py (diffusers) for the same
// words and seed, by hits of the named digit, ink, lean and width. Recorded by
// tests/reference/generate_digits_words.py.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "program_testing.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>

namespace {

using namespace program_testing;

/// Means over samples of the numbers that sample.py prints.
struct drawn_digits {
    int hits = 0;
    double ink = 0, lean = 0, width = 0;
};

/// The decoder and the centroids of examples/digits, in plain loops.
class digit_meter {
public:
    digit_meter() {
        const auto file = apriori::io::open_weights(digits / "decoder");
        if (!file) throw std::runtime_error(file.error().message);
        const auto read = [&](const char* name) { return *apriori::io::read_tensor(*file, name); };
        w1_ = read("0.weight"), b1_ = read("0.bias"), w2_ = read("2.weight"), b2_ = read("2.bias");
        centroids_ = read("digit_centroids");
    }

    drawn_digits operator()(const std::vector<float>& embeds, int digit) const {
        drawn_digits sum;
        const std::size_t count = embeds.size() / dim;
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const float> e(embeds.data() + i * dim, dim);
            sum.hits += nearest(e) == digit ? 1 : 0;
            add_moments(picture(e), sum);
        }
        const auto n = static_cast<double>(count);
        return {sum.hits, sum.ink / n, sum.lean / n, sum.width / n};
    }

private:
    static constexpr std::size_t dim = 64, hidden = 256, edge = 8;

    int nearest(std::span<const float> e) const {
        int best = 0;
        double most = -1e30;
        for (int d = 0; d < 10; ++d) {
            double dot = 0, norm = 0;
            for (std::size_t i = 0; i < dim; ++i) {
                const double c = centroids_[static_cast<std::size_t>(d) * dim + i];
                dot += c * static_cast<double>(e[i]);
                norm += c * c;
            }
            if (dot / std::sqrt(norm) > most) most = dot / std::sqrt(norm), best = d;
        }
        return best;
    }
    std::array<double, edge * edge> picture(std::span<const float> e) const {
        std::array<double, hidden> h{};
        for (std::size_t o = 0; o < hidden; ++o) {
            double x = b1_[o];
            for (std::size_t i = 0; i < dim; ++i)
                x += static_cast<double>(w1_[o * dim + i]) * static_cast<double>(e[i]);
            h[o] = 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        }
        std::array<double, edge * edge> ink{};
        for (std::size_t p = 0; p < ink.size(); ++p) {
            double x = b2_[p];
            for (std::size_t i = 0; i < hidden; ++i) x += static_cast<double>(w2_[p * hidden + i]) * h[i];
            ink[p] = 1 / (1 + std::exp(-x));
        }
        return ink;
    }
    /// Adds sample.py's ink, lean and width of a picture.
    static void add_moments(const std::array<double, edge * edge>& picture, drawn_digits& sum) {
        double ink = 0, cx = 0, cy = 0, xx = 0, xy = 0, yy = 0;
        const auto each = [&](auto&& f) {
            for (std::size_t p = 0; p < picture.size(); ++p)
                f(static_cast<double>(p % edge), static_cast<double>(p / edge), picture[p]);
        };
        each([&](double x, double y, double v) { ink += v, cx += v * x, cy += v * y; });
        cx /= ink, cy /= ink;
        each([&](double x, double y, double v) {
            xx += v * (x - cx) * (x - cx), xy += v * (x - cx) * (y - cy), yy += v * (y - cy) * (y - cy);
        });
        sum.ink += ink;
        sum.lean -= xy / yy;
        sum.width += std::sqrt(xx / ink);
    }

    std::vector<float> w1_, b1_, w2_, b2_, centroids_;
};

TEST(digits, are_drawn_from_words_as_diffusers_draws_them) {
    const auto text = read_all(cases / "digits_words.json");
    const auto recorded = nlohmann::json::parse(text);
    const std::string samples = std::to_string(recorded["samples"].get<int>());
    constexpr std::array<std::string_view, 10> names{"zero", "one", "two",   "three", "four",
                                                     "five", "six", "seven", "eight", "nine"};
    const digit_meter meter;
    const temporary_folder folder;
    const path file = folder.path / "e.safetensors";
    int hits = 0, theirs = 0;
    for (const auto& item : recorded["prompts"].items()) {
        SCOPED_TRACE(item.key());
        const outcome o = run({"sample", "--model", digits.string(), "--mask-text-encoder", "--samples", samples,
                               "--out", file.string(), item.key()});
        ASSERT_EQ(o.code, 0) << o.err;
        int digit = 0;
        for (int d = 0; d < 10; ++d)
            if (item.key().find(names[static_cast<std::size_t>(d)]) != std::string::npos) digit = d;
        const auto source = apriori::io::open_weights(file);
        ASSERT_TRUE(source.ok()) << source.error().message;
        const drawn_digits got = meter(*apriori::io::read_tensor(*source, "image_embeds"), digit);
        const auto expect = [&](const char* what, double value, double printed) {
            const double wanted = item.value()[what].get<double>();
            EXPECT_NEAR(value, wanted, 0.005 * std::fabs(wanted) + 0.5 * printed) << what;
        };
        expect("ink", got.ink, 0.1);
        expect("lean", got.lean, 0.01);
        expect("width", got.width, 0.01);
        hits += got.hits;
        theirs += item.value()["hits"].get<int>();
    }
    EXPECT_GE(hits, theirs);
    RecordProperty("hits", hits);
}

} // namespace
