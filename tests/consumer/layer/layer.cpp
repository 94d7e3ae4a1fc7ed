// SPDX-License-Identifier: Apache-2.0
// A user's own layer on the CPU, for the instruction set that the package's flags choose. Prints the version.
#include <apriori/core/version.hpp>
#include <apriori/device/cpu/device.hpp>
#include <apriori/expr.hpp>
#include <apriori/tensor/make.hpp>

#include <cmath>
#include <cstdio>
#include <type_traits>

using namespace apriori;

#ifdef APRIORI_NO_XSIMD
static_assert(std::is_same_v<cpu<>::arch, scalar_arch>);
#else
static_assert(!std::is_same_v<cpu<>::arch, scalar_arch>);
#endif

int main() {
    cpu<> device;
    const auto x = normal(extents<4, 32>{}, 1);
    const auto w = normal(extents<8, 32>{}, 2);
    const auto b = ones(extents<8>{});
    const auto y = evaluate(device, relu(linear(x, w, b)));
    if (!y) return 1;
    double largest = 0;
    for (index_t i = 0; i < 4; ++i)
        for (index_t j = 0; j < 8; ++j) {
            double sum = 1;
            for (index_t k = 0; k < 32; ++k) sum += double(x(i, k)) * double(w(j, k));
            largest = std::fmax(largest, std::fabs(double((*y)(i, j)) - (sum > 0 ? sum : 0)));
        }
    std::printf("%s\n", version::string);
    return largest < 1e-4 ? 0 : 2;
}
