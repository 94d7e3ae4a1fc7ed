// SPDX-License-Identifier: Apache-2.0
// multiarch [NAME]: runs the chosen build, or the one called NAME, and the baseline. Prints the instruction set, its
// lanes and a checksum. Exit code 1 if it fails or its numbers differ from the baseline's, 2 if there is no build
// called NAME, 77 if this machine lacks its instructions.
#include "digits.hpp"

#include "apriori/core/arch_choice.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

std::span<const apriori::arch_entry> apriori_test_digits_archs();

namespace {

constexpr int size = 64;

/// Two builds add the same products, up to 512, in different orders, layer by layer. Each rounding is 2^-24 of the sum,
/// with a random sign. A forward may differ from diffusers by 2e-5 of the largest element; two builds of the same model
/// with the same weights are closer to each other.
constexpr double tolerance = 1e-5;

bool forward(const apriori::arch_entry& build, float* out) {
    std::fill(out, out + size, NAN);
    const bool ok = static_cast<const digits_table*>(build.entry())->forward(out);
    if (!ok) std::fprintf(stderr, "%s: forward fails\n", build.name);
    return ok;
}

double sum_of_magnitudes(const float* x) {
    double sum = 0;
    for (int i = 0; i < size; ++i) sum += std::fabs(static_cast<double>(x[i]));
    return sum;
}

} // namespace

int main(int argc, char** argv) {
    const std::span<const apriori::arch_entry> builds = apriori_test_digits_archs();
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    const auto build = apriori::choose_arch(builds, wanted);
    if (!build) {
        std::fprintf(stderr, "%s\n", build.error().message.c_str());
        const bool there = std::any_of(builds.begin(), builds.end(), [&](const auto& b) { return b.name == wanted; });
        return there ? 77 : 2;
    }
    const auto oldest = apriori::choose_arch(builds, "baseline");
    float got[size], expected[size];
    if (!oldest || !forward(**build, got) || !forward(**oldest, expected)) return 1;

    double largest = 0, off = 0;
    for (int i = 0; i < size; ++i) {
        const double e = static_cast<double>(expected[i]), error = std::fabs(static_cast<double>(got[i]) - e);
        largest = std::max(largest, std::fabs(e));
        off = std::isnan(error) ? INFINITY : std::max(off, error);
    }
    const double sum = sum_of_magnitudes(got), base = sum_of_magnitudes(expected);
    const auto& table = *static_cast<const digits_table*>((*build)->entry());
    std::printf(
        "%s: %s, %d lanes, sum of magnitudes %.6f, off the baseline's by %.1e of it; elements by %.1e of the largest\n",
        (*build)->name, table.arch, table.lanes, sum, std::fabs(sum - base) / base, off / largest);
    const bool same = largest > 0 && off <= tolerance * largest && std::fabs(sum - base) <= tolerance * base;
    if (!same) std::fprintf(stderr, "%s: not the baseline's numbers within %.0e\n", (*build)->name, tolerance);
    return same ? 0 : 1;
}
