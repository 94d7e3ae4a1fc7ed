// SPDX-License-Identifier: Apache-2.0
// A packed file: a header and a payload, without the zeros between them. It is read unchanged, and again with correct
// checksums, which random changes would never produce.
#include "apriori/io/packed_file.hpp"
#include "fuzzing.hpp"

using namespace apriori::io;
using namespace fuzzing;

namespace {

void check(const memory_file& file, std::string_view bytes) {
    const auto image = packed_file::open(file.write(bytes));
    if (!image) {
        refused(image.error());
        return;
    }
    require(image->payload().size() == bytes.size() - packed_header::payload_at, "the payload is what follows");
    const std::string format = image->format(), layout = image->layout();
    const packed_kind kind{image->header().config_hash, format, layout, image->payload().size()};
    if (const auto fits = image->check(kind); !fits) refused(fits.error());
    if (const auto fits = image->check({kind.config_hash, "f32", "rows", 8}); !fits) refused(fits.error());
    if (const auto fits = image->check({kind.config_hash, format, "rows", 8}); !fits) refused(fits.error());
    if (const auto whole = image->verify(); !whole) refused(whole.error());
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_file file;
    std::string bytes(text(data, size));
    check(file, bytes);
    packed_header h;
    if (size < sizeof h) return 0;
    bytes.insert(sizeof h, packed_header::payload_at - sizeof h, '\0');
    check(file, bytes);
    std::memcpy(&h, bytes.data(), sizeof h);
    h.header_checksum = h.checksum();
    std::memcpy(bytes.data(), &h, sizeof h);
    check(file, bytes);
    return 0;
}
