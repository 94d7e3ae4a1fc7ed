// SPDX-License-Identifier: Apache-2.0
#include "apriori/mpi/communicator.hpp"
#include "ranks.hpp"

namespace apriori::program {

result<exit_code> on_all_ranks(const std::function<result<exit_code>(const ranks&)>& command,
                               int (*give_up)(const failure&)) {
    exit_code code = done;
    const auto body = [&](const mpi::communicator& world) -> result<void> {
        const auto r = command(ranks_of(world));
        if (!r) return r.error();
        code = *r;
        return {};
    };
    int no_arguments = 0;
    char** none = nullptr; // MPI's arguments come from the launcher, through the environment
    const int failed = mpi::run(no_arguments, none, body, give_up);
    return failed != 0 ? static_cast<exit_code>(failed) : code;
}

} // namespace apriori::program
