// SPDX-License-Identifier: Apache-2.0
// Launches that are made many times in the same way, recorded if a device can.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/core/status.hpp"

#include <concepts>
#include <type_traits>

APRIORI_BEGIN_EXACT_MATH
namespace apriori {

/// What a device has in order to record launches, besides the requirements of the concept `device`:
///   recording               recorded launches: movable, empty when default-constructed
///   records()               whether its stream can be recorded now
///   record(to, launches)    calls `status launches()` and keeps the launches in `to`, without running them
///   replay(recording)       runs them again
template <class D>
concept recording_device = requires(D& d, typename D::recording& r, status (*launches)()) {
    { d.records() } -> std::same_as<bool>;
    { d.record(r, launches) } -> std::same_as<status>;
    { d.replay(r) } -> std::same_as<status>;
};

/// Repeats the same launches. The first time they are made directly, so that whatever a device does once for a kernel
/// is done. From the second time on they are recorded and replayed, if the device can record them.
template <class Device>
class repeated_launches {
public:
    /// Makes the launches of `status launches()`. They must be those of the last call if `operand`, the memory that
    /// they read and that may change from call to call, is the same.
    template <class Launches>
    status run([[maybe_unused]] Device& device, [[maybe_unused]] const void* operand, Launches&& launches) {
        if constexpr (recording_device<Device>) {
            if (!unrecordable_ && operand == last_operand_ && device.records()) {
                if (recorded_operand_ != operand) {
                    recorded_operand_ = nullptr;
                    unrecordable_ = !device.record(recording_, launches);
                    if (!unrecordable_) recorded_operand_ = operand;
                }
                if (!unrecordable_) return device.replay(recording_);
            }
            last_operand_ = operand;
        }
        return launches();
    }

private:
    struct nothing {};
    static constexpr auto recording_of() {
        if constexpr (recording_device<Device>)
            return std::type_identity<typename Device::recording>{};
        else
            return std::type_identity<nothing>{};
    }
    typename decltype(recording_of())::type recording_{};
    const void *last_operand_ = nullptr, *recorded_operand_ = nullptr;
    bool unrecordable_ = false;
};

} // namespace apriori
APRIORI_END_EXACT_MATH
