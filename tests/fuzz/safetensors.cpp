// SPDX-License-Identifier: Apache-2.0
// A safetensors file. If it is accepted, every tensor can be read, whole and in pieces, viewed, and read again after it
// is written.
#include "apriori/io/safetensors.hpp"
#include "apriori/core/check_tensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_folder folder;
    const auto view = safetensors_view::parse(std::as_bytes(std::span(data, size)), "x.safetensors");
    if (!view) return refused(view.error());

    std::vector<std::vector<float>> values;
    safetensors_writer writer;
    for (std::size_t i = 0; i < view->size(); ++i) {
        const tensor_info info = view->info(i);
        require(view->find(info.name) == i, "a tensor is found by its name");
        require(info.size() >= 0 && std::size_t(info.size()) <= size, "a tensor lies in the file");
        std::vector<float>& all = values.emplace_back(std::size_t(info.size()));
        require(view->read(i, 0, all).ok(), "a tensor can be read");
        std::vector<float> back((all.size() + 1) / 2);
        const auto front = all.size() - back.size();
        require(view->read(i, std::int64_t(front), back).ok() && same_bits(back, std::span(all).subspan(front)),
                "half of a tensor is half of it");
        require(!view->read(i, info.size() - std::ssize(back) + 1, back).ok() || back.empty(),
                "nothing lies behind it");
        if (const auto seen = view->view_as<float, extents<dyn>>(info.name))
            require(same_bits(seen->flat(), all), "a view has the same values");
        else
            refused(seen.error());
        require(writer.add(info.name, std::span(info.dims).first(std::size_t(info.rank)), all).ok(),
                "a tensor can be written");
    }
    for (const auto& [key, value] : view->metadata()) require(writer.metadata(key, value).ok(), "so can its metadata");
    const tensor_info wanted[] = {{"a", 2, {2, 2}}};
    if (const auto same = check_tensors(*view, wanted); !same) refused(same.error());
    if (const auto prompt = read_prompt(*view, "a"); !prompt) refused(prompt.error());

    const auto path = folder.path / "copy.safetensors";
    require(writer.write(path).ok(), "the copy can be written");
    const auto copy = open_weights(path);
    require(copy.ok() && copy->size() == view->size(), "the copy can be read");
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto at = copy->find(view->info(i).name);
        std::vector<float> again(values[i].size());
        require(at && copy->info(*at).same_shape(view->info(i)), "the copy has the tensor");
        require(copy->read(*at, 0, again).ok() && same_bits(again, values[i]), "the copy has the same numbers");
    }
    return 0;
}
