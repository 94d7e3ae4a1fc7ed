// SPDX-License-Identifier: Apache-2.0
// One configuration on one device as an any_prior: copies host data to the device, runs the
// model, and copies results back.
#pragma once

#include "any_prior.hpp"
#include "apriori/device/calibrating.hpp"
#include "apriori/models/calibration.hpp"
#include "apriori/models/prior_transformer.hpp"
#include "apriori/pipelines/sample_prompts.hpp"
#include "check_arguments.hpp"
#include "prior_works.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace apriori::program {

/// A platform owns a device: `device_type`, `static result<std::unique_ptr<Platform>> open(int threads)`, `device()`.
template <PriorConfig Config, class Platform, class Format>
class prior_instance final : public any_prior {
    using device_type = typename Platform::device_type;
    using model_type = PriorTransformer<Config, device_type, Format>;
    using input_type = typename model_type::input;
    static constexpr PriorConfig config = model_type::config;

public:
    static constexpr prior_entry entry(std::string_view name) {
        prior_entry e{};
        e.name = name;
        e.device = device_type::name;
        e.weights = Format::name;
        e.config = config;
        e.weight_bytes = model_type::weights::bytes();
        e.step_weight_bytes = prior_works<model_type>::step_weight_bytes();
        e.plan = &make_plan;
        e.load = &load;
        if constexpr (has_images) {
            e.layout = &model_type::weights::packed::layout_name;
            e.attach = &attach;
        }
        return e;
    }

    result<host_tensor> forward(const forward_arguments& a) override {
        if (auto checked = check_arguments(config, a); !checked) return checked.error();
        device_type& device = platform_->device();
        const std::vector<std::uint8_t> mask_bytes(a.attention_mask.values.begin(), a.attention_mask.values.end());

        device_staging<device_type> on(device, no_memory);
        const auto hidden = on.copy(a.hidden_states.values), timestep = on.copy(a.timestep.values),
                   pooled = on.copy(a.proj_embedding.values), text = on.copy(a.encoder_hidden_states.values);
        const auto mask = on.copy(mask_bytes);
        if (!on.state.ok()) return to_failure(on.state);

        input_type in;
        in.hidden_states = {hidden.data(), a.hidden_states.rows(), a.hidden_states.tokens()};
        in.timestep = {timestep.data(), extents<dyn>(timestep.size())};
        in.proj_embedding = {pooled.data(), a.proj_embedding.rows(), a.proj_embedding.tokens()};
        if (!a.encoder_hidden_states.absent())
            in.encoder_hidden_states = {text.data(), a.encoder_hidden_states.rows(), a.encoder_hidden_states.tokens()};
        if (!a.attention_mask.absent())
            in.attention_mask = {mask.data(), extents<dyn, dyn>(a.attention_mask.rows(), a.attention_mask.width())};

        const limits l = limits{.rows = std::min(in.rows(), forward_denoiser<model_type>::most_rows),
                                .hidden_tokens = in.hidden_tokens(),
                                .proj_tokens = in.proj_tokens(),
                                .text_tokens = in.text_tokens()}
                             .filled_in(config);
        if (const status s = in.check(l); !s.ok()) return to_failure(s);
        auto answer = on.template array<float>(in.rows() * in.output_tokens() * model_type::clip);
        auto memory = on.template array<std::byte>(static_cast<index_t>(model_type::workspace_bytes(l)));
        if (on.state.ok()) on.check(model_.forward(in, answer.span(), memory.bytes(), l).state);

        host_tensor out;
        out.shape = {in.rows()};
        if (!input_type::has_prd) out.shape.push_back(in.output_tokens());
        out.shape.push_back(model_type::clip);
        out.values.resize(static_cast<std::size_t>(answer.size()));
        on.read(answer, std::span(out.values));
        if (!on.state.ok()) return to_failure(on.state);
        return out;
    }

