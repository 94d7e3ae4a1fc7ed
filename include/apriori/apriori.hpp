// SPDX-License-Identifier: Apache-2.0
// The front door: pipelines and models from their folders, on the CPU. Needs apriori::cpu, apriori::io and
// apriori::text.
#pragma once

#include "apriori/compiled_parts.hpp"
#include "apriori/core/report.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/loading/model.hpp"
#include "apriori/loading/pipeline.hpp"
#include "apriori/loading/variants.hpp"
