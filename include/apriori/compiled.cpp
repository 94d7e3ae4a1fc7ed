// SPDX-License-Identifier: Apache-2.0
// Defines the functions of apriori::compiled (core/macros.hpp) once. CMake compiles it with
// APRIORI_COMPILED and APRIORI_COMPILING.
#include "apriori/compiled_parts.hpp"
#include "apriori/core/check_tensors.hpp"
#include "apriori/core/report.hpp"
#include "apriori/core/torch_random.hpp"
#include "apriori/device/cpu/compiled_kernels.hpp"
#include "apriori/expr/check_memory.hpp"
#include "apriori/io/clip_tokenizer_files.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/scheduler_json.hpp"
#include "apriori/loading/pipeline.hpp"
#include "apriori/models/clip_source.hpp"

namespace apriori::detail {

template result<void> check_config(const std::filesystem::path&, const PriorConfig&);
template result<void> check_config(const std::filesystem::path&, const CLIPTextConfig&);
template result<void> check_config(const std::filesystem::path&, const CLIPVisionConfig&);

} // namespace apriori::detail
