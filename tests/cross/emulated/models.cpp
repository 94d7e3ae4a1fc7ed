// SPDX-License-Identifier: Apache-2.0
// Small models of diffusers on the CPU of another machine, and a sampling of many steps: their numbers are those that diffusers recorded.
#include "apriori/device/cpu/device.hpp"
#include "reference_sampling.hpp"

#include "tiny.hpp"
#include "tiny_norms.hpp"

TEST(Models, NumbersAreThoseOfDiffusers) {
    apriori::cpu<> device;
    model_testing::check_variant<::tiny>(device, "tiny");
    model_testing::check_variant<::tiny_norms>(device, "tiny_norms");
}
TEST(Models, SamplingsAreThoseOfDiffusers) {
    apriori::cpu<> device;
    model_testing::check_recorded_sampling<::tiny>(device, "tiny");
}
