// SPDX-License-Identifier: Apache-2.0
// Several builds of one translation unit for different instruction sets, and the choice among them at run time. This
// header is compiled for the baseline: it needs no more than the oldest machine has. cmake/apriori_add_multiarch.cmake
// makes the builds.
#pragma once

#include "apriori/core/amx_permission.hpp"
#include "apriori/core/result.hpp"

#include <span>
#include <string>
#include <string_view>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace apriori {

/// A build of a translation unit. `entry` is its only symbol and returns what the unit offers, for example a table of
/// functions.
struct arch_entry {
    /// baseline; avx2, avx512, avx512vnni, amx; dotprod, i8mm; or native: what the compiling machine has
    const char* name;
    const void* (*entry)();
};

/// Whether this machine can run a build of that name.
inline bool machine_runs(std::string_view name) noexcept {
    if (name == "baseline" || name == "native") return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name == "avx2") return avx2;
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl");
    if (name == "avx512") return avx512;
    const bool avx512vnni = avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
    if (name == "avx512vnni") return avx512vnni;
    if (name == "amx") return avx512vnni && amx_permitted();
#elif defined(__aarch64__) && defined(__linux__)
    // HWCAP_ASIMDDP, and HWCAP_ATOMICS of Armv8.1; HWCAP2_I8MM and HWCAP2_BF16, which older headers do not define
    constexpr unsigned long dot_products = 1ul << 20 | 1ul << 8, matrices = 1ul << 13 | 1ul << 14;
    const bool dotprod = (getauxval(AT_HWCAP) & dot_products) == dot_products;
    if (name == "dotprod") return dotprod;
    if (name == "i8mm") return dotprod && (getauxval(AT_HWCAP2) & matrices) == matrices;
#endif
    return false;
}

/// The last of `builds` (ordered from the oldest instruction set to the newest) that this machine runs; or the one
/// called `wanted`, unless that is empty. unsupported if there is none, with the names of all builds, or if this
/// machine does not run it.
inline result<const arch_entry*> choose_arch(std::span<const arch_entry> builds, std::string_view wanted = {}) {
    const arch_entry* best = nullptr;
    std::string there;
    for (const arch_entry& b : builds) {
        there += (there.empty() ? "" : ", ");
        there += b.name;
        if (wanted.empty() ? machine_runs(b.name) : wanted == b.name) best = &b;
    }
    if (best == nullptr) {
        std::string why = wanted.empty() ? "this machine runs none of the instruction sets that this was built for: "
                                         : "there is no build called ";
        if (!wanted.empty()) why.append(wanted).append("; there are ");
        return failure(errc::unsupported, why, there);
    }
    if (!machine_runs(best->name))
        return failure(errc::unsupported, "this machine does not run the build called ", best->name);
    return best;
}

} // namespace apriori
