// SPDX-License-Identifier: Apache-2.0
// The folders of tests/reference/cases that are small enough for every build, and tests/reference/eclipse, as types.
// apriori_add_config generates their configurations from their config.json.
#pragma once

#include "dependent_launches.hpp"
#include "reference_sampling.hpp"
#include "sanitizers.hpp"

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

/// Whether recorded samplings are run too, which take long to compile.
enum class samplings { no, yes };

/// Registers the test models_reference.<folder> for each folder, on a default-constructed device; `why_not` says why to
/// skip.
template <class Device, samplings Samplings, chunks Promise = chunks::same_bits>
class reference_tests {
public:
    explicit reference_tests(std::string why_not = {}) : why_not_(std::move(why_not)) {
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
        variant(std::string name, std::string why_not) : name_(std::move(name)), why_not_(std::move(why_not)) {}
        void TestBody() override {
            if (!why_not_.empty()) GTEST_SKIP() << why_not_;
            if (sanitized && name_ == "medium")
                GTEST_SKIP() << "minutes under the address sanitizer; the small ones run the same code";
            Device device;
            choose_launches(device);
            check_variant<Config>(device, name_, Promise);
            constexpr PriorConfig c = apriori::canonical(Config);
            if constexpr (Samplings == samplings::yes && c.clip_embed_dim == c.embedding_dim &&
                          c.added_emb_type == apriori::added_emb::prd)
                check_recorded_sampling<Config>(device, name_);
        }
        std::string name_, why_not_;
    };

    template <PriorConfig Config>
    void add(const char* name) {
        testing::RegisterTest(
            "models_reference", name, nullptr, nullptr, __FILE__, __LINE__,
            [name, why_not = why_not_]() -> testing::Test* { return new variant<Config>(name, why_not); });
    }
    std::string why_not_;
};

} // namespace model_testing
