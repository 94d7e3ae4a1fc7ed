// SPDX-License-Identifier: Apache-2.0
// An index of shards. If it is accepted, it lists exactly the tensors of its shards, and they can be read.
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

namespace {

/// A folder with two shards, of two tensors and of one, and an index in memory.
struct sharded {
    memory_folder folder;
    memory_file index;
    std::filesystem::path path = folder.path / "model.safetensors.index.json";

    sharded() {
        const float one[] = {1}, two[] = {2, 3};
        safetensors_writer a, b;
        require(a.add("w", {1}, one).ok() && a.add("b", {2}, two).ok() && b.add("c.weight", {2, 1}, two).ok(),
                "tensors can be written");
        require(a.write(folder.path / "a.safetensors").ok() && b.write(folder.path / "b.safetensors").ok(),
                "shards can be written");
        std::filesystem::create_symlink(index.path(), path);
    }
};

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sharded there;
    there.index.write(text(data, size));
    const auto weights = open_weights(there.path);
    if (!weights) return refused(weights.error());
    require(weights->size() == (weights->files().size() == 2 ? 3U
                                : weights->find("w")         ? 2U
                                                             : 1U),
            "each shard is there whole");
    for (std::size_t i = 0; i < weights->size(); ++i) {
        std::vector<float> values(std::size_t(weights->info(i).size()));
        require(weights->read(i, 0, values).ok() && values.back() == (values.size() == 1 ? 1.0f : 3.0f),
                "a tensor can be read");
        require(weights->find(weights->info(i).name) == i, "a tensor is found by its name");
    }
    return 0;
}
