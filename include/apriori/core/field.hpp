// SPDX-License-Identifier: Apache-2.0
// Configurations that describe themselves: each struct has one table of fields, by which it is checked, hashed,
// compared, read and written.
//
//     struct Config {
//         int num_layers = 20;
//         bool time_embedding = true;
//
//         static constexpr const char* class_name = "PriorTransformer";  // in diffusers or transformers
//         static constexpr other_fields others = other_fields::warned;
//         static constexpr auto fields() {
//             using f = field<Config>;
//             return std::array{f::integer<&Config::num_layers>("num_layers", 1),
//                               f::flag<&Config::time_embedding>("time_embedding")};
//         }
//         constexpr status together() const noexcept; // checks valid fields against each other
//     };
#pragma once

#include "apriori/core/decimal.hpp"
#include "apriori/core/fixed_string.hpp"
#include "apriori/core/json_reader.hpp"
#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// What happens to fields of a file that its class does not have. They change nothing, as in diffusers and
/// transformers; diffusers warns about them. Names that begin with '_' are always ignored.
enum class other_fields : bool { warned, ignored };

/// One spelling of an enumerator in JSON. A null `text` stands for JSON's null. If there are several, the first is
/// written.
struct spelling {
    const char* text;
    int value;

    constexpr spelling(const char* t, auto v) noexcept : text(t), value(int(v)) {}
};

/// Largest extent of a model: far above any real one, and the product of two fits in 64 bits.
inline constexpr int most_extent = 1 << 20;

/// A field: its name in JSON, its member, and the values that it may hold. Values of all types are passed as double,
/// which holds each of them exactly.
template <class Config>
struct field {
    enum class kind : std::uint8_t {
        integer,
        real,
        flag,
        choice,
        only,   ///< no member: only some values are supported, and they change nothing here
        ignored ///< no member: changes nothing here
    };

    std::string_view name;
    kind what = kind::ignored;
    bool nullable = false; ///< integer: null and 0 mean 0, as in diffusers' `time_embed_dim or inner_dim`
    bool inert = false;    ///< changes nothing at inference
    bool ours = false;     ///< not in diffusers: written only if it is not the default
    letters match = letters::exact;
    double least = 0, most = 0;
    std::string_view from{}, to{}; ///< real: the range as written; only: the supported values, in `from`, by ", "
    std::span<const spelling> spellings{};
    bool Config::* condition = nullptr;                 ///< where this flag is false, the field is not used
    bool (Config::*applies)() const noexcept = nullptr; ///< only: read only if this is true for the fields before it
    double (*get)(const Config&) = [](const Config&) { return 0.0; };
    void (*set)(Config&, double) = [](Config&, double) {};

    // ---- rows of a table ----

    template <auto Member>
    static constexpr field integer(std::string_view name, int least, int most = most_extent) noexcept {
        return with<Member>({.name = name, .what = kind::integer, .least = double(least), .most = double(most)});
    }
    /// A dimension of 1 or more; null leaves it to the class.
    template <auto Member>
    static constexpr field integer_or_null(std::string_view name) noexcept {
        field f = integer<Member>(name, 1);
        f.nullable = true;
        return f;
    }
    /// The bounds are written as in JSON.
    template <auto Member>
    static constexpr field real(std::string_view name, std::string_view from, std::string_view to) noexcept {
        return with<Member>({.name = name,
                             .what = kind::real,
                             .least = parse_decimal(from),
                             .most = parse_decimal(to),
                             .from = from,
                             .to = to});
    }
    template <auto Member>
    static constexpr field flag(std::string_view name) noexcept {
        return with<Member>({.name = name, .what = kind::flag, .most = 1});
    }
    template <auto Member>
    static constexpr field choice(std::string_view name, std::span<const spelling> spellings,
                                  letters match = letters::exact) noexcept {
        return with<Member>({.name = name, .what = kind::choice, .match = match, .spellings = spellings});
    }
    /// `values` are JSON without white space, separated by ", ".
    static constexpr field only(std::string_view name, std::string_view values) noexcept {
        return {.name = name, .what = kind::only, .from = values};
    }
    static constexpr field ignored(std::string_view name) noexcept { return {.name = name}; }
    constexpr field when(bool Config::* flag) && noexcept {
        condition = flag;
        return *this;
    }
    constexpr field where(bool (Config::*says)() const noexcept) && noexcept {
        applies = says;
        return *this;
    }
    constexpr field without_effect() && noexcept {
        inert = true;
        return *this;
    }
    constexpr field of_ours() && noexcept {
        ours = true;
        return *this;
    }

