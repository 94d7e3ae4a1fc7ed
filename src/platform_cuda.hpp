// SPDX-License-Identifier: Apache-2.0
// The device cuda, if a GPU is available.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/device/cuda/device.hpp"
#include "apriori/device/cuda/info.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace apriori::program {

class cuda_platform {
    static constexpr int sm = APRIORI_PROGRAM_SM; ///< the lowest compute capability of this build

public:
    using device_type = cuda<sm>;

    static result<std::unique_ptr<cuda_platform>> open(int /*threads*/) {
        int count = 0;
        const int gpu = cudaGetDeviceCount(&count) == cudaSuccess && count > 0 ? local_rank() % count : 0;
        if (const cuda_availability there = cuda_available(sm, gpu); !there)
            return failure{errc::device_error, there.reason + "; --device cpu needs none"};
        if (const status s = cuda_status(cudaSetDevice(gpu)); !s.ok()) return to_failure(s);
        auto opened = std::make_unique<cuda_platform>();
        opened->device_.dependent_launches(std::getenv("APRIORI_CUDA_DEPENDENT_LAUNCHES") != nullptr);
        return opened;
    }
    device_type& device() noexcept { return device_; }

private:
    /// The number of this process among those that mpirun or srun started on this machine: each takes another GPU.
    static int local_rank() {
        for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"})
            if (const char* number = std::getenv(name)) return std::max(std::atoi(number), 0);
        return 0;
    }
    device_type device_;
};

} // namespace apriori::program
