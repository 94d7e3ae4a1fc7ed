// SPDX-License-Identifier: Apache-2.0
// Random expressions of doubles: the same 32 expressions in 40 sizes each.
#include "expr_random.hpp"

TEST(RandomExpressions, OfDoublesAreWhatPlainLoopsSay) {
    apriori::cpu<> vectors;
    random_expressions::all<double>(std::make_integer_sequence<std::uint64_t, 32>{}, 40, vectors);
}
