// SPDX-License-Identifier: Apache-2.0
// An executor does not change results: they have the same bits with every executor, nested, shared, or written by a
// user.
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"
#include "apriori/expr/evaluate.hpp"
#include "apriori/io/synthetic_source.hpp"
#include "apriori/tensor/make.hpp"
#include "model_testing.hpp"

#ifdef _OPENMP
#include "apriori/device/cpu/executors/openmp.hpp"
#endif

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace apriori;
using namespace model_testing;

namespace {

/// A user's executor: one thread, tasks from the last to the first. It records the largest number of tasks.
struct backwards_executor {
    int claimed = 5;
    int most_tasks = 0;

    int concurrency() const noexcept { return claimed; }
    void run(int tasks, task_ref task) {
        most_tasks = std::max(most_tasks, tasks);
        for (int i = tasks - 1; i >= 0; --i) task(i);
    }
};
static_assert(executor<backwards_executor> && executor<serial_executor> && executor<eigen_thread_pool_executor>);

/// Another one: a new thread for each task.
struct thread_per_task_executor {
    static constexpr int concurrency() noexcept { return 3; }
    static void run(int tasks, task_ref task) {
        std::vector<std::thread> threads;
        for (int i = 0; i < tasks; ++i) threads.emplace_back([=] { task(i); });
        for (std::thread& t : threads) t.join();
    }
};

// ---- executors on their own ----------------------------------------------------------------------------------------

/// Each task runs once and has ended when run returns, for each number of tasks that is allowed.
template <class Executor>
void check_each_task_once(Executor& executor, int rounds = 200) {
    for (int round = 0; round < rounds; ++round)
        for (int tasks = 0; tasks <= executor.concurrency(); ++tasks) {
            std::vector<std::atomic<int>> calls(static_cast<std::size_t>(tasks));
            const auto count = [&calls](int i) { ++calls[static_cast<std::size_t>(i)]; };
            executor.run(tasks, count);
            for (const auto& n : calls) ASSERT_EQ(n, 1) << tasks << " tasks";
        }
}

/// A task that calls run of the same executor.
template <class Executor>
void check_nested(Executor& executor, int rounds = 50) {
    const int outer = executor.concurrency();
    for (int round = 0; round < rounds; ++round) {
        std::atomic<int> calls{0};
        const auto inner = [&calls](int) { ++calls; };
        const auto nest = [&executor, &inner, outer](int) { executor.run(outer, inner); };
        executor.run(outer, nest);
        ASSERT_EQ(calls, outer * outer);
    }
}

TEST(executors, eigen_thread_pool_runs_each_task_once) {
    for (const int threads : {1, 2, 3, 7}) {
        eigen_thread_pool_executor executor(threads);
        EXPECT_EQ(executor.concurrency(), threads);
        check_each_task_once(executor);
        check_nested(executor);
    }
}

TEST(executors, eigen_thread_pool_has_at_least_its_caller) {
    for (const int threads : {0, -3}) {
        eigen_thread_pool_executor executor(threads);
        EXPECT_EQ(executor.concurrency(), 1);
        check_each_task_once(executor);
    }
}

TEST(executors, eigen_thread_pool_uses_its_threads) {
    eigen_thread_pool_executor executor(2);
    std::atomic<int> here{0};
    const auto meet = [&here](int) { // returns once both tasks are running at the same time
        ++here;
        while (here < 2) std::this_thread::yield();
    };
    executor.run(2, meet);
    EXPECT_EQ(here, 2);
}

TEST(executors, eigen_thread_pool_of_several_callers) {
    eigen_thread_pool_executor executor(2);
    const auto call = [&executor] { check_each_task_once(executor); };
    std::thread a(call), b(call);
    call();
    a.join();
    b.join();
}

#ifdef _OPENMP
TEST(executors, openmp_runs_each_task_once) {
    for (const int threads : {1, 2, 3}) {
        openmp_executor executor(threads);
        EXPECT_EQ(executor.concurrency(), threads);
        check_each_task_once(executor, 10); // its threads busy-wait, which is slow on busy cores
        check_nested(executor, 5);
    }
    EXPECT_GE(openmp_executor().concurrency(), 1);
    EXPECT_GE(openmp_executor(-1).concurrency(), 1);
}
#endif

TEST(executors, ranges_cover_everything_once) {
    backwards_executor executor;
    for (const index_t count : {0, 1, 2, 4, 5, 6, 1000})
        for (const double cost : {0.0, 9e5, 2.5e6, 1e9}) {
            std::vector<int> seen(static_cast<std::size_t>(count));
            executor.most_tasks = 0;
            parallel_ranges(executor, count, cost, [&](index_t first, index_t last) {
                EXPECT_LE(first, last);
                for (index_t i = first; i < last; ++i) ++seen[static_cast<std::size_t>(i)];
            });
            EXPECT_EQ(seen, std::vector<int>(static_cast<std::size_t>(count), 1)) << count << " items, cost " << cost;
            if (count < 1000) continue;
            EXPECT_EQ(executor.most_tasks, cost >= 1e9 ? 5 : cost >= 2.5e6 ? 3 : 0) << "tasks worth their threads";
        }
}

TEST(executors, ranges_are_shared_by_threads_that_come_back_for_more) {
    eigen_thread_pool_executor executor(3);
    for (const index_t count : {2, 3, 64, 1000, 100'000}) {
        std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
        parallel_ranges(executor, count, 1e9, [&](index_t first, index_t last) {
            for (index_t i = first; i < last; ++i) seen[static_cast<std::size_t>(i)].fetch_add(1);
        });
        EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& n) { return n == 1; })) << count << " items";
    }
}