    // ---- its values ----

    constexpr bool has_member() const noexcept { return what < kind::only; }

    constexpr bool holds(double value) const noexcept {
        if (what != kind::choice) return (value >= least && value <= most) || (nullable && value == 0);
        for (const spelling& s : spellings)
            if (s.value == value) return true;
        return false;
    }
    /// Whether a configuration's value is one that the field may hold, or is not used.
    constexpr bool fits(const Config& c) const noexcept {
        return holds(get(c)) || (condition != nullptr && !(c.*condition));
    }
    /// The value of a JSON token; NaN if it has the wrong type or is none of the spellings. Without a member: 0 if it
    /// is supported.
    constexpr double parse(const json_token& token) const noexcept {
        constexpr double no_value = std::numeric_limits<double>::quiet_NaN();
        switch (what) {
        case kind::integer:
            if (token.is(json_kind::null) && nullable) return 0;
            if (token.text.find_first_of(".eE") != std::string_view::npos) return no_value;
            [[fallthrough]];
        case kind::real:
            return token.is(json_kind::number) ? parse_decimal(token.text) : no_value;
        case kind::flag:
            return token.is(json_kind::boolean) ? (token.text == "true" ? 1 : 0) : no_value;
        case kind::choice:
            for (const spelling& s : spellings)
                if (s.text == nullptr ? token.is(json_kind::null) : json_says(token, s.text, match)) return s.value;
            return no_value;
        case kind::only:
            return supports(token) ? 0 : no_value;
        case kind::ignored:
            break;
        }
        return 0;
    }
    /// Appends the value as in JSON.
    template <std::size_t N>
    constexpr void add_value(short_text<N>& out, double value) const noexcept {
        for (const spelling& s : spellings)
            if (s.value == value) return s.text == nullptr ? out.add("null") : out.add('"', s.text, '"');
        if (what == kind::flag)
            out.add(value != 0 ? "true" : "false");
        else if (what == kind::real)
            add_decimal(out, float(value));
        else if (nullable && value == 0)
            out.add("null");
        else
            out.add(std::int64_t(value));
    }
    /// Appends the allowed values, for messages.
    template <std::size_t N>
    constexpr void add_allowed(short_text<N>& out) const noexcept {
        switch (what) {
        case kind::integer:
            return out.add(nullable ? "null or " : "", "an integer from ", int(least), " to ", int(most));
        case kind::real:
            return out.add("a number from ", from, " to ", to);
        case kind::flag:
            return out.add("true or false");
        case kind::choice:
            for (const spelling& s : spellings) {
                if (&s != spellings.data()) out.add(", ");
                s.text == nullptr ? out.add("null") : out.add('"', s.text, '"');
            }
            return;
        case kind::only:
            return out.add(from, " (nothing else is supported)");
        case kind::ignored:
            return;
        }
    }

private:
    constexpr bool supports(const json_token& token) const noexcept {
        short_text<64> shown;
        add_shown(shown, token);
        std::string_view left = from;
        for (auto end = left.find(", "); end != std::string_view::npos; end = left.find(", ")) {
            if (left.substr(0, end) == shown.view()) return true;
            left.remove_prefix(end + 2);
        }
        return left == shown.view();
    }
    template <auto Member>
    static constexpr field with(field f) noexcept {
        f.get = [](const Config& c) { return double(c.*Member); };
        f.set = [](Config& c, double value) {
            c.*Member = static_cast<std::remove_cvref_t<decltype(c.*Member)>>(value);
        };
        return f;
    }
};

/// Appends the message of a status, with its two numbers if it has any; nothing for success.
template <std::size_t N>
constexpr void add_status(short_text<N>& out, const status& s) noexcept {
    out.add(s.what);
    if (s.got != 0 || s.limit != 0) out.add(" (got ", s.got, ", limit ", s.limit, ")");
}

