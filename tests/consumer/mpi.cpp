// SPDX-License-Identifier: Apache-2.0
// What a user's first program on several ranks might do: each rank writes its part of the rows of one file.
#include <apriori/mpi/communicator.hpp>

#include <filesystem>

int run_ranks(int& argc, char**& argv) {
    using namespace apriori;
    const io::ordered_rows rows{.out = "consumer.npy", .items = 10, .width = 2};
    const int code = mpi::run(argc, argv, [&](const mpi::communicator& ranks) {
        return io::write_ordered_rows(ranks, rows, [](index_t first, index_t, std::span<float> out) -> result<void> {
            for (float& x : out) x = float(first);
            return {};
        });
    });
    return code != 0 || !std::filesystem::remove(rows.out);
}
