// SPDX-License-Identifier: Apache-2.0
// Samples embeddings of many prompts on all ranks, into one file in the order of the prompts, with the miniature model
// in examples/digits. If it is stopped and started again, it continues, also with another number of ranks.
//
//     mpirun -n 4 example_sample_mpi [out.npy] [prompts]
#include "apriori/apriori.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/mpi/communicator.hpp"
#include "apriori/mpi/sample.hpp"

using namespace apriori;
using Model = PriorTransformer<presets::digits, cpu<>>;

int main(int argc, char** argv) {
    return mpi::run(argc, argv, [&](const mpi::communicator& ranks) -> result<void> {
        const std::string folder = "examples/digits/digits-unclip";
        const char* digits[] = {"a handwritten one", "a handwritten two", "a handwritten three"};
        constexpr auto steps = constexpr_schedule<25>(
            UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});
        cpu<> device;
        const auto model = ranks.agree(load<Model>(device, folder + "/prior"));
        if (!model) return model.error();
        const auto texts = ranks.agree(io::open_weights(folder + "/conditions.safetensors"));
        if (!texts) return texts.error();
        const auto nothing = ranks.agree(io::read_prompt(*texts, "unconditional"));
        if (!nothing) return nothing.error();

        mpi::sampling_run run{.out = argc > 1 ? argv[1] : "digits.npy", .prompts = argc > 2 ? std::atoi(argv[2]) : 100};
        run.unconditional = *nothing;
        run.inputs = {{"prompts", "one, two, three, again and again"}};
        run.resume = true;
        const auto prompt = [&](index_t i) { return io::read_prompt(*texts, digits[i % 3]); };
        return mpi::sample_prompts(ranks, *model, steps, prompt, run);
    });
}
