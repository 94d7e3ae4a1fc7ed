// SPDX-License-Identifier: Apache-2.0
// The entries of several units as one list.
#pragma once

#include "any_prior.hpp"

#include <vector>

namespace apriori::program {

template <const void* (*... Units)()>
const entry_list* joint_entries() {
    static const auto all = [] {
        struct {
            std::vector<prior_entry> priors;
            std::vector<text_encoder_entry> text_encoders;
            std::vector<image_encoder_entry> image_encoders;
        } of;
        for (const auto unit : {Units...}) {
            const auto& more = *static_cast<const entry_list*>(unit());
            of.priors.insert(of.priors.end(), more.priors.begin(), more.priors.end());
            of.text_encoders.insert(of.text_encoders.end(), more.text_encoders.begin(), more.text_encoders.end());
            of.image_encoders.insert(of.image_encoders.end(), more.image_encoders.begin(), more.image_encoders.end());
        }
        return of;
    }();
    static const entry_list list{
        .priors = all.priors, .text_encoders = all.text_encoders, .image_encoders = all.image_encoders};
    return &list;
}

} // namespace apriori::program
