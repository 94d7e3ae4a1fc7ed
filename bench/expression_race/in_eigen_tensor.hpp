// SPDX-License-Identifier: Apache-2.0
// Shared by the rows written with Eigen's Tensor module: maps of a problem's arrays, and the device on which they are
// assigned.
#pragma once

#include "race.hpp"

#include "apriori/device/eigen/bridge.hpp"

#include <memory>
#include <thread>

namespace race {

using index = Eigen::Index;
template <int Rank>
using map = Eigen::TensorMap<Eigen::Tensor<float, Rank, Eigen::RowMajor, index>>;
template <int Rank>
using dims = std::array<index, std::size_t{Rank}>;
using pair = Eigen::IndexPair<index>;

template <int Rank>
map<Rank> map_of(array& a) {
    Eigen::array<index, std::size_t{Rank}> sizes{};
    for (std::size_t i = 0; i < sizes.size(); ++i) sizes[i] = a.ext(i);
    return map<Rank>(a.data(), sizes);
}
template <int Rank>
map<Rank> in(problem& p, std::size_t i) {
    return map_of<Rank>(p.in[i]);
}
template <int Rank>
map<Rank> out(problem& p, std::size_t i = 0) {
    return map_of<Rank>(p.out[i]);
}

/// Row::run(p, device) on one thread, or on Eigen's pool.
template <class Row>
call with_device(problem& p, int threads) {
    if (threads == 1)
        return [&p] {
            Eigen::DefaultDevice device;
            Row::run(p, device);
        };
    struct pool {
        explicit pool(int n) : threads(n), device(&threads, n) {}
        Eigen::ThreadPool threads;
        Eigen::ThreadPoolDevice device;
    };
    return [&p, both = std::make_shared<pool>(threads)] { Row::run(p, both->device); };
}

} // namespace race
