// SPDX-License-Identifier: Apache-2.0
// A LoRA file. If it is accepted, it can be added to a model that has its modules.
#include "apriori/io/lora_source.hpp"
#include "fuzzing.hpp"

#include <set>

using namespace apriori;
using namespace apriori::io;
using namespace fuzzing;

namespace {

/// The tensors that a LoRA names, all ones.
class ones {
public:
    explicit ones(const lora_file& lora) : terms_(lora.terms()) {}
    std::size_t size() const { return terms_.size(); }
    tensor_info info(std::size_t i) const {
        const lora_term& t = terms_[i];
        return {t.tensor, t.vector ? 1 : 2, {t.rows, t.vector ? 0 : t.cols}};
    }
    status read(std::size_t, std::int64_t, std::span<float> out) const {
        std::fill(out.begin(), out.end(), 1.0f);
        return {};
    }

private:
    std::span<const lora_term> terms_;
};

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const memory_file file;
    auto lora = lora_file::open(file.write(text(data, size)));
    if (!lora) return refused(lora.error());
    std::set<std::string> names;
    for (const lora_term& t : lora->terms()) {
        require(std::ssize(t.up) == t.rows * t.rank && std::ssize(t.down) == t.rank * t.cols, "the matrices are whole");
        require(names.insert(t.tensor).second, "each tensor of the model has one term");
    }
    const std::vector<weighted_lora> loras{{std::move(*lora), 0.5}};
    const ones model(loras.front().file);
    const auto sum = lora_source<ones>::make(model, loras);
    if (!sum) return refused(sum.error());
    require(sum->touched().size() <= model.size(), "a LoRA touches what it names");
    for (std::size_t i = 0; i < sum->size(); ++i) {
        const auto count = std::min<index_t>(sum->info(i).size(), 70); // at the start and at the end
        std::vector<float> values(to_size(count));
        for (const index_t first : {index_t{0}, sum->info(i).size() - count})
            if (const status s = sum->read(i, first, values); !s) refused(s);
    }
    return 0;
}
