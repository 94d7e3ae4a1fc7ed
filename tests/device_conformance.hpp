// SPDX-License-Identifier: Apache-2.0
// The requirements on every device. A device passes when each suite is instantiated with a factory for it:
//
//     struct my_factory { my_device device; };
//     APRIORI_TEST_DEVICE(my_device, my_factory);
#pragma once

#include "device_conformance_attention.hpp"
#include "device_conformance_elementwise.hpp"
#include "device_conformance_linear.hpp"
#include "device_conformance_rows.hpp"

/// Instantiates all suites for one device, in namespace conformance.
#define APRIORI_TEST_DEVICE(name, factory)                                                                             \
    INSTANTIATE_TYPED_TEST_SUITE_P(name, device_elementwise, factory);                                                 \
    INSTANTIATE_TYPED_TEST_SUITE_P(name, device_linear, factory);                                                      \
    INSTANTIATE_TYPED_TEST_SUITE_P(name, device_matmul, factory);                                                      \
    INSTANTIATE_TYPED_TEST_SUITE_P(name, device_rows, factory);                                                        \
    INSTANTIATE_TYPED_TEST_SUITE_P(name, device_attention, factory)
