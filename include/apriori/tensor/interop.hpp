// SPDX-License-Identifier: Apache-2.0
// Other people's arrays as views, moving no data: contiguous ranges, std::mdspan and what has its members, DLPack's DLTensor.
// None of their headers is needed here. (Eigen's tensors: device/eigen/bridge.hpp.)
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/result.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstdint>
#include <limits>
#include <ranges>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// A vector, an array or a span as a view of one axis. What it refers to must outlive the view.
template <std::ranges::contiguous_range Range>
requires(std::ranges::sized_range<Range> && std::ranges::borrowed_range<Range>)
auto as_view(Range&& r) {
    using T = std::remove_reference_t<std::ranges::range_reference_t<Range>>;
    return view<T, extents<dyn>>(std::ranges::data(r), extents<dyn>(std::ranges::ssize(r)));
}
/// The same in a shape, row-major. Where there are not as many elements, the first axis has extent -1, and an assignment
/// refuses the view.
template <std::ranges::contiguous_range Range, index_t... S>
requires(std::ranges::sized_range<Range> && std::ranges::borrowed_range<Range> && sizeof...(S) > 0)
auto as_view(Range&& r, extents<S...> shape) {
    return reshape_view(as_view(std::forward<Range>(r)), shape);
}

/// What has the members of std::mdspan, with accessors that are pointers.
template <class M>
concept mdspan_like = requires(const M& m) {
    { m.data_handle() } -> std::same_as<typename M::element_type*>;
    { M::static_extent(0) } -> std::convertible_to<std::size_t>;
    { m.extent(0) } -> std::convertible_to<index_t>;
    { m.stride(0) } -> std::convertible_to<index_t>;
    { M::rank() } -> std::convertible_to<std::size_t>;
};
/// A std::mdspan of any layout with strides as a view; its static extents stay static.
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

/// DLPack's DLTensor as a view of Rank axes of T, a floating-point number or an integer. Fails for another rank or type, and for
/// another device than the CPU. What owns it must outlive the view.
template <class T, int Rank>
auto from_dlpack(const auto& t) {
    constexpr int cpu = 1, code = std::is_floating_point_v<T> ? 2 : std::is_signed_v<T> ? 0 : 1; // of dlpack.h
    constexpr int bits = 8 * int{sizeof(T)};
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
