// SPDX-License-Identifier: Apache-2.0
// Tells whether there is a GPU that cuda<Sm> can run on, and if not, why. Needs CUDA's runtime library, but not nvcc.
#pragma once

#include "apriori/core/macros.hpp"

#include <cuda_runtime_api.h>

#include <string>
#include <utility>

namespace apriori {

/// True if a GPU can be used; otherwise `reason` says why not, in one line.
struct cuda_availability {
    bool available = false;
    std::string reason;
    explicit operator bool() const noexcept { return available; }
};

/// Looks for a driver, and checks that GPU number `ordinal` exists and has compute capability `sm` (80 for 8.0) or
/// higher.
inline cuda_availability cuda_available(int sm, int ordinal = 0) {
    const auto failed = [](const char* what, cudaError_t error) {
        (void)cudaGetLastError(); // clears the error, so that no later call reports it
        return cuda_availability{false, std::string("cuda: ") + what + ": " + cudaGetErrorString(error)};
    };
    int count = 0, major = 0, minor = 0;
    if (const cudaError_t e = cudaGetDeviceCount(&count); e != cudaSuccess) return failed("no GPU can be used", e);
    if (ordinal < 0 || ordinal >= count)
        return {false,
                "cuda: there is no GPU numbered " + std::to_string(ordinal) + "; found " + std::to_string(count)};
    for (const auto& [to, attribute] :
         {std::pair(&major, cudaDevAttrComputeCapabilityMajor), std::pair(&minor, cudaDevAttrComputeCapabilityMinor)})
        if (const cudaError_t e = cudaDeviceGetAttribute(to, attribute, ordinal); e != cudaSuccess)
            return failed("the GPU's compute capability is not known", e);
    if (const int have = 10 * major + minor; have < sm)
        return {false, "cuda: the GPU's compute capability is " + std::to_string(have) + " (tenths); cuda<" +
                           std::to_string(sm) + "> needs " + std::to_string(sm) + " or higher"};
    return {true, ""};
}

} // namespace apriori
