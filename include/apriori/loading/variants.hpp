// SPDX-License-Identifier: Apache-2.0
// A choice at run time among compiled types: the one whose configuration is in a folder's config.json.
#pragma once

#include "apriori/loading/pipeline.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <variant>

namespace apriori {

namespace detail {

template <folder_model Model>
result<void> check_folder(const std::filesystem::path& folder) {
    return check_config(folder, Model::config);
}
template <pipeline_parts Parts>
result<void> check_folder(const std::filesystem::path& path) {
    const auto folder = io::pipeline_folder::open(path);
    if (!folder) return folder.error();
    return Parts::check(*folder);
}

/// load<V>, with the format if a pipeline type needs one.
template <class V, class Format, class Device>
auto load_as(Device& device, const std::filesystem::path& folder) {
    if constexpr (folder_model<V>)
        return load<V>(device, folder);
    else
        return load<V, Format>(device, folder);
}

} // namespace detail

/// A loaded model or pipeline, one of several types that are called alike.
template <class... Loaded>
class loaded_variant {
public:
    template <class L>
    loaded_variant(std::in_place_type_t<L> type, L&& loaded) : value_(type, std::move(loaded)) {}

    /// Calls body(the loaded object); all results must have one type.
    template <class Body>
    decltype(auto) visit(Body&& body) const {
        return std::visit(std::forward<Body>(body), value_);
    }
    /// Calls the loaded object.
    template <class... Args>
    auto operator()(Args&&... args) const {
        return visit([&](const auto& loaded) { return loaded(std::forward<Args>(args)...); });
    }
    /// The index of its type.
    std::size_t index() const noexcept { return value_.index(); }

private:
    std::variant<Loaded...> value_;
};

/// Models, or pipeline types, which are all compiled into the program:
///     auto pipeline = variants<karlo_v1_alpha, kandinsky_2_2>::load(device, folder);
template <class First, class... Rest>
struct variants {
    template <class Format, class Device, class V>
    using loaded = std::remove_cvref_t<decltype(*detail::load_as<V, Format>(std::declval<Device&>(), {}))>;
    template <class Format, class Device>
    using type = loaded_variant<loaded<Format, Device, First>, loaded<Format, Device, Rest>...>;

    /// Loads the first variant whose configurations are those of the folder. unsupported if there is none: the message
    /// says how each differs. Other errors are those of load().
    template <class Format = f32, class Device>
    static result<type<Format, Device>> load(Device& device, const std::filesystem::path& folder) {
        return first_that_fits<Format, type<Format, Device>, First, Rest...>(device, folder, {});
    }

private:
    template <class Format, class Type, class V, class... Others, class Device>
    static result<Type> first_that_fits(Device& device, const std::filesystem::path& folder, std::string why) {
        const auto fits = detail::check_folder<V>(folder);
        if (fits) {
            auto model = detail::load_as<V, Format>(device, folder);
            if (!model) return model.error();
            return Type(std::in_place_type<loaded<Format, Device, V>>, std::move(*model));
        }
        if (fits.error().code != errc::invalid_argument) return fits.error();
        why += (why.empty() ? "" : "; ") + fits.error().message;
        if constexpr (sizeof...(Others) > 0)
            return first_that_fits<Format, Type, Others...>(device, folder, std::move(why));
        else
            return failure{errc::unsupported, "none of the compiled variants is the model of this folder: " + why};
    }
};

} // namespace apriori
