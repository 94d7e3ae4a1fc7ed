// SPDX-License-Identifier: Apache-2.0
// A .npy file. If it is accepted, it has as many values as its shape says, a view of it has the same values, and it
// reads the same after it is written.
#include "apriori/io/npy.hpp"
#include "fuzzing.hpp"

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_folder folder;
    const auto array = parse_npy(std::as_bytes(std::span(data, size)), "x.npy");
    if (!array) return refused(array.error());
    index_t count = 1;
    for (const index_t n : array->shape) {
        require(n >= 0, "an extent is not negative");
        count *= n;
    }
    require(count == std::ssize(array->values), "the values are those of the shape");
    if (array->shape.size() != 2) return 0;
    if (const auto seen = view_npy<float, extents<dyn, dyn>>(std::as_bytes(std::span(data, size)), "x.npy"))
        require(same_bits(seen->flat(), array->values), "a view has the same values");
    else
        refused(seen.error());
    const auto path = folder.path / "copy.npy";
    require(write_npy(path, array->shape[0], array->shape[1], array->values).ok(), "it can be written");
    const auto copy = read_npy(path);
    require(copy.ok() && copy->shape == array->shape && same_bits(copy->values, array->values), "it reads the same");
    return 0;
}
