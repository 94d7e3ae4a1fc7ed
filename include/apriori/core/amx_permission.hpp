// SPDX-License-Identifier: Apache-2.0
// Whether this process may use AMX, Intel's matrix unit: the processor must have it, and Linux must permit its
// registers.
#pragma once

#include "apriori/core/macros.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace apriori {

/// The first call asks Linux, for the whole process. An older kernel refuses, and so does one that is configured to.
inline bool amx_permitted() noexcept {
#if defined(__x86_64__) && defined(__linux__)
    static const bool permitted = [] {
        constexpr unsigned bf16 = 1u << 22, tile = 1u << 24, int8 = 1u << 25, all = bf16 | tile | int8;
        unsigned a = 0, b = 0, c = 0, d = 0;
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & all) != all) return false;
        constexpr long request_permission = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
        return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
    }();
    return permitted;
#else
    return false;
#endif
}

} // namespace apriori
