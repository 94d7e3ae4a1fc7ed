// SPDX-License-Identifier: Apache-2.0
// The Eigen device on several threads, its memory and its bridges. Also checks that the comparison with the oracle
// finds faults.
#include "apriori/device/eigen/device.hpp"

#include "device_conformance_harness.hpp"

namespace conformance {

using namespace apriori;

// ---- the tests' own comparisons ----

struct judged : testing::Test {
    eigen device;
    float expected[6]{};
    const shape padded{extents<2, 3>{}, 1};
    stage<eigen> got{device, padded, 128, nullptr};

    void SetUp() override {
        for (float& x : expected) oracle::write(&x, oracle::rounded(1.0, 0.0));
        for (float* row : {got.out(), got.out() + 4}) std::fill_n(row, 3, 1.0f);
    }
};
TEST_F(judged, a_right_result_passes) {
    got.out()[5] = 1.0f + FLT_EPSILON;
    EXPECT_EQ(got.judge({}, expected), "");
}
TEST_F(judged, a_wrong_element_is_found_and_named) {
    got.out()[1] = 1.0f + 2 * FLT_EPSILON;
    got.out()[5] = 1.0f - 8 * FLT_EPSILON;
    EXPECT_EQ(got.judge({}, expected).substr(0, 17), "worst at [1, 1]: ");
}
TEST_F(judged, what_is_no_number_is_wrong) {
    got.out()[4] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(got.judge({}, expected).substr(0, 22), "worst at [1, 0]: nan, ");
}
TEST_F(judged, a_number_is_wrong_where_none_is_expected) {
    oracle::write(expected + 2, {std::numeric_limits<double>::quiet_NaN(), 0});
    EXPECT_EQ(got.judge({}, expected).substr(0, 17), "worst at [0, 2]: ");
}
TEST_F(judged, an_element_that_is_not_written_is_wrong) {
    got.out()[6] = stage<eigen>::untouched;
    EXPECT_EQ(got.judge({}, expected).substr(0, 17), "worst at [1, 2]: ");
}
TEST_F(judged, writing_between_rows_is_found) {
    got.out()[3] = 0.0f;
    EXPECT_EQ(got.judge({}, expected), "written outside of the result, at 3");
}
TEST_F(judged, writing_behind_the_workspace_is_found) {
    got.workspace().data()[128] = std::byte{0};
    EXPECT_EQ(got.judge({}, expected), "written behind the workspace");
}
TEST_F(judged, a_changed_operand_is_found) {
    inputs<eigen> in(device, 1);
    const auto x = in.tensor(extents<3>{});
    EXPECT_EQ(in.changed(), "");
    const_cast<float*>(x.data)[1] += 1.0f;
    EXPECT_EQ(in.changed(), "an operand was written");
}
TEST_F(judged, other_launches_than_planned_are_found) {
    const view<const float, extents<3>> x;
    const auto two = plan<eigen>(softmax(x) + softmax(x * 2.0f));
    EXPECT_EQ(compare({two[0], two[1]}, two), "");
    EXPECT_EQ(compare({two[0]}, two), "1 launches were made");
    EXPECT_EQ(compare({two[0], two[0]}, two), "another launch 2");
}

// ---- threads ----

/// A block and the operations next to it, large enough to be split among threads.
void large_expressions_conform(eigen& device) {
    conforms(device, [](auto& in) {
        const auto x = in.tensor(extents<300, 64>{});
        const auto g = in.tensor(extents<64>{});
        const auto w = in.weight(extents<256, 64>{});
        return gelu(linear(layer_norm(x, g, g), w, in.tensor(extents<256>{})));
    });
    conforms(device, [](auto& in) {
        const auto rows = in.sequences(2, 150, 70, true);
        return self_attention<2>(in.tensor(extents<300, 48>{}), rows, 0.35f);
    });
    conforms(device, [](auto& in) { return softmax(in.tensor(extents<500, 200>{})); });
}
TEST(device_eigen_threads, of_its_own) {
    eigen device(3);
    EXPECT_EQ(device.threads(), 3);
    large_expressions_conform(device);
}
TEST(device_eigen_threads, of_a_pool) {
    Eigen::ThreadPool pool(2);
    eigen device(pool);
    EXPECT_EQ(device.threads(), 2);
    large_expressions_conform(device);
}
TEST(device_eigen_threads, none) {
    eigen device(0), moved = std::move(device);
    EXPECT_EQ(moved.threads(), 1);
    large_expressions_conform(moved);
}

// ---- memory ----

TEST(device_eigen_pack, refuses_more_than_there_is_room_for) {
    eigen device;
    const auto memory = device.allocate(eigen::packed<f32>::stored_bytes(3, 2));
    EXPECT_EQ(memory.size(), 64u);
    const eigen::packed<f32> w(memory.data(), 3, 2);
    const float rows[8]{};
    EXPECT_TRUE(device.pack(w, 1, std::span(rows).first(4)).ok());
    const status s = device.pack(w, 2, std::span(rows).first(4));
    EXPECT_EQ(s.code, errc::shape_mismatch);
    EXPECT_EQ(s.got, 4);
    EXPECT_EQ(s.limit, 2);
    EXPECT_EQ(device.pack(w, -1, std::span(rows).first(2)).code, errc::shape_mismatch);
}

// ---- bridges ----

TEST(device_eigen_bridge, views_are_eigen_tensors_without_a_copy) {
    tensor<float, extents<2, dyn>> t(extents<2, dyn>(index_t{3}));
    auto map = to_eigen(t);
    EXPECT_EQ(map.data(), t.data());
    map(1, 2) = 7.0f;
    EXPECT_EQ(t.flat()[5], 7.0f);
    const Eigen::Tensor<float, 1, Eigen::RowMajor, index_t> sums =
        to_eigen(std::as_const(t)).sum(Eigen::array<index_t, 1>{1});
    EXPECT_EQ(sums(1), 7.0f);
    EXPECT_EQ(to_eigen(view<float, extents<>>(t.data(), {}))(), 0.0f);
}
TEST(device_eigen_bridge, eigen_tensors_are_views_without_a_copy) {
    Eigen::Tensor<float, 2, Eigen::RowMajor, index_t> e(2, 3);
    e.setConstant(2.0f);
    const auto v = from_eigen(e);
    static_assert(std::is_same_v<decltype(v), const view<float, extents<dyn, dyn>>>);
    EXPECT_EQ(v.data, e.data());
    EXPECT_EQ(v.ext()[1], 3);

    const auto fixed = from_eigen<extents<dyn, 3>>(std::as_const(e));
    ASSERT_TRUE(fixed.ok());
    static_assert(std::is_same_v<decltype(fixed), const result<view<const float, extents<dyn, 3>>>>);
    eigen device;
    EXPECT_TRUE(assign(device, {}, v, *fixed * 1.5f).ok());
    EXPECT_EQ(e(1, 2), 3.0f);

    const auto other = from_eigen<extents<2, 4>>(e);
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().message, "from_eigen: an extent is not that of the tensor (got 3, limit 4)");
}

} // namespace conformance
