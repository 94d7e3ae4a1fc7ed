// SPDX-License-Identifier: Apache-2.0
// What apriori bench found, as one JSON object and as a table.
#pragma once

#include "any_prior.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace apriori::program {

/// The middle one and the largest of some figures; 0 of none.
double median(std::vector<double> figures);
double best(const std::vector<double>& figures);

/// How long one work took.
struct timing {
    timed_work work;
    std::vector<double> seconds; ///< of each run, the first not counted
};

struct bench_report {
    std::string model, source, device, arch, weights;
    int threads = 1, tokens = 0, unconditional_tokens = 0, samples = 1, steps = 1;
    double guidance = 1;
    std::int64_t weight_bytes = 0, peak_memory_bytes = 0; ///< peak: of loading and one sampling
    double load = 0, ready = 0, first = 0; ///< seconds: to load, from the process's start, of the first work
    std::vector<double> gflops, gbytes;    ///< readings of the ceilings; none: the device has none
    std::vector<timing> works;

    /// Seconds that no program of this arithmetic goes below at the best readings of the ceilings; 0 without ceilings.
    double floor_of(const timed_work& work) const;

    std::string json() const;
    std::string table() const;
};

} // namespace apriori::program
