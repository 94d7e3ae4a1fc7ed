// SPDX-License-Identifier: Apache-2.0
// A small model of diffusers on the CPU of another machine: its numbers are those that diffusers recorded.
#include "apriori/device/cpu/device.hpp"
#include "reference_cases.hpp"

#include "tiny.hpp"

TEST(Model, NumbersAreThoseOfDiffusers) {
    apriori::cpu<> device;
    model_testing::check_variant<::tiny>(device, "tiny");
}
