// SPDX-License-Identifier: Apache-2.0
// A user's own layer, written in the expression core: the gated feed-forward of Shazeer's "GLU variants improve
// transformer" (2020), after an RMS norm,
//
//     y = x + W2 (silu(W1 n) * W3 n)        with n = rms_norm(x) * g
//
// No kernel has to be written. The number of launches is known at compile time, and asserted below.
#include "apriori/core/philox.hpp"
#include "apriori/device/cpu/device.hpp"
#include "apriori/expr.hpp"
#include "apriori/layers/weight_storage.hpp"

#include <cmath>
#include <cstdio>
#include <vector>

using namespace apriori;

/// The parameters, as operands of expressions. Packed is the device's handle to a weight matrix.
template <index_t Width, index_t Hidden, class Packed>
struct gated_feed_forward {
    view<const float, extents<Width>> norm{};
    weight<Packed, Hidden, Width> w1{}, w3{};
    weight<Packed, Width, Hidden> w2{};

    /// x [rows, Width] -> [rows, Width].
    template <class X>
    constexpr auto operator()(const X& x) const {
        const auto n = rms_norm(x, norm);                        // [rows, Width]
        const auto hidden = silu(linear(n, w1)) * linear(n, w3); // [rows, Hidden]
        return x + linear(hidden, w2);                           // [rows, Width]
    }
};

constexpr index_t width = 48, hidden = 128;
using Device = cpu<>;
using Packed = Device::packed<f32>;
using Layer = gated_feed_forward<width, hidden, Packed>;

// Its launches on the device, known from the type: W3 n is written to a temporary, W1 n takes silu and the product into
// its epilogue, and W2 the residual into its own. The norm is computed where rows are read.
using Rows = view<const float, extents<dyn, width>>;
constexpr auto launches = plan_of<decltype(Layer{}(Rows{})), Device>;
static_assert(launches.size() == 3);
static_assert(launches[0].prologue.contains("rms_norm") && launches[1].prologue.contains("rms_norm"));
static_assert(launches[1].epilogue.contains("silu") && launches[1].epilogue.contains("multiply"));
static_assert(launches[2].epilogue.contains("add"));

/// Weights [Out, In], initialised as in a new network, and packed for the device.
template <index_t Out, index_t In>
struct parameter {
    tensor<float, extents<Out, In>> values;
    result<weight_storage<Out, In, Device>> packed;

    parameter(Device& device, std::uint64_t stream) : packed(failure{}) {
        philox_generator(0, stream).randn(values.flat());
        for (float& v : values.flat()) v /= std::sqrt(static_cast<float>(In));
        packed = weight_storage<Out, In, Device>::make(device, values.flat());
    }
};

/// The same in plain loops.
std::vector<double> in_plain_loops(std::span<const float> x, std::span<const float> norm, std::span<const float> w1,
                                   std::span<const float> w3, std::span<const float> w2) {
    std::vector<double> out(x.begin(), x.end());
    const auto dot = [](std::span<const float> row, const std::vector<double>& v) {
        double sum = 0;
        for (std::size_t i = 0; i < row.size(); ++i) sum += static_cast<double>(row[i]) * v[i];
        return sum;
    };
    for (std::size_t r = 0; r < x.size() / width; ++r) {
        double squares = 0;
        for (std::size_t i = 0; i < width; ++i) squares += std::pow(static_cast<double>(x[r * width + i]), 2.0);
        std::vector<double> n(width), h(hidden);
        for (std::size_t i = 0; i < width; ++i)
            n[i] = static_cast<double>(x[r * width + i] * norm[i]) / std::sqrt(squares / width + 1e-5);
        for (std::size_t j = 0; j < hidden; ++j) {
            const double a = dot(w1.subspan(j * width, width), n);
            h[j] = a / (1 + std::exp(-a)) * dot(w3.subspan(j * width, width), n);
        }
        for (std::size_t i = 0; i < width; ++i) out[r * width + i] += dot(w2.subspan(i * hidden, hidden), h);
    }
    return out;
}

int main() {
    Device device;
    tensor<float, extents<width>> norm;
    const parameter<hidden, width> w1(device, 3), w3(device, 4);
    const parameter<width, hidden> w2(device, 5);
    if (!w1.packed || !w2.packed || !w3.packed) return 1;
    const extents<dyn, width> seven_rows(7);
    tensor<float, extents<dyn, width>> x(seven_rows), y(seven_rows);
    philox_generator(0, 1).randn(norm.flat());
    philox_generator(0, 2).randn(x.flat());

    const Layer layer{norm.view(), w1.packed->operand(), w3.packed->operand(), w2.packed->operand()};
    const auto expression = layer(x);
    const auto steps = plan<Device>(expression); // now with the number of rows
    std::printf("%s", describe(steps).c_str());

    const host_buffer memory(steps.workspace);
    if (const status s = assign(device, memory.span(), y.view(), expression); !s.ok()) {
        std::fprintf(stderr, "write_a_layer: %s\n", s.what);
        return 1;
    }
    const auto want = in_plain_loops(x.flat(), norm.flat(), w1.values.flat(), w3.values.flat(), w2.values.flat());
    double worst = 0, largest = 1;
    for (std::size_t i = 0; i < want.size(); ++i) {
        const double error = std::abs(static_cast<double>(y.flat()[i]) - want[i]);
        if (!(error <= worst)) worst = error;
        largest = std::max(largest, std::abs(want[i]));
    }
    std::printf("largest difference from plain loops: %.1e\n", worst);
    return worst <= 1e-5 * largest ? 0 : 1;
}
