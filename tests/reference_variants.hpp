// SPDX-License-Identifier: Apache-2.0
// The folders of tests/reference/cases that are small enough for every build, and tests/reference/eclipse, as types; their
// configurations are written from their config.json by apriori_add_config.
#pragma once

#include "reference_cases.hpp"

#include "eclipse.hpp"
#include "medium.hpp"
#include "shap_e_image_like.hpp"
#include "shap_e_like.hpp"
#include "tiny.hpp"
#include "tiny_dims.hpp"
#include "tiny_gelu.hpp"
#include "tiny_mish.hpp"
#include "tiny_no_prd.hpp"
#include "tiny_no_text.hpp"
#include "tiny_norms.hpp"
#include "tiny_relu.hpp"
#include "unclip_like.hpp"

namespace model_testing {

/// Registers the test models_reference.<folder> for each folder, on a device of the default constructor.
template <class Device, chunks Promise = chunks::same_bits>
class reference_tests {
public:
    reference_tests() {
        add<::tiny>("tiny");
        add<::tiny_dims>("tiny_dims");
        add<::tiny_gelu>("tiny_gelu");
        add<::tiny_mish>("tiny_mish");
        add<::tiny_no_prd>("tiny_no_prd");
        add<::tiny_no_text>("tiny_no_text");
        add<::tiny_norms>("tiny_norms");
        add<::tiny_relu>("tiny_relu");
        add<::unclip_like>("unclip_like");
        add<::shap_e_like>("shap_e_like");
        add<::shap_e_image_like>("shap_e_image_like");
        add<::medium>("medium");
        add<::eclipse>("eclipse");
    }

private:
    template <PriorConfig Config>
    struct variant : testing::Test {
        explicit variant(std::string name) : name_(std::move(name)) {}
        void TestBody() override {
            Device device;
            check_variant<Config>(device, name_, Promise);
        }
        std::string name_;
    };

    template <PriorConfig Config>
    static void add(const char* name) {
        testing::RegisterTest("models_reference", name, nullptr, nullptr, __FILE__, __LINE__,
                              [name]() -> testing::Test* { return new variant<Config>(name); });
    }
};

} // namespace model_testing
