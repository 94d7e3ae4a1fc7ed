// SPDX-License-Identifier: Apache-2.0
// Products of two tensors by the names of their axes: einsum<"bij,bjk->bik">(a, b). This becomes one matmul of views if
// the axes allow it; axes that are multiplied or summed together are first brought side by side.
#pragma once

#include "apriori/expr/axes.hpp"
#include "apriori/expr/linear.hpp"
#include "apriori/expr/normalize.hpp"

#include <array>
#include <string_view>

namespace apriori {

namespace detail {

/// The letters of axes, in order.
struct axis_names {
    std::array<char, 16> letters{};
    int count = 0;

    constexpr void add(char c) {
        if (count < 16) at(letters, count++) = c;
    }
    constexpr int find(char c) const {
        for (int i = 0; i < count; ++i)
            if (at(letters, i) == c) return i;
        return -1;
    }
    constexpr bool has(char c) const { return find(c) >= 0; }
    constexpr bool unique() const {
        for (int i = 0; i < count; ++i)
            if (find(at(letters, i)) != i) return false;
        return true;
    }
    constexpr axis_names those(auto wanted) const {
        axis_names some;
        for (int i = 0; i < count; ++i)
            if (wanted(at(letters, i))) some.add(at(letters, i));
        return some;
    }
    constexpr bool operator==(const axis_names&) const = default;
    constexpr axis_names without(char left_out) const {
        return those([=](char c) { return c != left_out; });
    }
    constexpr axis_names common(const axis_names& other) const {
        return those([&](char c) { return other.has(c); });
    }
    constexpr axis_names operator+(const axis_names& more) const {
        axis_names all = *this;
        for (int i = 0; i < more.count; ++i) all.add(at(more.letters, i));
        return all;
    }
};

/// "a,b->c" in its three parts, and the axes grouped by what happens to them.
struct einsum_parts {
    axis_names a{}, b{}, out{};
    bool well_formed = true;

    constexpr explicit einsum_parts(std::string_view text) {
        axis_names* part = &a;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == ' ') continue;
            if (c == ',' && part == &a)
                part = &b;
            else if (c == '-' && part == &b && i + 1 < text.size() && text[i + 1] == '>')
                part = &out, ++i;
            else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
                part->add(c);
            else
                well_formed = false;
        }
        well_formed = well_formed && part == &out && a.unique() && b.unique() && out.unique();
        for (int i = 0; i < out.count; ++i)
            well_formed = well_formed && (a.has(at(out.letters, i)) || b.has(at(out.letters, i)));
    }
    constexpr axis_names batch() const { // the same order in both operands and the product
        return out.those([this](char c) { return a.has(c) && b.has(c); });
    }
    constexpr axis_names contracted() const {
        return a.those([this](char c) { return b.has(c) && !out.has(c); });
    }
    constexpr axis_names rows() const { // of the product: those of only a
        return out.those([this](char c) { return a.has(c) && !b.has(c); });
    }
    constexpr axis_names columns() const {
        return out.those([this](char c) { return !a.has(c) && b.has(c); });
    }
};

/// x, whose axes are called From, with the axes To, in that order.
template <axis_names From, axis_names To, class X>
constexpr auto axes_in_order(const X& x) {
    if constexpr (From == To)
        return x;
    else
        return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            return permute<From.find(To.letters[Is])...>(x);
        }(std::make_index_sequence<to_size(To.count)>{});
}

/// x summed over the axes that To lacks.
template <axis_names From, axis_names To, class X>
constexpr auto summed(const X& x) {
    constexpr axis_names extra = From.those([](char c) { return !To.has(c); });
    if constexpr (extra.count == 0)
        return x;
    else {
        constexpr char first = extra.letters[0];
        constexpr int axis = From.find(first);
        constexpr axis_names rest = From.without(first);
        return summed<rest, To>(squeeze<axis>(sum<axis>(x)));
    }
}

/// Whether the axes called Names have equal extents in a, whose axes are called A, and in b, as far as is known at
/// compile time.
template <axis_names Names, axis_names A, axis_names B, class EA, class EB>
inline constexpr bool fixed_extents_fit = [] {
    for (int i = 0; i < Names.count; ++i) {
        const index_t of_a = EA::fixed(A.find(at(Names.letters, i))), of_b = EB::fixed(B.find(at(Names.letters, i)));
        if (of_a != of_b && of_a != dyn && of_b != dyn) return false;
    }
    return true;
}();
/// The same at run time: an error for the first misfit.
template <axis_names Names, axis_names A, axis_names B>
constexpr status extents_fit(const auto& a, const auto& b) {
    status s;
    for (int i = 0; i < Names.count; ++i) {
        const int of_a = A.find(at(Names.letters, i)), of_b = B.find(at(Names.letters, i));
        s = first_error(s, fitting(a[of_a] == b[of_b], at(misfits<"einsum">, of_a).text, a[of_a], b[of_b]));
    }
    return s;
}
/// Returns a view unchanged and reports the result of an earlier check: for axes that have been merged since.
struct checked_op {
    static constexpr const char* name = "einsum";
    status found;
    constexpr auto operator()(const auto& v) const { return v; }
    constexpr status check(const auto&) const { return found; }
};

