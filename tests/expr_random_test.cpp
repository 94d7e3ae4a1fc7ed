// SPDX-License-Identifier: Apache-2.0
// Random expressions of floats: 32 expressions in 40 sizes each, on three devices.
#include "expr_random.hpp"

TEST(RandomExpressions, OfFloatsAreWhatPlainLoopsSay) {
    apriori::cpu<> vectors;
    apriori::cpu<apriori::scalar_arch> scalars;
    apriori::eigen reference;
    random_expressions::all<float>(std::make_integer_sequence<std::uint64_t, 32>{}, 40, vectors, scalars, reference);
}
