// SPDX-License-Identifier: Apache-2.0
// Prints a hash of the digits model's packed weights in each format. The weights are packed by this machine for itself,
// or with PACK_FOR_IT by another machine for this one. Both have to print the same.
//
//     packing MODEL_FOLDER
#include "apriori/device/cpu/device.hpp"
#include "apriori/device/cpu/packing_arch.hpp"
#include "apriori/io/packed_header.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/models/packed_prior.hpp"
#include "apriori/models/prior_transformer.hpp"

#include <cstdio>
#include <filesystem>

using namespace apriori;

namespace {

#ifdef PACK_FOR_IT
using arch = packing_arch<1>;
#else
using arch = scalar_arch;
static_assert(std::is_same_v<default_arch, arch>, "this machine has registers");
#endif

template <class Format>
bool print(const auto& source) {
    cpu<arch> device;
    const auto weights = packed_prior<cpu<arch>, Format>::load(device, presets::digits, source);
    if (!weights) return false;
    std::printf("%s %016llx %016llx\n", Format::name, static_cast<unsigned long long>(weights->hash()),
                static_cast<unsigned long long>(io::payload_checksum(weights->packed_bytes())));
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const auto source = io::open_weights(std::filesystem::path(argv[1]) / "prior");
    if (!source) return 1;
    return print<f32>(*source) && print<f16>(*source) && print<bf16>(*source) && print<bf16a16>(*source) &&
                   print<w8>(*source) && print<w8a8>(*source) && print<w4>(*source) && print<w4a8>(*source)
               ? 0
               : 1;
}
