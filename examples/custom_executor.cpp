// SPDX-License-Identifier: Apache-2.0
// A user's own threads: an executor on which a CPU device runs its launches. Any thread pool becomes one with two
// functions.
#include "apriori/core/philox.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

using namespace apriori;

/// A fixed number of std::threads, including the caller's, that sleep between launches. run neither allocates nor
/// creates threads, as the concept requires.
class fixed_threads {
public:
    explicit fixed_threads(int threads) {
        for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    }
    ~fixed_threads() {
        stop_ = true;
        start();
        for (std::thread& t : workers_) t.join();
    }
    fixed_threads(const fixed_threads&) = delete;
    fixed_threads& operator=(const fixed_threads&) = delete;

    int concurrency() const noexcept { return static_cast<int>(workers_.size()) + 1; }

    /// Calls task(0) .. task(tasks - 1), tasks <= concurrency(), and returns when all of them have returned.
    void run(int tasks, task_ref task) {
        task_ = task;
        tasks_ = tasks;
        open_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
        start();
        task(0);
        for (int left = open_.load(std::memory_order_acquire); left != 0; left = open_.load(std::memory_order_acquire))
            open_.wait(left, std::memory_order_acquire);
        launches_ += 1;
    }
    int launches() const noexcept { return launches_; }

private:
    void start() {
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
    }
    void work(int i) {
        for (unsigned seen = 0;; ++seen) {
            round_.wait(seen, std::memory_order_acquire);
            if (stop_) return;
            if (i < tasks_) (*task_)(i);
            if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) open_.notify_one();
        }
    }

    std::optional<task_ref> task_;
    int tasks_ = 0, launches_ = 0;
    bool stop_ = false;
    std::atomic<int> open_{0};
    std::atomic<unsigned> round_{0};
    std::vector<std::thread> workers_; // last: they use the members above
};
static_assert(executor<fixed_threads>);

// Wide enough that its launches are worth a thread. The weights are synthetic, since the numbers do not matter here.
constexpr PriorConfig config{.num_attention_heads = 8, .num_layers = 2, .embedding_dim = 256, .num_embeddings = 32};

template <class Device>
std::vector<float> answer(Device& device) {
    using Model = PriorTransformer<config, Device>;
    const tensor_list parameters(Model::config);
    const auto model = Model::load(device, io::synthetic_source(parameters.infos()));
    if (!model) return {};
    tensor<float, extents<2, 256>> x, pooled;
    tensor<float, extents<2, 32, 256>> text;
    philox_generator(0, 0).randn(x.flat());
    philox_generator(0, 1).randn(pooled.flat());
    philox_generator(0, 2).randn(text.flat());
    const float timestep = 500;
    const limits two{.rows = 2};
    const host_buffer memory(Model::workspace_bytes(two));
    std::vector<float> out(2 * 256);
    const auto result = model->forward({.hidden_states = x,
                                        .timestep = {&timestep, extents<dyn>(1)},
                                        .proj_embedding = pooled,
                                        .encoder_hidden_states = text},
                                       out, memory.span(), two);
    return result.state.ok() ? out : std::vector<float>{};
}

int main() {
    cpu<> serial;
    fixed_threads threads(2);
    cpu<default_arch, fixed_threads> parallel(threads); // refers to the threads, which have to outlive it
    const auto one = answer(serial), two = answer(parallel);
    const bool same = !one.empty() && one.size() == two.size() &&
                      std::memcmp(one.data(), two.data(), one.size() * sizeof(float)) == 0;
    std::printf("%d launches were split over %d threads; the numbers are %s\n", threads.launches(),
                threads.concurrency(), same ? "the same bits" : "not the same");
    return same && threads.launches() > 0 ? 0 : 1;
}
