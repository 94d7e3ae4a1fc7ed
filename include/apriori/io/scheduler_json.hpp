// SPDX-License-Identifier: Apache-2.0
// Reads scheduler_config.json: diffusers' class and field names, and its defaults for absent fields.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/read_config.hpp"
#include "apriori/core/warning.hpp"
#include "apriori/io/foreign_file.hpp"
#include "apriori/io/mapped_file.hpp"
#include "apriori/schedulers/any_scheduler.hpp"

#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>

namespace apriori::io {

/// The scheduler in the text of a scheduler_config.json; messages begin with `where` (a path). The field _class_name
/// selects the class. Absent fields take its defaults; an error names file, field, value and what is allowed. Fields of
/// other classes, which diffusers' from_config leaves in a file, are ignored; fields of no class are ignored with a
/// warning (core/warning.hpp). If `as` is not empty, the scheduler is of that class instead, with the fields that this
/// class has, as with from_config.
result<any_scheduler_config> parse_scheduler_config(std::string_view text,
                                                    std::string_view where = "scheduler_config.json",
                                                    std::string_view as = {});

/// The scheduler in a file, or in the scheduler_config.json of a folder.
result<any_scheduler_config> load_scheduler_config(const std::filesystem::path& path, std::string_view as = {});

#if APRIORI_DEFINITIONS

APRIORI_FUNCTION result<any_scheduler_config> parse_scheduler_config(std::string_view text, std::string_view where,
                                                                     std::string_view as) {
    constexpr auto python = json_reader::dialect::python; // it writes Infinity and NaN unquoted
    const json_token own = json_member(text, "_class_name", python);
    if (!own) {
        const auto any = read_config<UnCLIPSchedulerConfig>(text, {}, other_fields::ignored, python);
        const bool malformed = any.code == errc::bad_format;
        return failure{errc::bad_format, cat(where, malformed ? any.message.view() : ": has no field '_class_name'")};
    }
    short_text<64> shown;
    add_shown(shown, own);
    result<any_scheduler_config> out =
        failure{errc::unsupported, as.empty() ? cat(where, ": field '_class_name' is ", shown.view(), "; allowed: ")
                                              : cat("scheduler \"", as, "\"; allowed: ")};
    std::string names;
    const auto is_read_as = [&]<class Config>(Config config) {
        names += cat(names.empty() ? "\"" : ", \"", Config::class_name, '"');
        const bool its_own = json_says(own, Config::class_name);
        if (as.empty() ? !its_own : as != Config::class_name) return false;
        // UnCLIPScheduler's betas are the same even if its file does not say so
        if (json_says(own, UnCLIPSchedulerConfig::class_name))
            config.beta_schedule = UnCLIPSchedulerConfig{}.beta_schedule;
        // diffusers does not list UnCLIPScheduler as compatible with the others, and warns of their fields
        const bool alone = its_own && json_says(own, UnCLIPSchedulerConfig::class_name);
        const auto related = std::span(related_scheduler_fields).first(alone ? 0 : std::size(related_scheduler_fields));
        const auto reading = read_config(text, config, other_fields::warned, python, related);
        if (reading.ok())
            out = any_scheduler_config(reading.config);
        else
            out = failure{reading.code, cat(where, reading.message.view())};
        if (reading.ok() && reading.warning.size > 0) warn(cat(where, reading.warning.view()));
        return true;
    };
    const bool known = [&]<class... Config>(const std::variant<Config...>&) {
        return (is_read_as(Config{}) || ...);
    }(any_scheduler_config{});
    if (!known) out = failure{errc::unsupported, out.error().message + names};
    return out;
}

APRIORI_FUNCTION result<any_scheduler_config> load_scheduler_config(const std::filesystem::path& path,
                                                                    std::string_view as) {
    std::error_code error;
    const auto file_path = std::filesystem::is_directory(path, error) ? path / "scheduler_config.json" : path;
    const auto file = mapped_file::open(file_path);
    if (!file.ok()) return file.error();
    auto config = parse_scheduler_config(file->text(), file_path.string(), as);
    if (!config.ok()) return explained(config.error(), file_path, file->bytes());
    return config;
}

#endif

} // namespace apriori::io
