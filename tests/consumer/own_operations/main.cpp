// SPDX-License-Identifier: Apache-2.0
// Each of the own operations on a device, compared with plain loops: on cpu, or on cuda where CMakeLists.txt says so.
#include "own_operations.hpp"

#include <apriori/expr/print.hpp>
#include <apriori/tensor/make.hpp>
#ifdef OWN_OPERATIONS_CUDA
#include <apriori/device/cuda/info.hpp>
#endif

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

using namespace apriori;

namespace {

int mistakes = 0;

void expect(bool right, const char* what) {
    if (right) return;
    std::fprintf(stderr, "own_operations: %s\n", what);
    ++mistakes;
}

/// A tensor in the memory of a device.
template <class Device, class E>
struct on_device {
    typename Device::buffer memory;
    view<float, E> whole;

    on_device(Device& device, const tensor<float, E>& from)
        : memory(device.allocate(from.flat().size_bytes())),
          whole(reinterpret_cast<float*>(memory.data()), from.ext()) {
        expect(device.upload(memory.data(), from.data(), from.flat().size_bytes()).ok(), "upload failed");
    }
};

/// x as the device computes it, on the host.
template <class Device, class X>
auto computed(Device& device, const X& x) {
    using E = extents_of<X>;
    tensor<float, E> y(x.ext());
    const on_device<Device, E> out(device, y);
    const std::size_t bytes = plan<Device>(x).workspace;
    const auto temporaries = device.allocate(bytes);
    const status s = assign(device, {temporaries.data(), bytes}, out.whole, x);
    expect(s.ok(), s.what);
    expect(device.download(y.data(), out.memory.data(), y.flat().size_bytes()).ok(), "download failed");
    return y;
}

/// y(i, j) is about right(i, j), for all i and j.
void expect_near(const auto& y, const auto& right, const char* what) {
    bool near = y.size() > 0;
    for (index_t i = 0; near && i < y.ext()[0]; ++i)
        for (index_t j = 0; j < y.ext()[1]; ++j)
            near = near && std::abs(y(i, j) - right(i, j)) <= 2e-6f * (std::max)(1.0f, std::abs(right(i, j)));
    expect(near, what);
}

template <class Device>
void check(Device& device) {
    const auto numbers = normal(extents<7, 19>{}, 1), more = normal(extents<7, 19>{}, 2);
    const on_device<Device, extents<7, 19>> at_x(device, numbers), at_y(device, more);
    const view<const float, extents<7, 19>> x = at_x.whole, y = at_y.whole;

    // Fused as the library's own are: one launch each.
    const auto function = own::softsign(x * 2.0f) + 1.0f;
    static_assert(plan_of<std::remove_const_t<decltype(function)>, Device>.size() == 1);
    expect_near(
        computed(device, function),
        [&](index_t i, index_t j) { return 2 * numbers(i, j) / (1 + std::abs(2 * numbers(i, j))) + 1; }, "softsign");

    const auto length = [&](index_t i) {
        double sum = 0;
        for (const float v : numbers[i]) sum += double(v) * double(v);
        return float(std::sqrt(sum));
    };
    const auto norm = own::softsign(own::unit(x));
    static_assert(plan_of<std::remove_const_t<decltype(norm)>, Device>.size() == 1);
    expect_near(
        computed(device, norm),
        [&](index_t i, index_t j) { return numbers(i, j) / length(i) / (1 + std::abs(numbers(i, j) / length(i))); },
        "unit");

    const auto reduction = own::log_sum_exp(x + 100.0f);
    static_assert(plan_of<std::remove_const_t<decltype(reduction)>, Device>.size() == 1);
    expect_near(
        computed(device, reduction),
        [&](index_t i, index_t) {
            double sum = 0;
            for (const float v : numbers[i]) sum += std::exp(double(v));
            return float(100 + std::log(sum));
        },
        "log_sum_exp");
    const auto columns = own::log_sum_exp<0>(x);
    expect_near(
        computed(device, columns),
        [&](index_t, index_t j) {
            double sum = 0;
            for (index_t i = 0; i < 7; ++i) sum += std::exp(double(numbers(i, j)));
            return float(std::log(sum));
        },
        "log_sum_exp of an axis");

    // What is element-wise below the primitive and around it is computed by its kernel.
    const auto primitive = own::running_max(x * y) * 0.5f + y;
    constexpr auto planned = plan_of<std::remove_const_t<decltype(primitive)>, Device>;
    static_assert(planned.size() == 1 && planned[0].primitive == "running_max");
    static_assert(planned[0].prologue.contains("multiply") && planned[0].epilogue.contains("add"));
    expect_near(
        computed(device, primitive),
        [&](index_t i, index_t j) {
            float largest = numbers(i, 0) * more(i, 0);
            for (index_t c = 1; c <= j; ++c) largest = (std::max)(largest, numbers(i, c) * more(i, c));
            return 0.5f * largest + more(i, j);
        },
        "running_max");
    std::ostringstream text;
    text << primitive;
    expect(text.str() == "add(multiply(running_max(multiply([7, 19], [7, 19])), 0.5), [7, 19])",
           "a printed expression");
    const status same_place = assign(device, {}, at_x.whole, own::running_max(slice<0>(x, 0, 7)));
    expect(same_place.code == errc::invalid_argument, "a primitive that reads what it overwrites");
}

template <class Device>
void check_antidiagonal(Device& device) {
    const auto numbers = normal(extents<9, 9>{}, 3);
    const on_device<Device, extents<9, 9>> at(device, numbers);
    const view<const float, extents<9, 9>> x = at.whole;

    const auto of_memory = computed(device, own::antidiagonal(x) * 2.0f);
    expect_near(
        reshape(of_memory, extents<1, 9>{}), [&](index_t, index_t j) { return 2 * numbers(j, 8 - j); }, "antidiagonal");
    const auto of_expression = own::antidiagonal(matmul(x, x));
    static_assert(plan_of<std::remove_const_t<decltype(of_expression)>, Device>[0].primitive == "matmul");
    const auto squares = computed(device, of_expression);
    expect_near(
        reshape(squares, extents<1, 9>{}),
        [&](index_t, index_t j) {
            double sum = 0;
            for (index_t k = 0; k < 9; ++k) sum += double(numbers(j, k)) * double(numbers(k, 8 - j));
            return float(sum);
        },
        "the antidiagonal of a product");

    // As a destination: it is a view. Its elements have gaps, so they are written to a temporary first.
    tensor<float, extents<9, 9>> back;
    const auto temporaries = device.allocate(1024);
    expect(assign(device, {temporaries.data(), 1024}, own::antidiagonal(at.whole), own::antidiagonal(x) * 0.0f + 1.0f)
               .ok(),
           "an antidiagonal as a destination");
    expect(device.download(back.data(), at.memory.data(), back.flat().size_bytes()).ok(), "download failed");
    expect_near(
        back, [&](index_t i, index_t j) { return i == 8 - j ? 1.0f : numbers(i, j); },
        "an antidiagonal that was written");

    // Its own check tells of extents that only run time knows.
    const view<const float, extents<dyn, dyn>> wide(x.data, extents<dyn, dyn>(2, 9));
    const view<float, extents<dyn>> two(at.whole.data, extents<dyn>(2));
    const status s = assign(device, {temporaries.data(), 1024}, two, own::antidiagonal(wide + 1.0f));
    expect(s.code == errc::shape_mismatch && std::string_view(s.what) == "antidiagonal: the matrix is not square",
           "the antidiagonal of what is not square");
}

} // namespace

int main() {
#ifdef OWN_OPERATIONS_CUDA
    if (const auto gpu = cuda_available(80); !gpu) {
        std::printf("compiled, not run: %s\n", gpu.reason.c_str());
        return 0;
    }
    cuda<80> device;
#else
    cpu<> device;
#endif
    check(device);
    check_antidiagonal(device);
    if (mistakes == 0) std::printf("own_operations: right on %s\n", decltype(device)::name);
    return mistakes == 0 ? 0 : 1;
}
