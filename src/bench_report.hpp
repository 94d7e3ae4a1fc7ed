// SPDX-License-Identifier: Apache-2.0
// The results of apriori bench, as one JSON object and as a table.
#pragma once

#include "any_prior.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace apriori::program {

/// The median and the largest of some figures; 0 if there are none.
double median(std::vector<double> figures);
double best(const std::vector<double>& figures);

/// The times of one work.
struct timing {
    timed_work work;
    std::vector<double> seconds; ///< of each run, without the first
};

struct bench_report {
    std::string model, source, device, arch, weights;
    int threads = 1, tokens = 0, unconditional_tokens = 0, samples = 1, steps = 1;
    double guidance = 1;
    std::int64_t weight_bytes = 0, peak_memory_bytes = 0; ///< peak: of loading and one sampling
    double load = 0, ready = 0, first = 0; ///< seconds: loading, from process start until ready, the first work
    std::vector<double> gflops, gbytes;    ///< readings of the ceilings; empty if the device has none
    std::vector<timing> works;

    /// A lower bound, in seconds, for this arithmetic at the best readings of the ceilings; 0 without ceilings.
    double floor_of(const timed_work& work) const;

    std::string json() const;
    std::string table() const;
};

} // namespace apriori::program
