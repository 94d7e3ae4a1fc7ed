// SPDX-License-Identifier: Apache-2.0
// Macros that other headers define, and that must not break the headers of this library. The headers of the standard
// library, xsimd and Eigen come first, since some of these macros break them.
#include <complex.h> // in gnu++ also I and complex; through FFTW, LAPACKE, SuiteSparse
#include <sys/param.h>
#include <sys/sysmacros.h>

// Qt
#define slots
#define signals public
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
// Windows
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#define small char
#define hyper long long
#define interface struct
#define pascal
#define cdecl
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define BOOL int
#define TRUE 1
#define FALSE 0
#define DELETE (0x00010000L)
#define ERROR 0
#define NO_ERROR 0L
#define STRICT 1
#define IGNORE 0
#define INFINITE 0xFFFFFFFF
#define DIFFERENCE 11
#define RELATIVE 1
#define ABSOLUTE 1
#define OPAQUE 2
#define TRANSPARENT 1
// X11
#define None 0L
#define Status int
#define Bool int
#define Success 0
#define True 1
#define False 0
#define Always 2
#define Complex 0
#define Unsorted 0
#define Above 0
#define Below 1
#define CurrentTime 0L
#define KeyPress 2
#define DestroyAll 0
#define GrayScale 1
// curses, except for those that it undefines in C++
#define OK (0)
#define ERR (-1)
#define timeout(delay) wtimeout(stdscr, delay)
#define border(ls, rs, ts, bs, tl, tr, bl, br) wborder(stdscr, ls, rs, ts, bs, tl, tr, bl, br)
#define scroll(window) wscrl(window, 1)
#define instr(text) winstr(stdscr, text)
#define filter(a, b, c) nofilter(a, b, c)
#define KEY_MIN 0401
// macros of the user's project
#ifndef I
#define I _Complex_I
#endif
#define PI 3.14159f
#define DEBUG 1
#define EPS 1e-5f
#define LOG(level) log_at(level)
#define CHECK(condition) check_that(condition)
#define UNUSED(x) (void)(x)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SWAP(a, b) swap_them(a, b)
#define ROUND(x) (int)((x) + 0.5f)
