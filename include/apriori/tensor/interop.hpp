// SPDX-License-Identifier: Apache-2.0
// Other libraries' arrays as views, and views as theirs, without moving data: pointers, contiguous ranges, std::mdspan
// and types with its members, DLPack's DLTensor. None of their headers is needed here. (Eigen's matrices:
// tensor/eigen.hpp; its tensors: device/eigen/bridge.hpp.)
#pragma once

#include "apriori/core/element.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstdint>
#include <limits>
#include <ranges>
#include <type_traits>
#include <version>
#if defined(__cpp_lib_mdspan)
#include <mdspan>
#endif

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A vector, an array or a span as a view of one axis. The memory that it refers to must outlive the view.
template <std::ranges::contiguous_range Range>
requires(std::ranges::sized_range<Range> && std::ranges::borrowed_range<Range>)
auto as_view(Range&& r) {
    using T = std::remove_reference_t<std::ranges::range_reference_t<Range>>;
    return view<T, extents<dyn>>(std::ranges::data(r), extents<dyn>(std::ranges::ssize(r)));
}
/// The same in a shape, row-major. If the number of elements differs, the first axis has extent -1, and an assignment
/// rejects the view.
template <std::ranges::contiguous_range Range, index_t... S>
requires(std::ranges::sized_range<Range> && std::ranges::borrowed_range<Range> && sizeof...(S) > 0)
auto as_view(Range&& r, extents<S...> shape) {
    return reshape_view(as_view(std::forward<Range>(r)), shape);
}

/// A pointer, but not an array, which knows its size.
template <class P>
concept raw_pointer = std::is_pointer_v<std::remove_cvref_t<P>>;
/// Memory as a row-major view of a shape.
template <raw_pointer P, index_t... S>
constexpr auto as_view(P&& p, extents<S...> shape) {
    return view<std::remove_pointer_t<std::remove_cvref_t<P>>, extents<S...>>(p, shape);
}
/// Memory with a stride for each axis, in elements; a stride may be 0. With `layout::rows` kernels read contiguous
/// columns: if the last stride is not 1, the first axis has extent -1, and an assignment rejects the view.
template <layout L = layout::strided, raw_pointer P, index_t... S>
requires(L != layout::dense && sizeof...(S) > 0)
constexpr auto as_view(P&& p, extents<S...> shape, std::array<index_t, sizeof...(S)> strides) {
    if (L == layout::rows && strides.back() != 1) shape.sizes[0] = -1;
    return view<std::remove_pointer_t<std::remove_cvref_t<P>>, extents<S...>, L>(p, shape, strides);
}

/// A type with the members of std::mdspan, whose data handle is a pointer.
template <class M>
concept mdspan_like = requires(const M& m) {
    requires std::is_same_v<std::remove_cvref_t<decltype(m.data_handle())>, typename M::element_type*>;
    { M::static_extent(0) } -> std::convertible_to<std::size_t>;
    { m.extent(0) } -> std::convertible_to<index_t>;
    { m.stride(0) } -> std::convertible_to<index_t>;
    { M::rank() } -> std::convertible_to<std::size_t>;
};
/// A std::mdspan of any layout with strides as a view; static extents stay static.
template <mdspan_like M>
constexpr auto as_view(const M& m) {
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        constexpr auto fixed = [](std::size_t i) {
            return M::static_extent(i) == (std::numeric_limits<std::size_t>::max)() ? dyn
                                                                                    : index_t(M::static_extent(i));
        };
        using E = extents<fixed(Is)...>;
        return view<typename M::element_type, E, layout::strided>(
            m.data_handle(), extents_of_sizes<E>({index_t(m.extent(Is))...}), {index_t(m.stride(Is))...});
    }(std::make_index_sequence<M::rank()>{});
}

namespace detail {

/// True for a row-major layout of mdspans.
template <class Layout, template <class, std::size_t...> class Extents>
inline constexpr bool is_row_major = typename Layout::template mapping<Extents<index_t, 2, 3>>{}.stride(0) == 3;

template <template <class...> class Mdspan, template <class, std::size_t...> class Extents, class Layout, class T,
          index_t... S, layout L>
constexpr auto to_mdspan(const view<T, extents<S...>, L>& v) {
    using shape = Extents<index_t, (S == dyn ? (std::numeric_limits<std::size_t>::max)() : std::size_t(S))...>;
    using mapping = typename Layout::template mapping<shape>;
    using result = Mdspan<T, shape, Layout>;
    const shape sizes(v.ext().sizes);
    if constexpr (std::is_constructible_v<mapping, shape, decltype(v.strides)>)
        return result(v.data, mapping(sizes, v.strides));
    else {
        static_assert(
            L == layout::dense && is_row_major<Layout, Extents>,
            "apriori: to_mdspan: of other views than dense ones the layout is layout_stride, of those it may be "
            "layout_right");
        return result(v.data, mapping(sizes));
    }
}

} // namespace detail

