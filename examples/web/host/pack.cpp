// SPDX-License-Identifier: Apache-2.0
// Writes the files that the WebAssembly links: the weights of the prior and the text encoder, packed for its registers,
// and the decoder's.
//
//     pack MODEL_FOLDER OUT_FOLDER
#include "../models.hpp"

#include "apriori/core/report.hpp"
#include "apriori/io/atomic_file.hpp"
#include "apriori/io/packed_file.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/stored_prompt.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

using namespace apriori;

namespace {

template <class Model>
result<void> pack(const std::filesystem::path& folder, const std::filesystem::path& out) {
    const auto weights = io::open_weights(folder);
    if (!weights) return weights.error();
    device_type device;
    const auto model = Model::load(device, *weights);
    if (!model) return model.error();
    return io::write_packed_file(*model, out);
}

/// Reads a tensor into an array of the same size.
template <std::size_t N>
result<void> fill(float (&to)[N], const auto& source, const char* name) {
    const auto values = io::read_tensor(source, name);
    if (!values) return values.error();
    if (values->size() != N) return failure(errc::shape_mismatch, name, " has another size than the page's");
    std::copy(values->begin(), values->end(), to);
    return {};
}
result<void> write_decoder(const std::filesystem::path& folder, const std::filesystem::path& out) {
    const auto source = io::open_weights(folder);
    if (!source) return source.error();
    const auto d = std::make_unique<decoder_weights>();
    if (auto r = fill(d->hidden_weight, *source, "0.weight"); !r) return r;
    if (auto r = fill(d->hidden_bias, *source, "0.bias"); !r) return r;
    if (auto r = fill(d->pixel_weight, *source, "2.weight"); !r) return r;
    if (auto r = fill(d->pixel_bias, *source, "2.bias"); !r) return r;
    auto file = io::atomic_file::create(out);
    if (!file) return file.error();
    if (auto r = file->write(std::as_bytes(std::span(d.get(), 1))); !r) return r;
    return file->commit();
}

result<void> run(const std::filesystem::path& folder, const std::filesystem::path& out) {
    if (auto r = pack<Prior>(folder / "prior", out / "prior.apriori"); !r) return r;
    if (auto r = pack<TextEncoder>(folder / "text_encoder", out / "text_encoder.apriori"); !r) return r;
    return write_decoder(folder / "decoder", out / "decoder.bin");
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: pack MODEL_FOLDER OUT_FOLDER\n");
        return 2;
    }
    const auto done = run(argv[1], argv[2]);
    return done ? 0 : report(done.error());
}
