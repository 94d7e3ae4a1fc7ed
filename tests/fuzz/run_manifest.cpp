// SPDX-License-Identifier: Apache-2.0
// Manifests of runs. If one is accepted, it reads as the same run with the same progress after it is written.
#include "apriori/io/run_manifest.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto manifest = run_manifest::parse(text(data, size), "x.manifest.json");
    if (!manifest) return refused(manifest.error());
    require(manifest->done <= manifest->items, "no more is done than there is");
    const auto again = run_manifest::parse(manifest->text(), "again");
    require(again.ok() && again->done == manifest->done && !run_manifest::between(*manifest, *again),
            "a manifest reads as it was written");
    return 0;
}
