// SPDX-License-Identifier: Apache-2.0
// Where a command's weights come from: a packed image, a folder, or synthetic ones.
#pragma once

#include "apriori/io/packed_image.hpp"
#include "instances.hpp"

#include <memory>
#include <optional>

namespace apriori::program {

/// What an image must be to be an entry's; unsupported for devices without packed images.
result<io::image_kind> image_kind_of(const prior_entry& entry);

/// The image at `path`, if that is not empty; the options' weight format becomes the image's, where they name none.
result<std::optional<io::packed_image>> open_image(const std::filesystem::path& path, device_options& on);

/// The model of an entry on an image's weights, which stays mapped as long as the model is there.
result<std::unique_ptr<any_prior>> attach(const prior_entry& entry, const io::packed_image& image, int threads);

} // namespace apriori::program
