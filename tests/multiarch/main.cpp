// SPDX-License-Identifier: Apache-2.0
// multiarch [NAME]: runs the chosen build, or the one called NAME, and prints its instruction set, lanes and a checksum.
#include "digits.hpp"

#include "apriori/core/arch_choice.hpp"

#include <cmath>
#include <cstdio>

std::span<const apriori::arch_entry> apriori_test_digits_archs();

int main(int argc, char** argv) {
    const auto build = apriori::choose_arch(apriori_test_digits_archs(), argc > 1 ? argv[1] : "");
    if (!build) {
        std::fprintf(stderr, "%s\n", build.error().message.c_str());
        return 2;
    }
    const auto& table = *static_cast<const digits_table*>((*build)->entry());
    float out[64];
    if (!table.forward(out)) return 1;
    double sum = 0;
    for (const float x : out) sum += std::fabs(static_cast<double>(x));
    std::printf("%s: %s, %d lanes, sum of magnitudes %.3f\n", (*build)->name, table.arch, table.lanes, sum);
}