    result<std::vector<float>> sample(const sampling_task& task) override {
        if constexpr (config.clip_embed_dim != config.embedding_dim || !input_type::has_prd) {
            return failure{errc::unsupported,
                           "this program samples models whose clip_embed_dim is their embedding_dim, "
                           "with added_emb_type \"prd\"; this model has another configuration"};
        } else {
            const noise_of random{&task};
            return sample_prompts(model_, *task.steps, task.prompts, task.samples, 1, task.latents, random,
                                  task.options);
        }
    }

    result<nibble_source> calibrate(const calibration_task& task) override {
        if constexpr (calibrates)
            return apriori::calibrate<calibrating<device_type>>(model_, *task.weights, *task.inputs,
                                                                {.on_matrix = task.on_matrix});
        else
            return failure{errc::unsupported, "a calibration needs f32 weights on cpu, and a model that is sampled"};
    }

    result<std::vector<timed_work>> works(const bench_task& task) override {
        return prior_works<model_type>::make(model_, task);
    }

    ceiling_probes ceilings() override {
        if constexpr (requires { platform_->meter(); })
            return {[this] { return platform_->meter().template gflops<typename model_type::format>(); },
                    [this] { return platform_->meter().gbytes(prior_works<model_type>::step_weight_bytes()); }};
        else
            return {};
    }

    std::span<const std::byte> packed_bytes() const override {
        if constexpr (has_images)
            return model_.weights_block().bytes();
        else
            return {};
    }
    std::uint64_t weights_hash() const override { return model_.weights_block().hash; }

private:
    /// Whether the device's packed weights can be stored in files and mapped.
    static constexpr bool has_images = requires { model_type::weights::packed::layout_name(); };
    /// Whether the model can be sampled, and its weights rounded for that.
    static constexpr bool calibrates = requires { Platform::calibrates; } && std::is_same_v<Format, f32> &&
                                       config.clip_embed_dim == config.embedding_dim && input_type::has_prd &&
                                       config.time_embedding;
    /// The task's noise as a generator.
    struct noise_of {
        const sampling_task* task;
        void randn(std::span<float> out) const { task->noise(out); }
    };

    prior_instance(std::unique_ptr<Platform> platform, model_type model)
        : platform_(std::move(platform)), model_(std::move(model)) {}

    static constexpr const char* no_memory = "no memory on the device for a forward";

    static forward_plan make_plan(index_t rows) {
        const limits l = limits{.rows = rows}.filled_in(config);
        const auto plan = model_type::plan(l);
        const auto in = input_type::shaped(l);
        return {{plan.launches.begin(), plan.launches.begin() + plan.count}, plan.workspace, in.tokens()};
    }

    static result<std::unique_ptr<any_prior>> load(const any_source& weights, int threads) {
        auto platform = Platform::open(threads);
        if (!platform) return platform.error();
        auto model = model_type::load((*platform)->device(), weights);
        if (!model) return model.error();
        return std::unique_ptr<any_prior>(new prior_instance(std::move(*platform), std::move(*model)));
    }

    static result<std::unique_ptr<any_prior>> attach(const std::byte* packed, std::shared_ptr<const void> owner,
                                                     std::uint64_t hash, int threads) {
        auto platform = Platform::open(threads);
        if (!platform) return platform.error();
        model_type model((*platform)->device(), model_type::weights::attach(packed, std::move(owner), hash));
        return std::unique_ptr<any_prior>(new prior_instance(std::move(*platform), std::move(model)));
    }

    std::unique_ptr<Platform> platform_;
    model_type model_;
};

/// A configuration on a platform, with an entry for each weight format: the entries of a unit.
template <PriorConfig Config, class Platform, class... Formats>
const entry_list* entries_of(std::string_view name) {
    static const prior_entry entries[] = {prior_instance<Config, Platform, Formats>::entry(name)...};
    static const entry_list list{.priors = entries, .text_encoders = {}, .image_encoders = {}};
    return &list;
}

} // namespace apriori::program