/// The sizes of a shape with the Count axes from First merged into one.
template <std::size_t First, std::size_t Count, std::size_t Rank>
constexpr auto merged_sizes(const std::array<index_t, Rank>& sizes) {
    std::array<index_t, Rank - Count + 1> merged{};
    for (std::size_t i = 0; i < merged.size(); ++i) at(merged, i) = at(sizes, i <= First ? i : i + Count - 1);
    for (std::size_t i = First + 1; i < First + Count; ++i) {
        index_t& one = at(merged, First);
        one = one == dyn || at(sizes, i) == dyn ? dyn : one * at(sizes, i);
    }
    return merged;
}
/// x with the Count axes from First merged into one; if Count is 0, with a new one of extent 1.
template <int First, int Count, class X>
constexpr auto merged(const X& x) {
    using E = extents_of<X>;
    if constexpr (Count == 0)
        return expand_dims<First>(x);
    else if constexpr (Count == 1)
        return x;
    else {
        constexpr auto fixed = merged_sizes<std::size_t{First}, std::size_t{Count}>(E::static_sizes);
        const auto shape = [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            return extents_of_sizes<extents<fixed[Is]...>>(
                merged_sizes<std::size_t{First}, std::size_t{Count}>(x.ext().sizes));
        }(std::make_index_sequence<fixed.size()>{});
        return reshape(x, shape);
    }
}

/// x with Count new axes of extent 1 from First.
template <int First, int Count, class X>
constexpr auto with_new_axes(const X& x) {
    if constexpr (Count == 0)
        return x;
    else
        return with_new_axes<First, Count - 1>(expand_dims<First>(x));
}

/// The extents of the axes called Names, which are of a (called A) or of b (called B).
template <axis_names Names, axis_names A, axis_names B, class EA, class EB>
constexpr auto extents_called(const EA& a, const EB& b) {
    constexpr auto fixed = [] {
        std::array<index_t, 16> sizes{};
        for (int i = 0; i < Names.count; ++i) {
            const int of_a = A.find(at(Names.letters, i)), of_b = B.find(at(Names.letters, i));
            at(sizes, i) = of_a >= 0 ? EA::fixed(of_a) : EB::fixed(of_b);
        }
        return sizes;
    }();
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        extents<fixed[Is]...> e;
        for (int i = 0; i < Names.count; ++i) {
            const int of_a = A.find(at(Names.letters, i)), of_b = B.find(at(Names.letters, i));
            at(e.sizes, i) = of_a >= 0 ? a[of_a] : b[of_b];
        }
        return e;
    }(std::make_index_sequence<std::size_t{Names.count}>{});
}

/// A product with the axes Product, in the order of Out. Merged: the axes of its rows and columns are still merged; their
/// extents are those of the operands, whose axes are called Left and Right.
template <bool Merged, axis_names Product, axis_names Left, axis_names Right, axis_names Out>
constexpr auto apart(const auto& uv, const auto& left, const auto& right) {
    if constexpr (Merged)
        return axes_in_order<Product, Out>(reshape(uv, extents_called<Product, Left, Right>(left, right)));
    else
        return axes_in_order<Product, Out>(uv);
}

} // namespace detail

/// The product of a and b, whose axes have the letters of Spec, as in numpy.einsum: "bij,bjk->bik". Axes that the
/// result lacks are summed over. A letter may occur only once in an operand.
template <fixed_string Spec, expression A, expression B>
constexpr auto einsum(A&& a, B&& b) {
    using detail::axis_names;
    constexpr detail::einsum_parts parts(Spec.view());
    static_assert(parts.well_formed,
                  "apriori: einsum: the axes are written as \"ij,jk->ik\": a letter for each, once in an "
                  "operand, and those of the result among them");
    constexpr bool ranks = parts.a.count == extents_of<A>::rank && parts.b.count == extents_of<B>::rank;
    static_assert(ranks, "apriori: einsum: an operand has as many axes as letters");
    if constexpr (parts.well_formed && ranks) {
        static_assert(
            require_shapes<
                "einsum", extents_of<A>, extents_of<B>,
                detail::fixed_extents_fit<parts.contracted(), parts.a, parts.b, extents_of<A>, extents_of<B>>>::value);
        const auto p = as_node(std::forward<A>(a));
        const auto q = as_node(std::forward<B>(b));
        constexpr axis_names batch = parts.batch(), rows = parts.rows(), columns = parts.columns(),
                             contracted = parts.contracted();
        constexpr axis_names left = batch + rows + contracted, right = batch + contracted + columns,
                             product = batch + rows + columns;
        constexpr int n = batch.count;
        const auto x = detail::axes_in_order<parts.a.common(left), left>(detail::summed<parts.a, left>(p));
        const auto y = detail::axes_in_order<parts.b.common(right), right>(detail::summed<parts.b, right>(q));
        if constexpr (contracted.count == 0)
            return detail::axes_in_order<product, parts.out>(detail::with_new_axes<n + rows.count, columns.count>(x) *
                                                             detail::with_new_axes<n, rows.count>(y));
        else {
            const auto u = detail::merged<n, rows.count>(detail::merged<n + rows.count, contracted.count>(x));
            const auto v = detail::merged<n, contracted.count>(detail::merged<n + contracted.count, columns.count>(y));
            constexpr bool merged = rows.count != 1 || columns.count != 1;
            if constexpr (contracted.count == 1)
                return detail::apart<merged, product, left, right, parts.out>(matmul(u, v), x.ext(), y.ext());
            else { // matmul sees only the product of the merged axes
                using checked = view_op_node<detail::checked_op, std::remove_const_t<decltype(u)>>;
                const checked w{{detail::extents_fit<contracted, parts.a, parts.b>(p.ext(), q.ext())}, u};
                return detail::apart<merged, product, left, right, parts.out>(matmul(w, v), x.ext(), y.ext());
            }
        }
    }
}

} // namespace apriori
