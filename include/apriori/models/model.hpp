// SPDX-License-Identifier: Apache-2.0
// What all models have: a device, shared weights, a plan, a workspace, and a forward that processes rows in chunks.
#pragma once

#include "apriori/core/weight_format.hpp"
#include "apriori/expr/plan.hpp"
#include "apriori/models/device_array.hpp"
#include "apriori/models/packed_weights.hpp"

#include <algorithm>
#include <memory>
#include <span>

namespace apriori::detail {

/// Model, of an architecture on a device, with weights packed in a Format. An architecture is
/// a struct of static members:
///   config                       a canonical configuration; parameters_of(config) is the table of its weights
///   limits                       the largest inputs of a workspace: `rows`, and filled_in(config)
///   input                        rows(), check(limits, config), and shaped(limits): without memory, for plans
///   output                       `state`, and of(input, spans...): an input's results in these spans, with an error if
///                                they are too small
///   layers, distinct_layers      the model's layers, and how many of them have all different workspaces
///   launches                     at least as many as its plan has
///   run(to, w, in, out, first, count, depth)
///                                passes rows first .. first + count through `depth` layers
template <class Model, class Architecture, class Device, class Format>
class model {
public:
    static constexpr auto config = Architecture::config;
    using device_type = Device;
    using format = Format;
    using input = typename Architecture::input;
    using output = typename Architecture::output;
    using weights = packed_weights<model_of<config>, Device, Format>;

    using block_type = weight_block<typename weights::operands_type>;

    /// A model on `device`, which must outlive it, with shared weights.
    model(Device& device, std::shared_ptr<const weights> w)
        : device_(&device), block_(w ? w->block() : block_type{}), weights_(std::move(w)) {}
    /// The same with packed weights that must stay in memory while it is used, usually linked into the program.
    model(Device& device, const block_type& w) : device_(&device), block_(w) {}

    /// Loads the weights from a tensor source (io/).
    static result<Model> load(Device& device, const tensor_source auto& source) {
        auto w = weights::load(device, source);
        if (!w) return w.error();
        return Model(device, std::move(*w));
    }

    /// Bytes of workspace that forward needs for up to `l.rows` rows at a time.
    static constexpr std::size_t workspace_bytes(typename Architecture::limits l) {
        return workspace_of<Device>(forward_of(l, Architecture::distinct_layers));
    }
    /// All launches of one forward of l.rows rows, in order, with their costs.
    static constexpr auto plan(typename Architecture::limits l) {
        return plan_body<Device, Architecture::launches>(forward_of(l, Architecture::layers));
    }

    Device& device() const noexcept { return *device_; }
    /// Null if the model was made from a block.
    const std::shared_ptr<const weights>& shared_weights() const noexcept { return weights_; }
    const block_type& weights_block() const noexcept { return block_; }

protected:
    /// Another model with the same weights.
    template <class Other>
    Other on_the_same_weights() const {
        return weights_ ? Other(*device_, weights_) : Other(*device_, block_);
    }

    using operands = typename weights::operands_type;

    /// The output of `in`, computed l.rows rows at a time. Errors, before anything is written: those of the input's
    /// check, workspace_too_small, invalid_argument.
    output forward_into(output out, const input& in, std::span<std::byte> memory,
                        typename Architecture::limits l) const {
        l = l.filled_in(config);
        out.state = first_error(in.check(l, config), out.state);
        if (out.state) out.state = check_workspace(memory, workspace_bytes(l));
        workspace w(memory);
        context to(*device_, w);
        to.state = out.state;
        for (index_t first = 0; first < in.rows() && to.state; first += l.rows)
            Architecture::run(to, block_.operands(), in, out, first, (std::min)(l.rows, in.rows() - first),
                              Architecture::layers);
        out.state = to.state;
        return out;
    }

private:
    /// A forward without memory, for plans.
    static constexpr auto forward_of(typename Architecture::limits l, int layers) {
        return [in = input::shaped(l.filled_in(config)), layers](auto& to) {
            Architecture::run(to, operands{}, in, output::of(in), 0, in.rows(), layers);
        };
    }

    Device* device_;
    block_type block_;
    std::shared_ptr<const weights> weights_;
};

} // namespace apriori::detail
