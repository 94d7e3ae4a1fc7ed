// SPDX-License-Identifier: Apache-2.0
// Intel's AMX: eight tile registers of 16 rows of 64 bytes, and products of tiles. tiles.hpp describes what a
// matrix unit offers. It is in assembler, since gcc's intrinsics take no template arguments, and their loads do
// not say that they read memory.
#pragma once

#include "apriori/core/amx_permission.hpp"
#include "apriori/core/index.hpp"
#include "apriori/core/macros.hpp"

#include <cstdint>

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AMX_INT8__) && defined(__x86_64__) && defined(__linux__)
#define APRIORI_AMX 1
#else
#define APRIORI_AMX 0
#endif

#if APRIORI_AMX
namespace apriori::cpu_device {

struct amx {
    static bool available() noexcept { return amx_permitted(); }

    /// The calling thread may use the tiles as long as it has one of these.
    class session {
    public:
        session() noexcept {
            struct alignas(64) configuration {
                std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
                std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
                std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
            };
            static constexpr configuration all{};
            __asm__ volatile("ldtilecfg %0" : : "m"(all) : "memory");
        }
        session(const session&) = delete;
        session& operator=(const session&) = delete;
        ~session() { __asm__ volatile("tilerelease" : : : "memory"); }
    };

    template <int T>
    static APRIORI_INLINE void zero() noexcept {
        __asm__ volatile("{tilezero\t%%tmm%c0|tilezero\ttmm%c0}" : : "i"(T));
    }
    template <int T>
    static APRIORI_INLINE void load(const void* p, index_t stride) noexcept {
        __asm__ volatile("{tileloadd\t(%1,%2,1), %%tmm%c0|tileloadd\ttmm%c0, [%1+%2*1]}"
                         :
                         : "i"(T), "r"(p), "r"(stride)
                         : "memory");
    }
    template <int T>
    static APRIORI_INLINE void load_past_l1(const void* p, index_t stride) noexcept {
        __asm__ volatile("{tileloaddt1\t(%1,%2,1), %%tmm%c0|tileloaddt1\ttmm%c0, [%1+%2*1]}"
                         :
                         : "i"(T), "r"(p), "r"(stride)
                         : "memory");
    }
    template <int T>
    static APRIORI_INLINE void store(void* p, index_t stride) noexcept {
        __asm__ volatile("{tilestored\t%%tmm%c0, (%1,%2,1)|tilestored\t[%1+%2*1], tmm%c0}"
                         :
                         : "i"(T), "r"(p), "r"(stride)
                         : "memory");
    }
    template <int Sum, int Left, int Right>
    static APRIORI_INLINE void add_bfloat16() noexcept {
        __asm__ volatile("{tdpbf16ps\t%%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbf16ps\ttmm%c0, tmm%c1, tmm%c2}"
                         :
                         : "i"(Sum), "i"(Left), "i"(Right));
    }
    template <int Sum, int Left, int Right>
    static APRIORI_INLINE void add_bytes() noexcept {
        __asm__ volatile("{tdpbsud\t%%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbsud\ttmm%c0, tmm%c1, tmm%c2}"
                         :
                         : "i"(Sum), "i"(Left), "i"(Right));
    }
};

} // namespace apriori::cpu_device
#endif
