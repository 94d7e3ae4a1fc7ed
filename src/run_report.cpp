// SPDX-License-Identifier: Apache-2.0
#include "run_report.hpp"

#include "apriori/io/text.hpp"
#include "say.hpp"
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
    if (!parts_.pictures || !shown_) return {};
    auto pictures = (*parts_.pictures)(embeds);
    if (!pictures) return pictures.error();
    const auto hits = parts_.pictures->count_hits(prompt, embeds);
    const index_t samples = static_cast<index_t>(embeds.size()) / parts_.config.embedding_dim;
    say(stdout, "{}{}\n{}\n", printable(prompt), hits ? fmt::format("  {} of {}", *hits, samples) : "",
        picture_lines(*pictures, palette_of(stdout), terminal_width(stdout)));
    std::fflush(stdout);
    if (has_sheet_) sheet_.add_row(*pictures);
    if (hits) {
        hits_ += *hits;
        of_ += samples;
    }
    return {};
}

result<void> run_report::add_each(std::span<const std::string> prompts, std::span<const float> embeds) {
    const std::size_t each = embeds.size() / prompts.size(); // floats of a prompt
    for (std::size_t p = 0; p < prompts.size(); ++p)
        if (auto r = add(prompts[p], embeds.subspan(p * each, each)); !r) return r;
    return {};
}

result<exit_code> run_report::finish(const pipeline_options& options, const made_embeddings& made,
                                     const run_settings& settings, std::size_t count, std::string_view what) const {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    if (!options.out.empty())
        if (auto r = write_embeddings(options.out, made, settings); !r) return r.error();
    if (!options.png.empty())
        if (auto r = sheet_.write(options.png); !r) return r.error();
    if (of_ > 0) say(stdout, "nearest to the digit that the prompt names: {} of {}\n", hits_, of_);
    say(stdout, "{} of {} in {:.2f} s\n", counted(options.samples, "sample"),
        counted(static_cast<std::int64_t>(count), what), spent.count());
    if (!options.out.empty()) say(stdout, "embeddings: {}\n", options.out.string());
    if (!options.png.empty()) say(stdout, "picture: {}\n", options.png.string());
    return done;
}

std::string counted(std::int64_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void report_cut(std::span<const std::string> texts, std::span<const index_t> cut, index_t tokens) {
    for (std::size_t i = 0; i < cut.size() && i < texts.size(); ++i)
        if (cut[i] > 0)
            say(stderr, "apriori: {}: {} did not fit into the {} that the model reads\n", io::quote(texts[i]),
                counted(cut[i], "token"), tokens);
}

} // namespace apriori::program
