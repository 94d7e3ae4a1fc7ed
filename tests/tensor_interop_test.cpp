// SPDX-License-Identifier: Apache-2.0
// Views of other libraries' memory and back: pointers with strides, mdspans, DLPack, Eigen's matrices. Each sees the
// same elements.
#include "apriori/expr.hpp"
#include "apriori/tensor/eigen.hpp"
#include "apriori/tensor/interop.hpp"
#include "apriori/tensor/make.hpp"
#include "device_oracle.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>
#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif

using namespace apriori;

namespace {

/// x has those elements, in row-major order.
void expect_elements(const auto& x, const std::vector<float>& right) {
    EXPECT_EQ(std::vector<float>(x.begin(), x.end()), right);
}

TEST(InteropPointers, AreViewsWithAndWithoutStrides) {
    float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    float* const p = values;
    const auto dense = as_view(p, extents<2, dyn>(3));
    static_assert(std::is_same_v<decltype(dense), const view<float, extents<2, dyn>>>);
    expect_elements(dense, {1, 2, 3, 4, 5, 6});
    const auto columns = as_view(p, extents<2, 3>{}, {1, 2});
    expect_elements(columns, {1, 3, 5, 2, 4, 6});
    const auto rows = as_view<layout::rows>(p, extents<2, 3>{}, {4, 1});
    static_assert(decltype(rows)::memory_layout == layout::rows);
    expect_elements(rows, {1, 2, 3, 5, 6, 7});
    EXPECT_EQ((as_view<layout::rows>(p, extents<2, 3>{}, {1, 2})).ext()[0], -1);
    expect_elements(as_view(static_cast<const float*>(p), extents<3>{}, {0}), {1, 1, 1});
    EXPECT_EQ(as_view(values, extents<3, 3>{}).ext()[0], -1); // the size of an array is known
}

TEST(InteropPointers, AreOperandsAndDestinations) {
    float values[] = {1, 2, 3, 4, 5, 6}, doubled[12] = {};
    const auto x = as_view(&values[0], extents<2, 3>{}, {1, 2});
    const auto y = as_view(&doubled[0], extents<2, 3>{}, {6, 2});
    oracle::device<> device;
    const host_buffer memory(1024);
    ASSERT_TRUE(assign(device, memory.span(), y, x * 2.0f).ok());
    EXPECT_EQ(std::vector<float>(doubled, doubled + 12), (std::vector<float>{2, 0, 6, 0, 10, 0, 4, 0, 8, 0, 12, 0}));
}

// The parts of std::mdspan that to_mdspan and as_view need; Kokkos's reference implementation has the same members.
namespace lookalike {

template <class Index, std::size_t... E>
struct extents {
    std::array<Index, sizeof...(E)> sizes{Index(E)...};
    constexpr extents() = default;
    constexpr explicit extents(const std::array<index_t, sizeof...(E)>& all) : sizes(all) {}
    constexpr Index extent(std::size_t i) const { return sizes[i]; }
    static constexpr std::size_t static_extent(std::size_t i) { return std::array{E...}[i]; }
    static constexpr std::size_t rank() { return sizeof...(E); }
};
struct layout_stride {
    template <class E>
    struct mapping {
        E shape;
        std::array<index_t, E::rank()> strides{};
        constexpr mapping(const E& e, const std::array<index_t, E::rank()>& s) : shape(e), strides(s) {}
        constexpr index_t stride(std::size_t i) const { return strides[i]; }
    };
};
struct layout_right {
    template <class E>
    struct mapping {
        E shape{};
        constexpr mapping() = default;
        constexpr explicit mapping(const E& e) : shape(e) {}
        constexpr index_t stride(std::size_t i) const {
            index_t step = 1;
            for (std::size_t axis = i + 1; axis < E::rank(); ++axis) step *= shape.extent(axis);
            return step;
        }
    };
};
template <class T, class E, class Layout = layout_right>
struct mdspan {
    using element_type = T;
    T* p;
    typename Layout::template mapping<E> map;
    constexpr mdspan(T* data, const typename Layout::template mapping<E>& m) : p(data), map(m) {}
    constexpr T* const& data_handle() const { return p; } // a reference, as that of std::mdspan
    static constexpr std::size_t rank() { return E::rank(); }
    static constexpr std::size_t static_extent(std::size_t i) { return E::static_extent(i); }
    constexpr index_t extent(std::size_t i) const { return map.shape.extent(i); }
    constexpr index_t stride(std::size_t i) const { return map.stride(i); }
};

} // namespace lookalike

TEST(InteropMdspan, ViewsGoThereAndBack) {
    const auto numbers = arange(12.0f);
    const auto x = reshape(numbers, extents<dyn, 4>(3));
    const auto dense = to_mdspan<lookalike::mdspan, lookalike::extents, lookalike::layout_right>(x);
    static_assert(dense.static_extent(0) == std::size_t(-1) && dense.static_extent(1) == 4);
    EXPECT_EQ(dense.stride(0), 4);
    EXPECT_TRUE(as_view(dense) == x);
    const auto columns = slice<1, 2>(transpose<0, 1>(x), 1); // [4, 2]
    const auto m = to_mdspan<lookalike::mdspan, lookalike::extents, lookalike::layout_stride>(columns);
    EXPECT_EQ(m.data_handle(), columns.data);
    EXPECT_TRUE(as_view(m) == columns);
}
#if defined(__cpp_lib_mdspan)
TEST(InteropMdspan, IsThatOfTheStandardLibrary) {
    const auto numbers = arange(12.0f);
    const auto x = reshape(numbers, extents<3, dyn>(4));
    const auto dense = to_mdspan(x);
    static_assert(std::is_same_v<decltype(dense)::layout_type, std::layout_right>);
    static_assert(dense.static_extent(0) == 3 && dense.static_extent(1) == std::dynamic_extent);
    EXPECT_EQ((dense[std::array<index_t, 2>{2, 3}]), 11);
    EXPECT_TRUE(as_view(dense) == x);
    const auto columns = to_mdspan(transpose<0, 1>(x));
    EXPECT_EQ((columns[std::array<index_t, 2>{3, 2}]), 11);
    EXPECT_TRUE(as_view(columns) == transpose<0, 1>(x));
    tensor<float, extents<>> scalar;
    EXPECT_EQ(to_mdspan(scalar.view()).data_handle(), scalar.data());
}
#endif

#if __has_include(<dlpack/dlpack.h>)
using dl_tensor = DLTensor;
#else
/// The structs of dlpack.h.
enum class dl_device_type : std::int32_t { cpu = 1 };
struct dl_tensor {
    void* data;
    struct {
        dl_device_type device_type;
        std::int32_t device_id;
    } device;
    std::int32_t ndim;
    struct {
        std::uint8_t code, bits;
        std::uint16_t lanes;
    } dtype;
    std::int64_t* shape;
    std::int64_t* strides;
    std::uint64_t byte_offset;
};
#endif
TEST(InteropDlpack, ViewsGoThereAndBack) {
    auto numbers = arange(12.0f);
    const auto x = transpose<0, 1>(reshape(numbers, extents<3, dyn>(4)));
    dlpack_axes<2> axes;
    const auto t = to_dlpack<dl_tensor>(x, axes);
    EXPECT_EQ(t.data, static_cast<void*>(numbers.data()));
    EXPECT_EQ(t.shape, axes.shape.data());
    EXPECT_EQ(axes.shape, (std::array<std::int64_t, 2>{4, 3}));
    EXPECT_EQ(axes.strides, (std::array<std::int64_t, 2>{1, 4}));
    const auto back = from_dlpack<float, 2>(t);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(*back == x);
    EXPECT_TRUE((from_dlpack<const float, 2>(t)).ok());

    tensor<std::int64_t, extents<2>> integers({-1, 1});
    dlpack_axes<1> one;
    const auto i = to_dlpack<dl_tensor>(integers.view(), one);
    EXPECT_TRUE(int(i.dtype.code) == 0 && int(i.dtype.bits) == 64);
    EXPECT_TRUE((from_dlpack<std::int64_t, 1>(i)).ok());
    EXPECT_FALSE((from_dlpack<std::uint64_t, 1>(i)).ok());

    tensor<float16, extents<2>> halves;
    const auto h = to_dlpack<dl_tensor>(halves.view(), one);
    EXPECT_TRUE(int(h.dtype.code) == 2 && int(h.dtype.bits) == 16);
    EXPECT_TRUE((from_dlpack<float16, 1>(h)).ok());
    EXPECT_FALSE((from_dlpack<bfloat16, 1>(h)).ok());
    EXPECT_FALSE((from_dlpack<std::uint16_t, 1>(h)).ok());
    tensor<bool, extents<2>> mask;
    const auto m = to_dlpack<dl_tensor>(mask.view(), one);
    EXPECT_EQ(int(m.dtype.code), 6);
    EXPECT_TRUE((from_dlpack<bool, 1>(m)).ok());
    EXPECT_FALSE((from_dlpack<std::uint8_t, 1>(m)).ok());
}

// ---- Eigen ---------------------------------------------------------------------------------------------------------

using Eigen::Dynamic;
using rows_fixed = Eigen::Matrix<float, 2, 3, Eigen::RowMajor>;
using rows_dynamic = Eigen::Matrix<float, Dynamic, Dynamic, Eigen::RowMajor>;

/// The view has the expected type, and the elements of the matrix.
template <class View>
void expect_view(auto&& m, auto&& element) {
    const auto v = from_eigen(m);
    static_assert(std::is_same_v<decltype(v), const View>);
    for (index_t i = 0; i < v.size(); ++i) {
        const index_t columns = v.ext().cols();
        if constexpr (View::rank == 1)
            EXPECT_EQ(&v(i), &element(i, 0));
        else
            EXPECT_EQ(&v(i / columns, i % columns), &element(i / columns, i % columns));
    }
}

TEST(InteropEigen, MatricesAndArraysAreViews) {
    rows_fixed a = rows_fixed::Random();
    expect_view<view<float, extents<2, 3>>>(a, [&](index_t i, index_t j) -> float& { return a(i, j); });
    rows_dynamic b = rows_dynamic::Random(4, 5);
    expect_view<view<float, extents<dyn, dyn>>>(b, [&](index_t i, index_t j) -> float& { return b(i, j); });
    Eigen::MatrixXd c = Eigen::MatrixXd::Random(3, 2);
    expect_view<view<double, extents<dyn, dyn>, layout::strided>>(
        c, [&](index_t i, index_t j) -> double& { return c(i, j); });
    const Eigen::Array<float, 2, Dynamic> d = Eigen::Array<float, 2, Dynamic>::Random(2, 3);
    expect_view<view<const float, extents<2, dyn>, layout::strided>>(
        d, [&](index_t i, index_t j) -> const float& { return d(i, j); });
    Eigen::Vector3f v = Eigen::Vector3f::Random();
    expect_view<view<float, extents<3>>>(v, [&](index_t i, index_t) -> float& { return v(i); });
    Eigen::RowVectorXf r = Eigen::RowVectorXf::Random(7);
    expect_view<view<float, extents<dyn>>>(r, [&](index_t i, index_t) -> float& { return r(i); });
}

TEST(InteropEigen, MapsAndBlocksAreViews) {
    float values[24];
    std::iota(values, values + 24, 0.0f);
    const Eigen::Map<const rows_fixed> a(values);
    expect_view<view<const float, extents<2, 3>>>(
        a, [&](index_t i, index_t j) -> const float& { return values[3 * i + j]; });
    Eigen::Map<rows_dynamic, 0, Eigen::OuterStride<>> b(values, 2, 3, Eigen::OuterStride<>(8));
    expect_view<view<float, extents<dyn, dyn>, layout::rows>>(
        b, [&](index_t i, index_t j) -> float& { return values[8 * i + j]; });
    using both = Eigen::Stride<Dynamic, Dynamic>;
    Eigen::Map<rows_dynamic, 0, both> c(values, 2, 3, both(8, 2));
    expect_view<view<float, extents<dyn, dyn>, layout::strided>>(
        c, [&](index_t i, index_t j) -> float& { return values[8 * i + 2 * j]; });
    Eigen::Map<Eigen::Matrix<float, 3, Dynamic>, 0, both> d(values, 3, 2, both(8, 2));
    expect_view<view<float, extents<3, dyn>, layout::strided>>(
        d, [&](index_t i, index_t j) -> float& { return values[2 * i + 8 * j]; });
    Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<2>> e(values, 5);
    expect_view<view<float, extents<dyn>, layout::strided>>(
        e, [&](index_t i, index_t) -> float& { return values[2 * i]; });

    rows_dynamic m = rows_dynamic::Random(4, 6);
    expect_view<view<float, extents<2, 3>, layout::rows>>(
        m.block<2, 3>(1, 2), [&](index_t i, index_t j) -> float& { return m(1 + i, 2 + j); });
    expect_view<view<float, extents<dyn>, layout::strided>>(m.col(2),
                                                            [&](index_t i, index_t) -> float& { return m(i, 2); });
    expect_view<view<float, extents<dyn, dyn>, layout::strided>>(
        m.transpose(), [&](index_t i, index_t j) -> float& { return m(j, i); });
}

TEST(InteropEigen, ViewsAreMaps) {
    auto numbers = arange(12.0f);
    const auto x = reshape(numbers, extents<3, dyn>(4));
    const auto dense = to_eigen_matrix(x);
    static_assert(decltype(dense)::RowsAtCompileTime == 3 && decltype(dense)::ColsAtCompileTime == Dynamic);
    EXPECT_EQ(dense(2, 1), 9);
    EXPECT_EQ(dense.data(), numbers.data());
    to_eigen_matrix(x).array() += 1; // writes into the tensor
    EXPECT_EQ(numbers(0), 1);

    const auto part = slice<1, 2>(x, 1);
    const auto rows = to_eigen_matrix(part);
    EXPECT_TRUE(rows.outerStride() == 4 && rows(2, 1) == part(2, 1));
    const auto turned = transpose<0, 1>(x);
    const auto columns = to_eigen_matrix(turned);
    EXPECT_TRUE(columns.rows() == 4 && columns(3, 2) == turned(3, 2) && columns(1, 0) == turned(1, 0));
    const auto one_column = slice<1, 1>(x, 2); // [3, 1]
    const auto column = to_eigen_matrix(one_column);
    EXPECT_TRUE(column.rows() == 3 && column(2) == x(2, 2) && column(1, 0) == x(1, 2));
    const tensor<float, extents<3, 1>> dense_column({1, 2, 3});
    EXPECT_EQ(to_eigen_matrix(dense_column).sum(), 6);
    EXPECT_EQ(to_eigen_matrix(numbers).size(), 12);
    EXPECT_EQ((to_eigen_matrix(turned[1]) - to_eigen_matrix(one_column)).norm(), std::sqrt(3.0f));

    EXPECT_TRUE(from_eigen(to_eigen_matrix(x)) == x);
    EXPECT_TRUE(from_eigen(to_eigen_matrix(part)) == part);
    EXPECT_TRUE(from_eigen(to_eigen_matrix(turned)) == turned);
    EXPECT_TRUE(from_eigen(to_eigen_matrix(turned[1])) == turned[1]);
}

TEST(InteropEigen, MatricesAreOperandsAndDestinations) {
    const Eigen::MatrixXf a = Eigen::MatrixXf::Random(4, 5), b = Eigen::MatrixXf::Random(5, 3);
    Eigen::MatrixXf c = Eigen::MatrixXf::Zero(4, 3);
    oracle::device<> device;
    const host_buffer memory(4096);
    const status s = assign(device, memory.span(), from_eigen(c), matmul(from_eigen(a), from_eigen(b)));
    ASSERT_TRUE(s.ok()) << s.what;
    EXPECT_LT((c - a * b).norm(), 1e-5f);
}

} // namespace