// ---- reductions ----------------------------------------------------------------------------------------------------

/// Long reductions of few columns and few rows, which threads split into parts.
std::vector<float> reductions(auto& executor) {
    const index_t rows = 3001, cols = 300;
    std::vector<float> x(to_size(rows * cols)), out(to_size(2 * cols + rows * cols + 2));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 1000) * 0.001f - 0.3f;
    const view<const float, extents<dyn, dyn>> table(x.data(), extents<dyn, dyn>(rows, cols));
    const view<const float, extents<1, dyn>> row(x.data(), extents<1, dyn>(rows * cols));
    float* to_row = out.data();
    const auto next = [&](index_t n) { return std::exchange(to_row, to_row + n); };
    cpu<default_arch, std::remove_reference_t<decltype(executor)>> device(executor);
    std::vector<std::byte> memory(std::size_t{1} << 23);
    workspace temporaries(memory);
    context to(device, temporaries);
    to(view<float, extents<1, dyn>>(next(cols), extents<1, dyn>(cols))) = sum<0>(table * 2.0f);
    to(view<float, extents<1, dyn>>(next(cols), extents<1, dyn>(cols))) = var<0>(table);
    to(view<float, extents<dyn, dyn>>(next(rows * cols), extents<dyn, dyn>(rows, cols))) = softmax<0>(table);
    to(view<float, extents<1, 1>>(next(1), {})) = sum(row * row);
    to(view<float, extents<1, 1>>(next(1), {})) = max(row);
    EXPECT_TRUE(to.state.ok());
    return out;
}

TEST(executors, long_rows_have_the_same_bits) {
    cpu<> one;
    thread_per_task_executor threads;
    cpu<default_arch, thread_per_task_executor> several(threads);
    for (const index_t n : {32768, 32769, 32770, 40007, 49151}) {
        const auto x = normal(extents<dyn>(n), 1);
        EXPECT_TRUE(*evaluate(one, exp(x)) == *evaluate(several, exp(x))) << n;
        EXPECT_TRUE(*evaluate(one, exp(x - (max)(x))) == *evaluate(several, exp(x - (max)(x)))) << n;
    }
}
TEST(executors, reductions_have_the_same_bits) {
    serial_executor serial;
    const std::vector<float> expected = reductions(serial);
    backwards_executor backwards;
    EXPECT_TRUE(same_bits(reductions(backwards), expected));
    EXPECT_GT(backwards.most_tasks, 1);
    for (const int threads : {2, 3, 7}) {
        eigen_thread_pool_executor executor(threads);
        EXPECT_TRUE(same_bits(reductions(executor), expected)) << threads << " threads";
    }
}

