// SPDX-License-Identifier: Apache-2.0
#include "ranks.hpp"

namespace apriori::program {

result<exit_code> on_all_ranks(const std::function<result<exit_code>(const ranks&)>& command, int (*)(const failure&)) {
    return command(ranks_of(io::alone{}));
}

} // namespace apriori::program
