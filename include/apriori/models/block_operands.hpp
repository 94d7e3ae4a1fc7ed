// SPDX-License-Identifier: Apache-2.0
// The operands of a transformer block from a model's packed memory: every model names their slots alike.
#pragma once

namespace apriori::detail {

/// The Block (layers/transformer_block.hpp) of a layer; Slot is the model's enumeration.
template <class Block, class Slot, class Operands>
constexpr Block block_operands(const Operands& w, int layer) {
    return {w.template vector<Slot::norm1>(layer),  w.template vector<Slot::norm1_bias>(layer),
            w.template matrix<Slot::to_qkv>(layer), w.template vector<Slot::to_qkv_bias>(layer),
            w.template matrix<Slot::to_out>(layer), w.template vector<Slot::to_out_bias>(layer),
            w.template vector<Slot::norm3>(layer),  w.template vector<Slot::norm3_bias>(layer),
            w.template matrix<Slot::ff_in>(layer),  w.template vector<Slot::ff_in_bias>(layer),
            w.template matrix<Slot::ff_out>(layer), w.template vector<Slot::ff_out_bias>(layer)};
}

} // namespace apriori::detail
