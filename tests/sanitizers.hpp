// SPDX-License-Identifier: Apache-2.0
// Whether a test is compiled with the address sanitizer, under which it takes ten times as long. Such tests leave out
// cases that check only numbers and run the same code as shorter ones.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define APRIORI_TEST_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define APRIORI_TEST_ASAN
#endif
#endif

#ifdef APRIORI_TEST_ASAN
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
