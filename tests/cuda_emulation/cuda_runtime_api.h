// SPDX-License-Identifier: Apache-2.0
// The emulation has all of CUDA's runtime in cuda_runtime.h.
#pragma once
#include "cuda_runtime.h"
