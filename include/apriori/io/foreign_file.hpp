// SPDX-License-Identifier: Apache-2.0
// Recognises files of other types by their first bytes, and says what to do about them.
#pragma once

#include "apriori/core/result.hpp"
#include "apriori/io/text.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace apriori::io {

/// `text` as one word of a POSIX shell's command line, on one line: unchanged if it is plain, else in single quotes;
/// control characters in $'...', which bash, zsh and ksh support.
inline std::string shell_quoted(std::string_view text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+:=@%,-";
    if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) return std::string(text);
    const bool escaped = has_control(text) || !valid_utf8(text);
    std::string out = escaped ? "$'" : "'";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        constexpr char digits[] = "01234567";
        if (!escaped)
            out += c == '\'' ? std::string("'\\''") : std::string(1, c);
        else if (c == '\'' || c == '\\')
            out += cat('\\', c);
        else if (byte >= 0x20 && byte < 0x7F)
            out += c;
        else
            out += cat('\\', digits[byte >> 6], digits[byte >> 3 & 7U], digits[byte & 7U]);
    }
    return out += '\'';
}
/// A path as an argument that no program takes for an option.
inline std::string shell_quoted(const std::filesystem::path& path) {
    const std::string text = path.string();
    return shell_quoted(std::string_view(text.starts_with('-') ? "./" + text : text));
}

/// The error for a PyTorch pickle, or an index of pickles, which this library does not execute. Its command writes the
/// .safetensors file that is looked for in a folder.
inline failure pickle_failure(const std::filesystem::path& path) {
    constexpr std::string_view load = "torch.load(%, map_location=\"cpu\", weights_only=True)";
    std::string name = path.filename().string(), read(load);
    const auto index = name.find(".bin.index.");
    if (index != std::string::npos) {
        name.resize(index);
        read.replace(read.find('%'), 1, "os.path.join(os.path.dirname(sys.argv[1]), f)");
        read = cat("{k: v for f in sorted(set(json.load(open(sys.argv[1]))[\"weight_map\"].values())) for k, v in ",
                   read, ".items()}");
    } else {
        read.replace(read.find('%'), 1, "sys.argv[1]");
        name = path.stem().string();
    }
    constexpr std::string_view theirs = "pytorch_model"; // transformers' name; its safetensors are called model
    if (name.starts_with(theirs)) name.erase(0, theirs.size() - std::string_view("model").size());
    name += path.extension() == ".safetensors" ? ".converted.safetensors" : ".safetensors";
    auto target = path;
    target.replace_filename(name);
    return {
        errc::unsupported,
        cat(path.string(), index == std::string::npos ? ": is a PyTorch pickle" : ": is an index of PyTorch pickles",
            ", not safetensors; convert it once with: python3 -c 'import json, os, sys, torch; from safetensors.torch "
            "import save_file; s = ",
            read,
            "; save_file({k: v.contiguous().clone() for k, v in s.get(\"state_dict\", s).items()}, sys.argv[2], "
            "{\"format\": \"pt\"})' ",
            shell_quoted(path), " ", shell_quoted(target))};
}

/// Whether a name is that of a pickle.
inline bool is_pickle_name(std::string_view name) noexcept {
    for (const std::string_view ending : {".bin", ".pt", ".pth", ".ckpt", ".bin.index.json", ".bin.index.fp16.json"})
        if (name.ends_with(ending)) return true;
    return false;
}

/// The error `why` of a file that could not be read, or, if its first bytes show it, what the file is: a Git LFS
/// pointer, a web page, a pickle, JSON.
inline failure explained(failure why, const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto is = [&](std::string_view what) { return failure{errc::bad_format, cat(path.string(), ": ", what)}; };
    if (text.starts_with("version https://git-lfs.github.com/"))
        return is("is a Git LFS pointer, not the file that it stands for; fetch that with: git lfs pull");
    if (text.starts_with("PK\x03\x04") || (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5))
        return pickle_failure(path);
    auto begin = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (begin == std::string_view::npos) return why;
    const std::string start = lower(text.substr(begin, 14));
    for (const std::string_view page : {"<!doctype html", "<html", "<?xml"})
        if (start.starts_with(page))
            return is("is a web page, not the file that was asked for: the download went wrong, or needs a login; "
                      "download the file itself");
    return why;
}
/// The same for a file that should be safetensors.
inline failure explained_weights(failure why, const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos || text[begin] != '{' || text.find('\0') != std::string_view::npos)
        return explained(std::move(why), path, bytes);
    const bool index = text.find("\"weight_map\"") != std::string_view::npos;
    return {errc::bad_format,
            cat(path.string(), ": is JSON, not safetensors; ",
                index ? "an index of shards must have a name that ends in .safetensors.index.json"
                      : "give the file of the weights; if this was a download, it went wrong: it begins with ",
                index ? "" : quote(text.substr(begin), 60))};
}

} // namespace apriori::io
