// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one word (Sennrich et al. 2016), over the bytes of its UTF-8 text as in GPT-2 and CLIP.
#pragma once

#include "apriori/core/macros.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace apriori {

/// The printable character that stands for each byte in vocab.json and merges.txt, as UTF-8 (GPT-2's bytes_to_unicode).
/// Printable ASCII and Latin-1 stand for themselves, the other 68 for U+0100 on, in order.
inline std::array<std::string, 256> byte_symbols() {
    std::array<std::string, 256> out;
    unsigned next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
        const bool printable = (b >= 33 && b < 127) || (b >= 161 && b != 173);
        const unsigned c = printable ? b : next++;
        if (c < 0x80)
            out[b] = char(c);
        else
            out[b] = {char(0xC0U | (c >> 6)), char(0x80U | (c & 0x3FU))};
    }
    return out;
}

/// The bytes in the order of CLIP's vocabulary: the printable ones first.
inline std::array<unsigned char, 256> byte_order() {
    std::array<unsigned char, 256> out{};
    std::size_t n = 0;
    const auto symbols = byte_symbols();
    for (const bool printable : {true, false})
        for (unsigned b = 0; b < 256; ++b)
            if (((symbols[b][0] & 0xFF) < 0xC4) == printable) out[n++] = b & 0xFF;
    return out;
}

/// Which pairs of tokens merge into which token, and in which order.
class byte_pairs {
public:
    /// The ids of a byte inside a word and at its end.
    std::array<std::int32_t, 256> inner{}, last{};

    /// `left` and `right` merge into `whole`; the pair with the lower rank goes first. Replaces an earlier merge of the
    /// pair.
    void merge(std::int32_t left, std::int32_t right, std::int32_t whole, int rank) {
        merges_[key(left, right)] = {rank, whole};
    }
    std::size_t size() const noexcept { return merges_.size(); }

    /// Appends the ids of a word. Takes time n log n for n bytes, whatever they are.
    void encode(std::string_view word, std::vector<std::int32_t>& out) const {
        if (word.empty()) return;
        std::vector<part> parts(word.size());
        for (std::size_t i = 0; i < word.size(); ++i) {
            const unsigned char byte = static_cast<unsigned char>(word[i]);
            const bool end = i + 1 == word.size();
            parts[i] = {end ? last[byte] : inner[byte], i, end ? none : i + 1, true}; // the first: its own predecessor
            if (i > 0) parts[i].before = i - 1;
        }
        std::priority_queue<candidate, std::vector<candidate>, std::greater<>> queue;
        const auto propose = [&](std::size_t at) {
            if (const outcome* o = find(parts, at)) queue.push({o->rank, at, o->whole});
        };
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) propose(i);
        while (!queue.empty()) {
            const candidate best = queue.top();
            queue.pop();
            part& left = parts[best.at];
            if (!left.alive) continue;
            const outcome* now = find(parts, best.at);
            if (now == nullptr || now->whole != best.whole) continue; // its parts have changed since
            part& right = parts[left.after];
            right.alive = false;
            left.id = best.whole;
            left.after = right.after;
            if (left.after != none) parts[left.after].before = best.at;
            if (best.at != 0) propose(left.before);
            propose(best.at);
        }
        for (std::size_t i = 0; i != none; i = parts[i].after) out.push_back(parts[i].id);
    }

private:
    static constexpr std::size_t none = std::string::npos;
    struct part {
        std::int32_t id = 0;
        std::size_t before = 0, after = none; ///< neighbours that are still alive
        bool alive = false;
    };
    struct outcome {
        int rank = 0;
        std::int32_t whole = 0;
    };
    struct candidate {
        int rank = 0;
        std::size_t at = 0;
        std::int32_t whole = 0;
        auto operator<=>(const candidate&) const = default;
    };
    static std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
        return std::uint64_t{std::uint32_t(left)} << 32 | std::uint32_t(right);
    }
    /// What a part and the next one merge into; nullptr if they do not.
    const outcome* find(const std::vector<part>& parts, std::size_t at) const {
        const std::size_t next = parts[at].after;
        if (next == none) return nullptr;
        const auto found = merges_.find(key(parts[at].id, parts[next].id));
        return found == merges_.end() ? nullptr : &found->second;
    }

    std::unordered_map<std::uint64_t, outcome> merges_;
};

} // namespace apriori
