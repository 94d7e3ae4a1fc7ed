// SPDX-License-Identifier: Apache-2.0
#include "run_report.hpp"

#include "apriori/io/text.hpp"
#include "interrupt.hpp"
#include "terminal.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

namespace apriori::program {

std::function<bool(const sampling_step&)> run_progress::on_step() {
    return [this](const sampling_step& step) {
        bar_.at(runs_ * steps_ + step.index + 1, what_);
        if (step.index + 1 == step.count) ++runs_;
        return interrupt_signal() == 0;
    };
}

result<void> run_report::add(const std::string& prompt, std::span<const float> embeds) {
    for (const float x : embeds)
        if (!std::isfinite(x))
            return failure{
                errc::invalid_argument,
                fmt::format("the embedding of {} is not finite: the weights, the conditions or --guidance are "
                            "out of range",
                            io::quote(prompt))};
    last_hits_.reset();
    if (!parts_.pictures) return {};
    auto pictures = (*parts_.pictures)(embeds);
    if (!pictures) return pictures.error();
    last_hits_ = parts_.pictures->count_hits(prompt, embeds);
    const index_t samples = static_cast<index_t>(embeds.size()) / parts_.config.embedding_dim;
    fmt::print("{}{}\n{}\n", printable(prompt), last_hits_ ? fmt::format("  {} of {}", *last_hits_, samples) : "",
               picture_lines(*pictures, palette_of(stdout), terminal_width(stdout)));
    std::fflush(stdout);
    sheet_.add_row(*pictures);
    if (last_hits_) {
        hits_ += *last_hits_;
        of_ += samples;
    }
    return {};
}

result<void> run_report::finish(const pipeline_options& options, const made_embeddings& made,
                                const run_settings& settings, const std::string& what, double seconds) const {
    if (!options.out.empty())
        if (auto r = write_embeddings(options.out, made, settings); !r) return r.error();
    if (!options.png.empty())
        if (auto r = sheet_.write(options.png); !r) return r.error();
    if (of_ > 0) fmt::print("nearest to the digit that the prompt names: {} of {}\n", hits_, of_);
    fmt::print("{} in {:.2f} s\n", what, seconds);
    if (!options.out.empty()) fmt::print("embeddings: {}\n", options.out.string());
    if (!options.png.empty()) fmt::print("picture: {}\n", options.png.string());
    return {};
}

std::string counted(std::int64_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void report_cut(std::span<const std::string> texts, std::span<const index_t> cut, index_t tokens) {
    for (std::size_t i = 0; i < cut.size() && i < texts.size(); ++i)
        if (cut[i] > 0)
            fmt::print(stderr, "apriori: {}: {} did not fit into the {} that the model reads\n", io::quote(texts[i]),
                       counted(cut[i], "token"), tokens);
}

} // namespace apriori::program
