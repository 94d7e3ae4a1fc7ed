// SPDX-License-Identifier: Apache-2.0
// The program that tests/mpi/check.py runs under mpirun: samplings of the digits model, with options NAME=VALUE.
//
//     matrix=FOLDER         FOLDER/<format>.<batch>.<threads>.npy for every format, batch and number of threads
//     matrix=FOLDER few=1   some of them
//     out=FILE              one sampling, with format, batch, threads, prompts, checkpoint, seed, resume
//       wait=MS             between two prompts
//       unlike=1            each rank has another seed
//       fail=RANK           that rank fails, in its second prompt with how=result, throw or crash; with how=alone
//                           before sampling, outside of a collective call
//       pack=FILE           the first rank packs the weights to FILE; packed=FILE  maps them; replica=1  copies them
//       pss=1               prints how much of the packed file's memory each rank accounts for
#include "apriori/device/cpu/executors/eigen_thread_pool.hpp"

#include "apriori/apriori.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "apriori/mpi/communicator.hpp"
#include "apriori/mpi/sample.hpp"

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

using namespace apriori;
using device_type = cpu<default_arch, eigen_thread_pool_executor>;

namespace {

std::map<std::string, std::string> options;
std::string option(const std::string& name, const std::string& otherwise = "") {
    const auto at = options.find(name);
    return at == options.end() ? otherwise : at->second;
}
int number(const std::string& name, int otherwise) {
    return std::atoi(option(name, std::to_string(otherwise)).c_str());
}

const std::string folder = APRIORI_DIGITS;
constexpr auto steps =
    constexpr_schedule<3>(UnCLIPSchedulerConfig{.clip_sample_range = 5.0f, .prediction_type = prediction_kind::sample});

struct prompts_of_digits {
    const mpi::communicator& ranks;
    io::weights_source texts;
    int asked = 0;

    result<io::stored_prompt> operator()(index_t i) {
        const char* digits[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
        std::this_thread::sleep_for(std::chrono::milliseconds(number("wait", 0)));
        if (++asked == 2 && ranks.rank() == number("fail", -1)) {
            const std::string how = option("how", "result");
            if (how == "throw") throw std::runtime_error("thrown on purpose");
            if (how == "crash") (void)::raise(SIGKILL);
            return failure{errc::not_found, "refused on purpose"};
        }
        return io::read_prompt(texts, std::string("a handwritten ") + digits[i % 10]);
    }
};

/// The KiB of a mapped file that are accounted to this process (Pss), and those that it has in memory (Rss).
std::pair<long, long> pss_of(const std::string& file) {
    std::ifstream maps("/proc/self/smaps");
    long pss = 0, rss = 0;
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find('-') < line.find(' ') && line.find(':') > line.find(' ')) inside = line.ends_with(file);
        std::istringstream words(line);
        std::string key;
        long value = 0;
        words >> key >> value;
        if (inside && key == "Pss:") pss += value;
        if (inside && key == "Rss:") rss += value;
    }
    return {pss, rss};
}

template <class Format>
result<void> sample_as(const mpi::communicator& ranks, const mpi::sampling_run& run, int threads) {
    using Model = PriorTransformer<presets::digits, device_type, Format>;
    eigen_thread_pool_executor pool(threads);
    device_type device(pool);
    const std::string pack = option("pack"), packed = option("packed");
    const auto model = ranks.agree([&]() -> result<Model> {
        if (packed.empty()) return load<Model>(device, folder + "/prior");
        if (option("replica") == "1") return io::copy_packed_file<Model>(device, packed);
        return io::open_packed_file<Model>(device, packed);
    }());
    if (!model) return model.error();
    if (!pack.empty()) return ranks.agree(ranks.rank() == 0 ? io::write_packed_file(*model, pack) : result<void>());

    auto texts = ranks.agree(io::open_weights(folder + "/conditions.safetensors"));
    if (!texts) return texts.error();
    const auto nothing = ranks.agree(io::read_prompt(*texts, "unconditional"));
    if (!nothing) return nothing.error();
    if (option("how") == "alone" && ranks.rank() == number("fail", -1))
        return failure{errc::device_error, "left alone"};
    mpi::sampling_run how = run;
    how.unconditional = *nothing;
    if (auto r = mpi::sample_prompts(ranks, *model, steps, prompts_of_digits{ranks, std::move(*texts)}, how); !r)
        return r;
    if (option("pss") == "1") {
        MPI_Barrier(ranks.comm()); // all ranks have read the weights
        const auto [pss, rss] = pss_of(packed);
        for (int r = 0; r < ranks.size(); ++r) {
            const std::string line = ranks.broadcast(io::cat("pss ", pss, " rss ", rss), r);
            if (ranks.rank() == 0) std::printf("rank %d %s\n", r, line.c_str());
        }
        std::fflush(stdout);
    }
    return {};
}

result<void> sample_in(const mpi::communicator& ranks, const std::string& format, const mpi::sampling_run& run,
                       int threads) {
    if (format == "f32") return sample_as<f32>(ranks, run, threads);
    if (format == "bf16") return sample_as<bf16>(ranks, run, threads);
    if (format == "w8a8") return sample_as<w8a8>(ranks, run, threads);
    return failure{errc::invalid_argument, "format=" + format + ": allowed: f32, bf16, w8a8"};
}

result<void> run_options(const mpi::communicator& ranks) {
    mpi::sampling_run run{.out = option("out"),
                          .prompts = number("prompts", 12),
                          .batch = number("batch", 8),
                          .checkpoint = number("checkpoint", 64)};
    run.seed = std::uint64_t(number("seed", 7) + number("unlike", 0) * ranks.rank());
    run.inputs = {{"prompts", "the ten digits, again and again"}};
    run.resume = option("resume") == "1";
    const std::string matrix = option("matrix");
    if (matrix.empty()) return sample_in(ranks, option("format", "f32"), run, number("threads", 1));

    run.on_progress = nullptr;
    const bool few = option("few") == "1";
    for (const char* format : {"f32", "bf16", "w8a8"})
        for (const int batch : {1, 8, 64})
            for (const int threads : {1, 2}) {
                if (few && (batch == 64) != (threads == 2)) continue;
                run.out = matrix + io::cat("/", format, ".", batch, ".", threads, ".npy");
                run.batch = batch;
                if (auto r = sample_in(ranks, format, run, threads); !r) return r;
            }
    return {};
}

} // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string text = argv[i];
        const auto at = text.find('=');
        options[text.substr(0, at)] = at == std::string::npos ? "" : text.substr(at + 1);
    }
    return mpi::run(argc, argv, run_options);
}
