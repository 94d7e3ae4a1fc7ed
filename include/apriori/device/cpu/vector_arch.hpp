// SPDX-License-Identifier: Apache-2.0
// vector_arch<N>, registers of N floats by the compiler's vectors, with what instruction sets add to them.
#pragma once

#include "apriori/device/cpu/helium.hpp"
#include "apriori/device/cpu/vector_lanes.hpp"
