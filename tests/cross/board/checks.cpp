// SPDX-License-Identifier: Apache-2.0
// Runs on an emulated board: the microcontroller's own instructions give the results of plain loops, and an allocation
// of too much memory returns an empty buffer. The exit code is the number of failures.
#include "board.hpp"

#include "apriori/device/cpu/dot.hpp"
#include "apriori/device/cpu/vector_arch.hpp"
#include "apriori/tensor/host_buffer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

using namespace apriori;

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
    if (condition) return;
    ++failures;
    board::print("FAILED: ");
    board::print(what);
    board::print("\n");
}

std::uint32_t random() {
    static std::uint32_t state = 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/// Four bytes of weights, 0 .. 255, times four of a left operand, -127 .. 127.
std::int32_t product(cpu_device::byte_quad left, std::uint32_t weights) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += left[i] * std::int32_t(weights >> (8 * i) & 0xff);
    return sum;
}
void products_are_exact() {
    using dot = cpu_device::byte_dot<float>;
    const auto check = [](cpu_device::byte_quad quad, std::uint32_t weights, std::int32_t sum) {
        std::uint32_t left[dot::left_words];
        dot::expand(quad, left);
        expect(dot::add(sum, left, dot::prepare({weights})) == sum + product(quad, weights), "a product of bytes");
    };
    for (const std::int8_t x : {-127, -1, 0, 1, 127})
        for (const std::uint32_t w : {0x00000000U, 0x01010101U, 0x80808080U, 0xffffffffU, 0xff00ff00U, 0x00ff00ffU})
            check({x, x, std::int8_t(-x), x}, w, 0x3f000000);
    for (int i = 0; i < 10'000; ++i) {
        cpu_device::byte_quad quad;
        for (auto& x : quad) x = std::int8_t(std::int32_t(random() % 255) - 127);
        check(quad, random(), std::int32_t(random()) / 2);
    }
}

/// Rows times a panel of an architecture, with the extreme values of both.
template <class Arch, int M>
void panels_are_exact() {
    using V = cpu_device::value_t<Arch>;
    using dot = cpu_device::byte_dot<V>;
    constexpr int words = 32, P = cpu_device::blocking<Arch>::panel;
    static cpu_device::byte_quad left[words][M];
    static std::uint32_t expanded[words][M][dot::left_words], panel[words][P];
    for (int i = 0; i < words; ++i) {
        for (int m = 0; m < M; ++m) {
            for (auto& x : left[i][m]) x = std::int8_t(i == 0 ? -127 : std::int32_t(random() % 255) - 127);
            dot::expand(left[i][m], expanded[i][m]);
        }
        for (auto& w : panel[i]) w = i == 0 ? 0xff00ff00U : random();
    }
    std::int32_t sums[M][P], expected[M][P];
    for (int m = 0; m < M; ++m)
        for (int p = 0; p < P; ++p) {
            sums[m][p] = expected[m][p] = std::int32_t(random()) / 2;
            for (int i = 0; i < words; ++i)
                expected[m][p] += product(left[i][m], panel[i][p]) -
                                  dot::taken_off * std::accumulate(left[i][m].begin(), left[i][m].end(), 0);
        }
    if constexpr (requires { &dot::template multiply<M>; })
        dot::template multiply<M>(expanded[0][0], panel[0], words, sums[0], true, {});
    else
        cpu_device::multiply_words<Arch, dot, M>(expanded[0][0], panel[0], words, sums[0], true, {});
    for (int m = 0; m < M; ++m)
        for (int p = 0; p < P; ++p) expect(sums[m][p] == expected[m][p], "a panel of bytes");
}

void memory_that_is_not_there_is_a_value() {
    const host_buffer some(1000);
    expect(!some.empty() && reinterpret_cast<std::uintptr_t>(some.data()) % buffer_alignment == 0, "a buffer");
    for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{1} << 30, std::size_t(-1) / 2, std::size_t(-1)})
        expect(host_buffer(bytes).empty(), "a buffer of more than there is");
    const host_buffer again(1000);
    expect(!again.empty(), "a buffer after one of more than there is");
}

alignas(8) char heap[16 * 1024];

} // namespace

/// The source of memory for newlib's malloc.
extern "C" void* _sbrk(std::ptrdiff_t bytes) {
    static std::ptrdiff_t used = 0;
    if (bytes > std::ptrdiff_t(sizeof heap) - used) return reinterpret_cast<void*>(-1);
    used += bytes;
    return heap + used - bytes;
}

int main() {
    products_are_exact();
    panels_are_exact<scalar_arch, 2>();
    panels_are_exact<vector_arch<4>, 1>();
    panels_are_exact<vector_arch<4>, 2>();
    memory_that_is_not_there_is_a_value();
    board::print(failures == 0 ? "all checks passed\n" : "some checks failed\n");
    return failures;
}