// ---- models --------------------------------------------------------------------------------------------------------

constexpr PriorConfig config = [] {
    PriorConfig c = presets::digits;
    c.num_layers = 2; // a second layer; more would repeat the same work
    return c;
}();

/// A model with digits' shape on an executor, and one forward of it.
template <class Executor>
struct on_executor {
    using device_type = cpu<default_arch, Executor>;
    using model_type = PriorTransformer<config, device_type>;

    explicit on_executor(Executor& executor) : device(executor) {
        const tensor_list tensors(config);
        auto loaded = model_type::load(device, io::synthetic_source(tensors.infos()));
        EXPECT_TRUE(loaded);
        if (loaded) model.emplace(*std::move(loaded));
    }
    std::vector<float> run(const prior_inputs& x) const {
        const outcome y = forward(*model, x);
        EXPECT_TRUE(y.state.ok());
        return y.values;
    }

    device_type device;
    std::optional<model_type> model{};
};

prior_inputs inputs(index_t rows, unsigned seed = 11) {
    return randomize(config, {.rows = rows, .text_tokens = 16}, mask_kind::holes, seed);
}

class executors_model : public testing::Test {
protected:
    template <class Executor>
    void check(Executor& executor) {
        const on_executor<Executor> other(executor);
        for (const prior_inputs& x : {inputs(1), inputs(3), inputs(6)})
            EXPECT_TRUE(same_bits(other.run(x), plain.run(x))) << x.rows << " rows";
    }

    serial_executor serial;
    on_executor<serial_executor> plain{serial};
};

TEST_F(executors_model, eigen_thread_pool) {
    for (const int threads : {2, 3}) {
        eigen_thread_pool_executor executor(threads);
        check(executor);
    }
}

#ifdef _OPENMP
TEST_F(executors_model, openmp) {
    openmp_executor executor(2);
    check(executor);
}
#endif

TEST_F(executors_model, of_a_user) {
    backwards_executor executor;
    check(executor);
    EXPECT_EQ(executor.most_tasks, 5); // the work was worth splitting
    thread_per_task_executor threads;
    check(threads);
}

TEST_F(executors_model, inside_a_task_of_the_same_pool) {
    eigen_thread_pool_executor executor(2);
    const on_executor<eigen_thread_pool_executor> shared(executor);
    const prior_inputs x = inputs(3);
    std::vector<float> y[2];
    const auto task = [&](int i) { y[i] = shared.run(x); };
    executor.run(2, task);
    for (const auto& values : y) EXPECT_TRUE(same_bits(values, plain.run(x)));
}

TEST_F(executors_model, two_models_in_two_threads_share_a_pool) {
    eigen_thread_pool_executor executor(2);
    const on_executor<eigen_thread_pool_executor> one(executor), two(executor);
    const prior_inputs x = inputs(3, 1), y = inputs(4, 2);
    const auto expected_x = plain.run(x), expected_y = plain.run(y);
    const auto repeat = [](const auto& model, const prior_inputs& in, const std::vector<float>& expected) {
        for (int i = 0; i < 10; ++i) EXPECT_TRUE(same_bits(model.run(in), expected));
    };
    std::thread other([&] { repeat(one, x, expected_x); });
    repeat(two, y, expected_y);
    other.join();
}

/// One model, its weights and its device in two threads, each with its own workspace.
TEST_F(executors_model, one_model_in_two_threads) {
    const prior_inputs x = inputs(2, 3);
    const auto expected = plain.run(x);
    std::thread other([&] { EXPECT_TRUE(same_bits(plain.run(x), expected)); });
    EXPECT_TRUE(same_bits(plain.run(x), expected));
    other.join();
}

} // namespace
