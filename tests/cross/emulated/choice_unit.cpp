// SPDX-License-Identifier: Apache-2.0
// Compiled for each instruction set: a sum of four products of bytes, with the instructions that the set has for it.
#include "choice.hpp"

#include "apriori/device/cpu/dot.hpp"

using namespace apriori::cpu_device;

static std::int32_t sum() {
    using V = value_t<apriori::default_arch>;
    using dot = byte_dot<V>;
    std::uint32_t quad[dot::left_words];
    dot::expand({1, -2, 3, -127}, quad);
    const volatile std::uint32_t bytes = 0xff800a01u; // 1, 10, 128, 255
    std::int32_t sums[apriori::lanes<V>::count];
    dot::store(sums, dot::add(dot::zero(), quad, dot::prepare(int_lanes<V>::set(bytes))));
    return sums[0] + dot::taken_off * (1 - 2 + 3 - 127);
}

const void* apriori_test_choice() {
    static const choice_unit unit{sum};
    return &unit;
}
