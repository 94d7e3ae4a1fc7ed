// SPDX-License-Identifier: Apache-2.0
// Element-wise programs that read one operand many times, such as polynomials: it is loaded once. Whether the operands
// are one is decided at run time, by their pointers.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/expr/program.hpp"

APRIORI_BEGIN_EXACT_MATH
namespace apriori::cpu_device {

/// A program whose accumulator is the element of a leaf.
template <class Leaf, class Program>
struct fed {
    using value = el::value_of<Program>;
    static constexpr bool wide = el::is_wide<Program>;

    template <class From, class To>
    struct cursor {
        From leaf;
        To program;
        template <class V>
        APRIORI_INLINE auto at(index_t c, V a) const noexcept {
            return program.at(c, leaf.at(c, a));
        }
    };
    Leaf leaf;
    Program program;
    auto row(index_t r) const noexcept {
        return cursor<decltype(leaf.row(r)), decltype(program.row(r))>{leaf.row(r), program.row(r)};
    }
};

/// The operands that a program reads besides numbers: how many, and their type if all have the same.
/// `type` is void if there are none.
template <class P>
struct only_operand {
    using type = P;
    static constexpr int count = 1;
    static constexpr bool one_type = true;
};
template <class T>
struct only_operand<el::scalar_of<T>> {
    using type = void;
    static constexpr int count = 0;
    static constexpr bool one_type = true;
};
template <class...>
struct first_type {
    using type = void;
};
template <class First, class... Rest>
struct first_type<First, Rest...> : std::type_identity<First> {};
template <class... Rest>
struct first_type<void, Rest...> : first_type<Rest...> {};
template <class F, class... P>
struct only_operand<el::apply<F, P...>> {
    using type = typename first_type<typename only_operand<P>::type...>::type;
    static constexpr int count = (0 + ... + only_operand<P>::count);
    template <class T>
    static constexpr bool fits = std::is_void_v<T> || std::is_same_v<T, type>;
    static constexpr bool one_type = ((only_operand<P>::one_type && fits<typename only_operand<P>::type>) && ...);
};

/// A program with its operands replaced by accumulators, and whether all of them are a given one.
template <class Leaf, class P>
struct operands_of {
    static bool are(const P&, const Leaf&) noexcept { return true; }
    static const Leaf* first(const P&) noexcept { return nullptr; }
    static P without(const P& p) noexcept { return p; }
};
template <class T>
struct operands_of<el::vector_of<T>, el::vector_of<T>> {
    using leaf = el::vector_of<T>;
    static bool are(const leaf& p, const leaf& other) noexcept { return p.p == other.p; }
    static const leaf* first(const leaf& p) noexcept { return &p; }
    static el::acc_of<computed_t<T>> without(const leaf&) noexcept { return {}; }
};
template <class T>
struct operands_of<el::matrix_of<T>, el::matrix_of<T>> {
    using leaf = el::matrix_of<T>;
    static bool are(const leaf& p, const leaf& other) noexcept {
        return p.p == other.p && p.map.uniform() && other.map.uniform() && p.map.inner == other.map.inner;
    }
    static const leaf* first(const leaf& p) noexcept { return &p; }
    static el::acc_of<computed_t<T>> without(const leaf&) noexcept { return {}; }
};
template <class Leaf, class F, class... P>
struct operands_of<Leaf, el::apply<F, P...>> {
    static bool are(const el::apply<F, P...>& p, const Leaf& leaf) noexcept {
        return el::unpack([&](const P&... part) { return (operands_of<Leaf, P>::are(part, leaf) && ...); }, p.programs);
    }
    static const Leaf* first(const el::apply<F, P...>& p) noexcept {
        const Leaf* found = nullptr;
        el::unpack(
            [&](const P&... part) { (void)((found = operands_of<Leaf, P>::first(part), found != nullptr) || ...); },
            p.programs);
        return found;
    }
    static auto without(const el::apply<F, P...>& p) noexcept {
        return el::with_leaves(p, []<class L>(const L& leaf) { return operands_of<Leaf, L>::without(leaf); });
    }
};

/// How many reads of an operand make a second kernel worth its code.
inline constexpr int reads_worth_a_kernel = 8;

/// Leaves whose pointers tell whether they are the same.
template <class P>
inline constexpr bool has_pointer = false;
template <class T>
inline constexpr bool has_pointer<el::vector_of<T>> = true;
template <class T>
inline constexpr bool has_pointer<el::matrix_of<T>> = true;

/// True where all operands of a program may be the same.
template <class P>
inline constexpr bool repeats_operand = only_operand<P>::count >= reads_worth_a_kernel && only_operand<P>::one_type &&
                                        has_pointer<typename only_operand<P>::type>;

} // namespace apriori::cpu_device
APRIORI_END_EXACT_MATH
