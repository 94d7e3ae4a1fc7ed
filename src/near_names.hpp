// SPDX-License-Identifier: Apache-2.0
// Names that may have been meant by another one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apriori::program {

/// The number of letters to insert, delete or replace to turn one into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The (at most `most`) names nearest to `name`, the nearest first.
std::vector<std::string> near_names(std::string_view name, const std::vector<std::string>& names, std::size_t most = 3);

} // namespace apriori::program
