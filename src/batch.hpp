// SPDX-License-Identifier: Apache-2.0
// A file of prompts, a line of JSON each, sampled line by line into a folder: what is there already is not made again.
#pragma once

#include "draw_words.hpp"

namespace apriori::program {

/// Samples the lines of options.batch into options.out/<line>.safetensors, each with a generator of its own. A file that is
/// there is kept if it was made in the same way, and refused if not; so a run that was stopped goes on where it was.
result<exit_code> run_batch(const sample_options& options, pipeline_parts& parts);

} // namespace apriori::program
