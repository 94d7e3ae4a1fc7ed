// SPDX-License-Identifier: Apache-2.0
// The startup code of a program on a Cortex-M, and the functions of board.hpp. There is no heap: without _sbrk, a call
// of malloc does not link.
#include "board.hpp"

#include <algorithm>
#include <span>

extern "C" {
// mps2.ld and mps3.ld
extern std::uint32_t data_in_flash[], data_begin[], data_end[], bss_begin[], bss_end[], stack_limit[], stack_top[];
extern void (*init_begin[])(), (*init_end[])();

int main();
[[noreturn]] void reset_handler();
[[noreturn]] void fault_handler();
void tick_handler();
[[noreturn]] void abort();
[[noreturn]] void _exit(int code);
}

namespace {

/// A call to the debugger, or to QEMU in its place: the operation and its argument in r0 and r1, the result in r0.
int semihosting(int operation, const void* argument) {
    register int r0 asm("r0") = operation;
    register const void* r1 asm("r1") = argument;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "r2", "r3", "r12", "lr");
    return r0;
}
constexpr int write_text = 0x04, exit_extended = 0x20, application_exit = 0x20026;

volatile std::uint32_t& core_register(std::uintptr_t address) {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
}
constexpr std::uintptr_t systick_control = 0xE000E010, systick_reload = 0xE000E014, systick_value = 0xE000E018,
                         coprocessors = 0xE000ED88;
constexpr std::uint32_t systick_period = 0x1000000;
volatile std::uint32_t periods = 0;

constexpr std::uint32_t untouched = 0xA5A5A5A5; // of the stack

using handler = void (*)();
struct vector_table {
    std::uint32_t* stack;
    handler handlers[15];
};
[[gnu::section(".vectors"), gnu::used]] const vector_table vectors{
    stack_top,
    {reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, nullptr,
     nullptr, nullptr, fault_handler, fault_handler, nullptr, fault_handler, tick_handler}};

} // namespace

void reset_handler() {
    core_register(coprocessors) = core_register(coprocessors) | 0xFU << 20; // the FPU, and Helium if there is one
    asm volatile("dsb\nisb");
    std::copy(data_in_flash, data_in_flash + (data_end - data_begin), data_begin);
    std::fill(bss_begin, bss_end, 0U);
    std::uint32_t* here;
    asm volatile("mov %0, sp" : "=r"(here));
    std::fill(stack_limit, here - 16, untouched);
    core_register(systick_reload) = systick_period - 1;
    core_register(systick_value) = 0;
    core_register(systick_control) = 7; // on, with its interrupt, at the core's clock
    while (core_register(systick_value) == 0) {}
    for (auto* f = init_begin; f != init_end; ++f) (*f)();
    _exit(main());
}

void fault_handler() {
    board::print("firmware: a fault\n");
    _exit(139);
}
void tick_handler() { periods = periods + 1; }
void abort() {
    board::print("firmware: aborted\n");
    _exit(134);
}
void _exit(int code) {
    const std::uint32_t argument[] = {application_exit, std::uint32_t(code)};
    semihosting(exit_extended, argument);
    for (;;) {}
}

namespace board {

void print(const char* text) { semihosting(write_text, text); }
void print(std::uint32_t number) {
    char digits[11];
    char* p = digits + sizeof digits - 1;
    *p = '\0';
    do *--p = char('0' + number % 10);
    while (number /= 10);
    print(p);
}

std::uint64_t ticks() {
    for (;;) {
        const std::uint32_t before = periods, left = core_register(systick_value);
        if (before == periods) return std::uint64_t(before) * systick_period + (systick_period - 1 - left);
    }
}

std::size_t deepest_stack() {
    const auto* p = std::find_if(stack_limit, stack_top, [](std::uint32_t word) { return word != untouched; });
    return std::size_t(stack_top - p) * sizeof *p;
}

} // namespace board
