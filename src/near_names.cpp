// SPDX-License-Identifier: Apache-2.0
#include "near_names.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace apriori::program {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1); // distances of a's prefix to every prefix of b
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

std::vector<std::string> near_names(std::string_view name, const std::vector<std::string>& names, std::size_t most) {
    name = name.substr(0, 200);
    std::vector<std::pair<std::size_t, std::string>> ranked;
    for (const auto& n : names) ranked.emplace_back(edit_distance(name, std::string_view(n).substr(0, 200)), n);
    std::sort(ranked.begin(), ranked.end());
    if (ranked.size() > most) ranked.resize(most);
    std::vector<std::string> near;
    for (auto& r : ranked) near.push_back(std::move(r.second));
    return near;
}

} // namespace apriori::program
