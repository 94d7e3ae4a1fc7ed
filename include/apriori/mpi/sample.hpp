// SPDX-License-Identifier: Apache-2.0
// Image embeddings of many prompts by a team of processes, in one .npy. Each prompt draws its numbers from a separate
// stream, so the file is the same for any number of ranks, batch size and number of threads.
#pragma once

#include "apriori/core/floats.hpp"
#include "apriori/core/philox_rows.hpp"
#include "apriori/io/ordered_rows.hpp"
#include "apriori/pipelines/sample_prompts.hpp"

#include <chrono>
#include <concepts>
#include <cstdio>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::mpi {

/// Prints a line to stderr about every ten seconds and at the end: "apriori: 512 of 1000 done, 40 s left".
class progress_lines {
public:
    void operator()(index_t done, index_t items) {
        const auto now = clock::now();
        if (first_ < 0) {
            first_ = done;
            start_ = now;
        }
        if (done < items && now - last_ < std::chrono::seconds(10) && last_ != clock::time_point{}) return;
        last_ = now;
        const double spent = std::chrono::duration<double>(now - start_).count();
        std::fprintf(stderr, "apriori: %lld of %lld done", static_cast<long long>(done), static_cast<long long>(items));
        if (done > first_ && done < items)
            std::fprintf(stderr, ", %.0f s left", spent / double(done - first_) * double(items - done));
        std::fprintf(stderr, "\n");
    }

private:
    using clock = std::chrono::steady_clock;
    clock::time_point start_{}, last_{};
    index_t first_ = -1;
};

/// What a team samples.
struct sampling_run {
    std::filesystem::path out{};  ///< the .npy, [prompts, embedding_dim]
    index_t prompts = 0;          ///< in all
    index_t batch = 8;            ///< prompts that a rank samples together; more read the weights less often
    index_t checkpoint = 64;      ///< prompts that a rank samples between two entries in the manifest
    std::uint64_t seed = 0;       ///< prompt i draws from stream i of it (philox_generator)
    float guidance_scale = 4;     ///< 1 and less: no guidance
    prior_prompt unconditional{}; ///< needed with guidance
    io::run_inputs inputs{}; ///< what distinguishes the prompts; this function adds seed, guidance, steps and model
    bool resume = false;     ///< continue a stopped run, if there is one; otherwise a stopped run is an error
    std::function<void(index_t done, index_t prompts)> on_progress = progress_lines(); ///< on the first rank
};

namespace detail {

/// The hash of floats, as text.
inline std::string hash_text(std::span<const float> values, std::span<const std::uint8_t> more = {}) {
    std::uint64_t hash = content_hash(std::as_bytes(more), content_hash(std::as_bytes(values)));
    std::string text(16, '0');
    for (std::size_t i = 16; i-- > 0; hash >>= 4) text[i] = "0123456789abcdef"[hash & 15];
    return text;
}
/// All numbers of a schedule that sampling uses.
inline std::vector<float> numbers_of(const auto& schedule) {
    std::vector<float> all{schedule.init_noise_sigma()};
    for (const step_coefficients& c : schedule.steps()) {
        all.insert(all.end(), {c.timestep, c.input_scale, c.x0_sample, c.x0_output, c.x0_divisor, c.clip_range, c.to_x0,
                               c.to_sample, c.to_output, float(c.draws_noise), c.noise, float(c.learned_variance),
                               c.min_log, c.max_log});
        for (int h = 0; h < max_history_slots; ++h) {
            const history_write& w = at(c.keep, h);
            all.insert(all.end(), {at(c.to_history, h), float(w.active), w.x0, w.sample, w.output});
        }
    }
    return all;
}

/// All that the numbers depend on: the caller's inputs, the steps, and the model with its instruction set.
template <class Model>
io::run_inputs all_inputs(const Model& model, const auto& schedule, const sampling_run& run) {
    io::run_inputs in = run.inputs;
    in.emplace_back("seed", std::to_string(run.seed));
    in.emplace_back("guidance_scale", io::decimal(double{run.guidance_scale}));
    in.emplace_back("steps", io::cat(schedule.steps().size(), ", hash ", hash_text(numbers_of(schedule))));
    if (uses_guidance(run.guidance_scale)) {
        std::vector<float> numbers(run.unconditional.text_embeds.begin(), run.unconditional.text_embeds.end());
        const auto tokens = run.unconditional.last_hidden_state;
        numbers.insert(numbers.end(), tokens.begin(), tokens.end());
        in.emplace_back("unconditional", io::cat("hash ", hash_text(numbers, run.unconditional.attention_mask)));
    }
    const std::uint64_t hash = model.weights_block().hash;
    in.emplace_back("weights", io::cat(Model::format::name, ", hash ", hash));
    in.emplace_back("device", Model::device_type::name);
    if constexpr (requires { Model::device_type::arch::name(); })
        in.emplace_back("arch", Model::device_type::arch::name());
    return in;
}

/// The type that holds a prompt returned by a function, T or result<T>.
template <class T>
struct prompt_owner {
    using type = T;
    static constexpr bool may_fail = false;
};
template <class T>
struct prompt_owner<result<T>> {
    using type = T;
    static constexpr bool may_fail = true;
};

} // namespace detail

