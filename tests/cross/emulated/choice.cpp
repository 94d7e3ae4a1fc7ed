// SPDX-License-Identifier: Apache-2.0
// choice [NAME]: prints the instruction set that is chosen on this machine, or the one called NAME, and a sum that it
// computes. Exit code 77 if this machine lacks its instructions.
#include "choice.hpp"

#include "apriori/core/arch_choice.hpp"

#include <cstdio>

std::span<const apriori::arch_entry> apriori_test_choice_archs();

int main(int argc, char** argv) {
    const auto build = apriori::choose_arch(apriori_test_choice_archs(), argc > 1 ? argv[1] : "");
    if (!build) {
        std::puts(build.error().message.c_str());
        return 77;
    }
    std::printf("%s: %d\n", (*build)->name, int{static_cast<const choice_unit*>((*build)->entry())->sum()});
}
