// SPDX-License-Identifier: Apache-2.0
// A non-owning reference to a callable, behind one type: C++26's std::function_ref.
#pragma once

#include "apriori/core/macros.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace apriori {

template <class Signature>
class function_ref;

/// Refers to a callable that must outlive it.
template <class R, class... Args>
class function_ref<R(Args...)> {
public:
    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref> && std::is_invocable_r_v<R, F&, Args...>)
    function_ref(F&& f) noexcept
        : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
          call_([](void* object, Args... args) -> R {
              return (*static_cast<std::add_pointer_t<F>>(object))(std::forward<Args>(args)...);
          }) {}

    R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

private:
    void* object_;
    R (*call_)(void*, Args...);
};

} // namespace apriori
