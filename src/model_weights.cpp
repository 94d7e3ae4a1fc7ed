// SPDX-License-Identifier: Apache-2.0
#include "model_weights.hpp"

#include "apriori/models/prior_parameters.hpp"

#include <fmt/format.h>

namespace apriori::program {

result<io::image_kind> image_kind_of(const prior_entry& entry) {
    if (entry.layout == nullptr)
        return failure{errc::unsupported, fmt::format("device {} has no packed images; cpu has", entry.device)};
    return io::image_kind{config_hash(entry.config), entry.weights, entry.layout(), entry.weight_bytes};
}

result<std::optional<io::packed_image>> open_image(const std::filesystem::path& path, device_options& on) {
    if (path.empty()) return std::optional<io::packed_image>();
    auto image = io::packed_image::open(path);
    if (!image) return image.error();
    if (on.weights.empty()) on.weights = image->format();
    return std::optional(std::move(*image));
}

result<std::unique_ptr<any_prior>> attach(const prior_entry& entry, const io::packed_image& image, int threads) {
    const auto kind = image_kind_of(entry);
    if (!kind) return kind.error();
    if (auto fits = image.check(*kind); !fits) return fits.error();
    return entry.attach(image.payload().data(), image.owner(), image.header().weights_hash, threads);
}

} // namespace apriori::program