/// Samples prompts 0 .. run.prompts - 1 on all ranks of a team (mpi::communicator; io::alone for one process), and
/// writes their embeddings in this order. `prompt(i)` returns prompt i: a prior_prompt, or a type that owns one and
/// converts to it (io::stored_prompt), or a result of these. It is called on the rank that samples i. A stopped run
/// leaves `run.out`.part and the manifest, from which it can be continued (resume). invalid_argument for an embedding
/// that is not finite; other errors are those of the pipelines' sample_prompts and of io::write_ordered_rows.
template <io::row_team Team, class Model, scheduler Scheduler, class Prompts>
result<void> sample_prompts(const Team& team, const Model& model, const Scheduler& schedule, Prompts&& prompt,
                            const sampling_run& run) {
    constexpr index_t width = Model::config.embedding_dim;
    if (run.batch < 1) return failure{errc::invalid_argument, "batch must be 1 or more"};
    const bool guided = uses_guidance(run.guidance_scale);
    using given = detail::prompt_owner<std::remove_cvref_t<std::invoke_result_t<Prompts&, index_t>>>;
    const auto batch = [&](index_t first, index_t count, std::span<float> out) -> result<void> {
        std::vector<typename given::type> owners;
        std::vector<prior_prompt> prompts;
        owners.reserve(to_size(count));
        for (index_t i = first; i < first + count; ++i) {
            if constexpr (given::may_fail) {
                auto p = prompt(i);
                if (!p) return failure(p.error().code, "prompt ", i, ": ", p.error().message);
                owners.push_back(std::move(*p));
            } else {
                owners.push_back(prompt(i));
            }
        }
        if (guided) prompts.assign(to_size(count), run.unconditional);
        for (const auto& p : owners) prompts.push_back(p);
        philox_rows random(run.seed, std::uint64_t(first), count);
        std::vector<float> latents(to_size(count * width));
        random.randn(latents);
        const auto made = apriori::sample_prompts(model, schedule, std::span<const prior_prompt>(prompts), 1, 1,
                                                  latents, random, {.guidance_scale = run.guidance_scale});
        if (!made)
            return failure(made.error().code, "prompts ", first, " to ", first + count - 1, ": ", made.error().message);
        for (std::size_t i = 0; i < made->size(); ++i)
            if (!is_finite((*made)[i]))
                return failure(errc::invalid_argument, "the embedding of prompt ", first + index_t(i) / width,
                               " is not finite: the weights, the prompt or the guidance are out of range");
        std::copy(made->begin(), made->end(), out.begin());
        return {};
    };
    const io::ordered_rows rows{.out = run.out,
                                .items = run.prompts,
                                .width = width,
                                .checkpoint = run.checkpoint,
                                .inputs = detail::all_inputs(model, schedule, run),
                                .resume = run.resume,
                                .on_progress = run.on_progress};
    return io::write_ordered_rows(team, rows, [&](index_t first, index_t count, std::span<float> out) -> result<void> {
        for (index_t at = 0; at < count; at += run.batch) {
            const index_t n = (std::min)(run.batch, count - at);
            if (auto r = batch(first + at, n, part(out, at * width, n * width)); !r) return r;
        }
        return {};
    });
}

} // namespace apriori::mpi
APRIORI_END_EXACT_MATH
