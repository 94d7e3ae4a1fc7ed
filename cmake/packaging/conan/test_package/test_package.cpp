// SPDX-License-Identifier: Apache-2.0
// An expression on the CPU device, and the version; also an expression on the Eigen device and a cleaned-up text, if
// these components exist.
#include <apriori/core/version.hpp>
#include <apriori/device/cpu/device.hpp>
#include <apriori/expr.hpp>
#include <apriori/tensor/make.hpp>
#ifdef TEST_eigen
#include <apriori/device/eigen/device.hpp>
#endif
#ifdef TEST_text
#include <apriori/text/unicode.hpp>
#endif

#include <cstdio>

template <class Device>
bool works(Device&& device) {
    const apriori::tensor<float, apriori::extents<2, 3>> x({1, 2, 3, 4, 5, 6});
    const auto y = apriori::evaluate(device, apriori::sum(x * 2.0f + 1.0f));
    return y && y->flat()[0] == 15 && y->flat()[1] == 33;
}

int main() {
    std::printf("apriori %s\n", apriori::version::string);
    bool right = works(apriori::cpu<>());
#ifdef TEST_eigen
    right = right && works(apriori::eigen());
#endif
#ifdef TEST_text
    right = right && apriori::unicode::nfc(U"e\u0301") == U"\u00e9";
#endif
    return right ? 0 : 1;
}
