// SPDX-License-Identifier: Apache-2.0
// Checks a command's options together, after each has been checked alone.
#pragma once

#include "commands.hpp"

namespace apriori::program {

/// invalid_argument, in one line that says what the command needs.
result<void> check_usage(const sample_options& options);
result<void> check_usage(const interpolate_options& options);
result<void> check_usage(const emb2emb_options& options);
result<void> check_usage(const encode_options& options);
result<void> check_usage(const pack_options& options);
result<void> check_usage(const bench_options& options);

} // namespace apriori::program
