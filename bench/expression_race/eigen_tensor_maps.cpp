// SPDX-License-Identifier: Apache-2.0
// Element-wise rows with Eigen's Tensor module.
#include "in_eigen_tensor.hpp"

#include <complex>

namespace race {

namespace {

struct saxpy {
    static void run(problem& p, auto& device) {
        const auto x = in<1>(p, 0), y = in<1>(p, 1), z = in<1>(p, 2);
        out<1>(p).device(device) = (x * 2.0f + y) * 0.5f + z;
    }
};
struct nhwc {
    static void run(problem& p, auto& device) {
        const auto x = in<2>(p, 0);
        const dims<2> row{1, 3}, times{x.dimension(0), 1};
        out<2>(p).device(device) =
            (x - in<1>(p, 1).reshape(row).broadcast(times)) / in<1>(p, 2).reshape(row).broadcast(times);
    }
};
struct nchw {
    static void run(problem& p, auto& device) {
        const auto x = in<3>(p, 0);
        const dims<3> plane{1, 3, 1}, times{x.dimension(0), 1, x.dimension(2)};
        out<3>(p).device(device) =
            (x - in<2>(p, 1).reshape(plane).broadcast(times)) / in<2>(p, 2).reshape(plane).broadcast(times);
    }
};
struct convolution {
    static void run(problem& p, auto& device) {
        const Eigen::TensorMap<const Eigen::Tensor<float, 2, Eigen::RowMajor, index>> w(&filter[0][0], 3, 3);
        out<2>(p).device(device) = in<2>(p, 0).convolve(w, dims<2>{0, 1});
    }
};
struct average {
    static void run(problem& p, auto& device) {
        const auto x = in<1>(p, 0);
        const auto from = [&](index first) { return x.slice(dims<1>{first}, dims<1>{p.out[0].size()}); };
        out<1>(p).device(device) =
            (from(0) + from(1) + from(2) + from(3) + from(4) + from(5) + from(6) + from(7)) * (1.0f / window);
    }
};
struct evaluate_polynomial {
    static void run(problem& p, auto& device) {
        const auto x = in<1>(p, 0);
        const auto& c = polynomial;
        out<1>(p).device(device) =
            x * (x * (x * (x * (x * (x * (x * (x * c[8] + c[7]) + c[6]) + c[5]) + c[4]) + c[3]) + c[2]) + c[1]) + c[0];
    }
};
struct complex_product {
    static void run(problem& p, auto& device) {
        using tensor = Eigen::Tensor<std::complex<float>, 1, Eigen::RowMajor, index>;
        const auto view = [](array& a) {
            return Eigen::TensorMap<tensor>(reinterpret_cast<std::complex<float>*>(a.data()), a.ext(0));
        };
        view(p.out[0]).device(device) = view(p.in[0]) * view(p.in[1]);
    }
};
struct outer {
    static void run(problem& p, auto& device) {
        const index n = p.out[0].ext(0);
        out<2>(p).device(device) = in<1>(p, 0).reshape(dims<2>{n, 1}).broadcast(dims<2>{1, n}) *
                                   in<1>(p, 1).reshape(dims<2>{1, n}).broadcast(dims<2>{n, 1});
    }
};
struct where_chain {
    static void run(problem& p, auto& device) {
        const auto x = in<1>(p, 0), a = in<1>(p, 1), b = in<1>(p, 2), c = in<1>(p, 3);
        out<1>(p).device(device) = (x > 0.5f).select(a, (x > 0.0f).select(b, (x > -0.5f).select(c, x)));
    }
};

} // namespace

void add_eigen_tensor_maps(entries& to) {
    constexpr const char* library = "Eigen Tensor";
    to.insert(to.end(), {{"saxpy", library, with_device<saxpy>},
                         {"nhwc", library, with_device<nhwc>},
                         {"nchw", library, with_device<nchw>},
                         {"convolution", library, with_device<convolution>},
                         {"average", library, with_device<average>},
                         {"polynomial", library, with_device<evaluate_polynomial>},
                         {"complex", library, with_device<complex_product>},
                         {"outer", library, with_device<outer>},
                         {"where", library, with_device<where_chain>}});
}

} // namespace race
