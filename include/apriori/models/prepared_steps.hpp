// SPDX-License-Identifier: Apache-2.0
// Steps of incremental sampling whose rows are written once: between uses only a number for each step changes.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/expr/lower.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/prior_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// Steps that are made several times, each time at other timesteps of their kv caches. Made by
/// PriorTransformer::prepare_steps.
template <class Device>
class prepared_steps {
public:
    /// What steps are prepared for.
    struct shape {
        step_limits limits;
        index_t prd = 0, latent_rows = 0, num_embeddings = 0; ///< prd: rows that each step has besides its latents
    };

    static result<prepared_steps> make(Device& device, std::span<const prior_step<Device>> steps,
                                       std::span<const std::int32_t> timesteps, const shape& s) {
        const index_t count = std::ssize(steps);
        if (timesteps.empty() || std::ssize(timesteps) % count != 0)
            return failure(errc::shape_mismatch, "prepare_steps: ", timesteps.size(),
                           " timesteps; each time needs one for each of ", count, " steps");
        for (index_t i = 0; i < std::ssize(timesteps); ++i)
            if (const index_t k = at(timesteps, i), most = std::ssize(at(steps, i % count).kv_cache->timesteps);
                k < 0 || k >= most)
                return failure(errc::invalid_argument, "prepare_steps: timestep ", k, " of ", most, " in a kv cache");
        prepared_steps p(device, count, s);
        device_staging<Device> on(device, "no memory for the steps");
        p.timesteps_ = on.copy(timesteps);
        p.now_ = on.template array<std::int32_t>(count);
        workspace counting;
        p.take_chunks(counting);
        p.memory_ = on.bytes(counting.high_water());
        if (on.state) on.check(p.write(steps));
        if (on.state) on.check(p.at_time(0));
        if (!on.state) return to_failure(on.state);
        return p;
    }

    step_limits limits() const noexcept { return shape_.limits; }
    index_t count() const noexcept { return count_; } ///< number of steps
    index_t latent_rows() const noexcept { return shape_.latent_rows; }
    index_t times() const noexcept { return timesteps_.size() / count_; }

    /// Sets the steps to their timesteps at time i, in one launch. invalid_argument unless 0 <= i < times().
    status at_time(index_t i) const {
        if (i < 0 || i >= times()) return status::invalid("prepared_steps: no such time", i, times() - 1);
        workspace no_temporaries;
        context to(*device_, no_temporaries);
        const extents<dyn> size(count_);
        to(view<std::int32_t, extents<dyn>>(now_.data(), size)) =
            view<const std::int32_t, extents<dyn>>(timesteps_.data() + i * count_, size);
        return to.state;
    }

    /// The rows of the steps, limits().rows steps at a time.
    std::span<const detail::prior_step_rows> chunks() const noexcept { return chunks_; }

private:
    prepared_steps(Device& device, index_t count, const shape& s) : device_(&device), shape_(s), count_(count) {}

    void take_chunks(workspace& store) {
        chunks_.clear();
        for (index_t first = 0; first < count_; first += shape_.limits.rows) {
            chunks_.emplace_back(store, (std::min)(shape_.limits.rows, count_ - first), shape_.limits.hidden_tokens,
                                 shape_.prd);
            chunks_.back().shifts = now_.data() + first;
        }
    }
    status write(std::span<const prior_step<Device>> steps) {
        std::vector<prior_step<Device>> from_start(steps.begin(), steps.end());
        for (auto& step : from_start) step.k = 0; // the shifts count from there
        workspace store(memory_.bytes());
        take_chunks(store);
        workspace no_temporaries;
        context to(*device_, no_temporaries);
        index_t first = 0;
        for (detail::prior_step_rows& chunk : chunks_) {
            chunk.write(to, part(std::span<const prior_step<Device>>(from_start), first, chunk.steps()),
                        shape_.num_embeddings, shape_.latent_rows);
            first += chunk.steps();
        }
        return to.state;
    }

    Device* device_;
    shape shape_;
    index_t count_;
    device_array<std::int32_t, Device> timesteps_, now_; ///< [times, steps]; [steps]
    device_array<std::byte, Device> memory_;
    std::vector<detail::prior_step_rows> chunks_;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
