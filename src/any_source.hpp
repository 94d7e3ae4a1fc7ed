// SPDX-License-Identifier: Apache-2.0
// Any tensor source behind one type, so that the models' translation units need no file formats.
#pragma once

#include "apriori/core/tensor_source.hpp"
#include "interrupt.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace apriori::program {

/// Refers to a source that must outlive it. Once the program is interrupted, reads fail with `cancelled`.
class any_source {
public:
    /// `on_read` gets the total number of values read so far, after each chunk, from one thread at a time.
    explicit any_source(tensor_source_ref source, std::function<void(std::int64_t values)> on_read = {})
        : source_(source), on_read_(std::move(on_read)) {}

    std::size_t size() const { return source_.size(); }
    tensor_info info(std::size_t i) const { return source_.info(i); }
    status read(std::size_t i, std::int64_t first, std::span<float> out) const {
        if (interrupt_signal() != 0) return {errc::cancelled, "interrupted while the weights were loaded"};
        const status s = source_.read(i, first, out);
        if (!s.ok()) return s;
        const std::scoped_lock one(lock_);
        values_ += static_cast<std::int64_t>(out.size());
        if (on_read_) on_read_(values_);
        return s;
    }
    bool concurrent_reads() const { return source_.concurrent_reads(); }

private:
    tensor_source_ref source_;
    std::function<void(std::int64_t)> on_read_;
    mutable std::int64_t values_ = 0;
    mutable std::mutex lock_;
};

static_assert(tensor_source<any_source>);

} // namespace apriori::program