/// A view as an mdspan of any implementation; static extents stay static:
/// `to_mdspan<Kokkos::mdspan, Kokkos::extents, Kokkos::layout_stride>(v)`. For a dense view, layout_right works as
/// well.
template <template <class...> class Mdspan, template <class, std::size_t...> class Extents, class Layout, class T,
          class E, layout L>
constexpr auto to_mdspan(const view<T, E, L>& v) {
    return detail::to_mdspan<Mdspan, Extents, Layout>(v);
}
#if defined(__cpp_lib_mdspan)
/// As a std::mdspan: layout_right for a dense view, otherwise layout_stride.
template <class T, class E, layout L>
constexpr auto to_mdspan(const view<T, E, L>& v) {
    return detail::to_mdspan<std::mdspan, std::extents,
                             std::conditional_t<L == layout::dense, std::layout_right, std::layout_stride>>(v);
}
#endif

namespace detail {

/// The type code in dlpack.h.
template <class T>
inline constexpr int dlpack_code = std::is_same_v<T, bool>                                           ? 6
                                   : std::is_same_v<T, bfloat16>                                     ? 4
                                   : std::is_floating_point_v<T> || kind_of<T> == element_kind::real ? 2
                                   : std::is_signed_v<T>                                             ? 0
                                                                                                     : 1;
template <class T>
inline constexpr int dlpack_code<const T> = dlpack_code<T>;
/// Whether DLPack has elements of T.
template <class T>
inline constexpr bool in_dlpack = std::is_arithmetic_v<T> || kind_of<T> == element_kind::real;
inline constexpr int dlpack_cpu = 1; ///< its device type

} // namespace detail

/// The arrays that a DLTensor points to; the caller owns them.
template <int Rank>
struct dlpack_axes {
    std::array<std::int64_t, std::size_t{Rank}> shape{}, strides{};
};
/// A view as DLPack's DLTensor on the CPU, valid as long as the view's memory and `axes`. The elements must be
/// numbers or bool, and not const, which DLPack cannot express.
template <class DLTensor, class T, class E, layout L>
DLTensor to_dlpack(const view<T, E, L>& v, dlpack_axes<E::rank>& axes) {
    static_assert(!std::is_const_v<T>, "apriori: to_dlpack: DLPack has no tensors of const elements");
    static_assert(detail::in_dlpack<T>, "apriori: to_dlpack: the elements are numbers or bool");
    for (int i = 0; i < E::rank; ++i) {
        at(axes.shape, i) = v.ext()[i];
        at(axes.strides, i) = v.stride(i);
    }
    DLTensor t{};
    t.data = v.data;
    t.device.device_type = static_cast<decltype(t.device.device_type)>(detail::dlpack_cpu); // its own enumeration
    t.ndim = E::rank;
    t.dtype.code = detail::dlpack_code<T>;
    t.dtype.bits = 8 * sizeof(T);
    t.dtype.lanes = 1;
    t.shape = axes.shape.data();
    t.strides = axes.strides.data();
    return t;
}

/// DLPack's DLTensor as a view of Rank axes of T, which may be any element type. shape_mismatch for another rank,
/// unsupported for another type or a device other than the CPU. The owner of the tensor must outlive the view.
template <class T, int Rank>
auto from_dlpack(const auto& t) {
    constexpr int cpu = detail::dlpack_cpu, code = detail::dlpack_code<T>, bits = 8 * int{sizeof(T)};
    return [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        using V = view<T, extents<(void(Is), dyn)...>, layout::strided>;
        using outcome = result<V>;
        if (int(t.device.device_type) != cpu)
            return outcome(failure(errc::unsupported, "dlpack: the tensor is on device type ",
                                   int(t.device.device_type), "; allowed: ", cpu, ", the CPU"));
        if (int(t.ndim) != Rank)
            return outcome(failure(errc::shape_mismatch, "dlpack: the tensor has ", int(t.ndim), " axes, not ", Rank));
        if (int(t.dtype.code) != code || int(t.dtype.bits) != bits || int(t.dtype.lanes) != 1)
            return outcome(failure(errc::unsupported, "dlpack: the elements have type code ", int(t.dtype.code),
                                   " and ", int(t.dtype.bits), " bits; allowed: ", code, " and ", bits));
        V v;
        v.data = reinterpret_cast<T*>(static_cast<std::byte*>(t.data) + t.byte_offset);
        index_t step = 1;
        for (std::size_t i = std::size_t{Rank}; i-- > 0;) {
            at(v.shape.sizes, i) = index_t(t.shape[i]);
            at(v.strides, i) = t.strides != nullptr ? index_t(t.strides[i]) : step; // none: row-major
            step *= index_t(t.shape[i]);
        }
        return outcome(v);
    }(std::make_index_sequence<std::size_t{Rank}>{});
}

} // namespace apriori
APRIORI_END_EXACT_MATH