/// The fields of a configuration, in order.
template <class Config>
inline constexpr auto fields_of = Config::fields();

/// Calls f(field) for each field that has a member.
template <class Config, class F>
constexpr void for_each_field(F&& f) {
    for (const field<Config>& each : fields_of<Config>)
        if (each.has_member()) f(each);
}

/// The canonical form of a configuration: fields without effect have their defaults. Configurations that mean the same
/// are the same type through it. A configuration with further rules has its own overload.
template <class Config>
requires requires { Config::fields(); }
constexpr Config canonical(const Config& config) noexcept {
    Config c = config;
    for (const field<Config>& f : fields_of<Config>)
        if (f.inert) f.set(c, f.get(Config{}));
    return c;
}

/// A hash of the meaning of a configuration: equal meanings have equal hashes. It covers only fields for which the
/// default would mean something else, so a field that a class gains later changes no hash.
template <class Config>
constexpr std::uint64_t config_hash(const Config& config) noexcept {
    std::uint64_t h = 0xcbf29ce484222325u; // FNV-1a
    const auto add = [&h](std::string_view bytes) {
        for (const char c : bytes) h = (h ^ std::uint8_t(c)) * 0x100000001b3u;
    };
    add(Config::class_name);
    const Config c = canonical(config);
    for (const field<Config>& f : fields_of<Config>) {
        Config otherwise = c;
        f.set(otherwise, f.get(Config{}));
        if (f.get(canonical(otherwise)) == f.get(c)) continue;
        short_text<128> said;
        said.add(f.name, '=');
        f.add_value(said, f.get(c));
        add(said.view());
    }
    return h;
}

/// A field in which two configurations differ, and the value of each as in JSON; the name is empty if they are equal.
struct field_difference {
    std::string_view name{};
    short_text<64> first{}, second{};
};

/// The first field in which two configurations differ in meaning.
template <class Config>
constexpr field_difference first_difference(const Config& first, const Config& second) noexcept {
    field_difference out;
    const Config a = canonical(first), b = canonical(second);
    for (const field<Config>& f : fields_of<Config>) {
        if (f.get(a) == f.get(b)) continue;
        out.name = f.name;
        f.add_value(out.first, f.get(a));
        f.add_value(out.second, f.get(b));
        break;
    }
    return out;
}

namespace detail {

/// The first field with a value that it may not hold; nullptr if there is none.
template <class Config>
constexpr const field<Config>* first_unfit(const Config& c) noexcept {
    for (const field<Config>& f : fields_of<Config>)
        if (!f.fits(c)) return &f;
    return nullptr;
}

/// "num_layers must be an integer from 1 to 1048576", for each field.
template <class Config>
inline constexpr auto field_sentences = [] {
    std::array<short_text<160>, fields_of<Config>.size()> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].add(fields_of<Config>[i].name, " must be ");
        fields_of<Config>[i].add_allowed(out[i]);
    }
    return out;
}();

} // namespace detail

/// The error in a configuration: the first field with a value that it may not hold, or valid fields that do not fit
/// together.
template <class Config>
requires requires { Config::fields(); }
constexpr status validate(const Config& c) noexcept {
    const field<Config>* f = detail::first_unfit(c);
    if (f == nullptr) return c.together();
    const auto& sentence = at(detail::field_sentences<Config>, f - fields_of<Config>.data());
    if (f->what != field<Config>::kind::integer) return status::invalid(sentence.text);
    return status::invalid(sentence.text, std::int64_t(f->get(c)), std::int64_t(f->most));
}
/// The same as text with the value; empty if nothing is wrong.
template <class Config>
constexpr short_text<512> refusal(const Config& c) noexcept {
    short_text<512> out;
    if (const field<Config>* f = detail::first_unfit(c)) {
        out.add("field '", f->name, "' is ");
        f->add_value(out, f->get(c));
        out.add("; allowed: ");
        f->add_allowed(out);
    } else {
        add_status(out, c.together());
    }
    return out;
}

} // namespace apriori
APRIORI_END_EXACT_MATH
