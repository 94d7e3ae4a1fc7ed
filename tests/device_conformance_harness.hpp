// SPDX-License-Identifier: Apache-2.0
// Evaluates one expression on a device and on the oracle, with the same inputs: every element has to be within the
// oracle's bound, the launches have to be those of the plan, and only the result may be written.
#pragma once

#include "apriori/device/recording.hpp"
#include "apriori/expr.hpp"
#include "device_oracle.hpp"
#include "sanitizers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <string>

namespace conformance {

using apriori::extents;
using apriori::extents_of;
using apriori::index_t;
using apriori::view;

/// Uniform in [low, high). A seed gives the same numbers on every device.
class numbers {
public:
    explicit numbers(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
    std::uint64_t bits() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    float uniform(float low, float high) {
        return low + (high - low) * static_cast<float>(bits() >> 40) * (1.0f / 16777216.0f);
    }
    index_t below(index_t n) { return static_cast<index_t>(bits() % static_cast<std::uint64_t>(n)); }

private:
    std::uint64_t state_;
};

/// Operands in a device's memory, with numbers that depend only on the seed and the order of the calls.
template <class D>
class inputs {
public:
    inputs(D& d, std::uint64_t seed) : device_(d), numbers_(seed) {}

    /// A dense tensor of numbers between low and high.
    template <class E>
    view<const float, E> tensor(E shape, float low = -1.0f, float high = 1.0f) {
        std::vector<float> x(static_cast<std::size_t>(shape.size()));
        for (float& a : x) a = numbers_.uniform(low, high);
        return values(shape, std::move(x));
    }
    /// A dense tensor of the given numbers, repeated as often as needed.
    template <class E>
    view<const float, E> values(E shape, std::vector<float> x) {
        const std::size_t given = x.size();
        x.resize(static_cast<std::size_t>(shape.size()));
        for (std::size_t i = given; i < x.size(); ++i) x[i] = x[i - given];
        return {put(x), shape};
    }
    /// Indices of rows below `limit`.
    template <class E>
    view<const std::int32_t, E> indices(E shape, index_t limit) {
        std::vector<std::int32_t> x(static_cast<std::size_t>(shape.size()));
        for (auto& a : x) a = static_cast<std::int32_t>(numbers_.below(limit));
        return {put(x), shape};
    }
    /// A weight [N, K], packed in two parts.
    template <index_t N, index_t K>
    auto weight(extents<N, K>) {
        using packed = typename D::template packed<apriori::f32>;
        std::vector<float> w(static_cast<std::size_t>(N * K));
        for (float& a : w) a = numbers_.uniform(-1.0f, 1.0f);
        kept_.push_back({device_.allocate(packed::stored_bytes(N, K)), {}});
        const packed p(reinterpret_cast<std::byte*>(kept_.back().memory.data()), N, K);
        const std::size_t half = static_cast<std::size_t>(N / 2 * K);
        EXPECT_TRUE(device_.pack(p, 0, std::span<const float>(w).first(half)).ok());
        EXPECT_TRUE(device_.pack(p, N / 2, std::span<const float>(w).subspan(half)).ok());
        return apriori::weight<packed, N, K>{p};
    }
    /// Sequences with a mask over the first `masked` keys, or without a mask if that is 0.
    apriori::attention_rows sequences(index_t count, index_t tokens, index_t masked, bool causal) {
        apriori::attention_rows rows{count, tokens, nullptr, 0, causal};
        if (masked > 0) {
            std::vector<std::uint8_t> mask(static_cast<std::size_t>(count * masked));
            for (auto& m : mask) m = numbers_.below(3) > 0;
            rows.mask = put(mask);
            rows.masked = masked;
        }
        return rows;
    }
    /// Groups of attention over cached rows, in the device's memory.
    apriori::attention_groups groups(const std::vector<apriori::attention_group>& all, bool causal) {
        apriori::attention_groups g{put(all), static_cast<index_t>(all.size())};
        g.causal = causal;
        for (const apriori::attention_group& one : all) {
            const index_t past = one.past[0].count + one.past[1].count;
            for (index_t q = 0; q < one.queries; ++q) {
                const index_t keys = past + (causal ? one.first_query + q - one.first_row + 1 : 1);
                g.max_keys = std::max(g.max_keys, keys);
                g.scores += keys;
            }
            g.out_rows += one.queries;
        }
        return g;
    }
    /// The result's own memory as an operand, for an expression that is evaluated in place.
    template <class E>
    view<const float, E> destination(E shape) {
        const auto v = tensor(shape);
        destination_ = const_cast<float*>(v.data);
        kept_.back().before.clear();
        return v;
    }
    float* in_place() const { return destination_; }

    /// Empty if no operand has changed.
    std::string changed() {
        for (auto& k : kept_) {
            std::vector<std::byte> now(k.before.size());
            if (!now.empty() && !device_.download(now.data(), k.memory.data(), now.size()).ok())
                return "download failed";
            if (now != k.before) return "an operand was written";
        }
        return {};
    }

private:
    struct kept {
        typename D::buffer memory;
        std::vector<std::byte> before;
    };

    template <class T>
    const T* put(const std::vector<T>& x) {
        const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
        const std::size_t size = x.size() * sizeof(T);
        kept_.push_back({device_.allocate(size), {bytes, bytes + size}});
        EXPECT_TRUE(size == 0 || device_.upload(kept_.back().memory.data(), bytes, size).ok());
        return reinterpret_cast<const T*>(kept_.back().memory.data());
    }

    D& device_;
    numbers numbers_;
    std::deque<kept> kept_;
    float* destination_ = nullptr;
};

/// A shape whose rank is a run-time number too, so that the functions below are compiled once and not for each
/// expression.
struct shape {
    std::vector<index_t> sizes;
    std::vector<index_t> strides; ///< of the result in memory

    template <class E>
    shape(const E& e, index_t pad) : sizes(e.sizes.begin(), e.sizes.end()), strides(sizes.size()) {
        index_t step = 1;
        for (std::size_t i = sizes.size(); i-- > 0;) {
            strides[i] = step;
            step *= sizes[i] + (i + 1 == sizes.size() && i > 0 ? pad : 0);
        }
        span = step;
    }
    index_t elements() const {
        index_t n = 1;
        for (index_t s : sizes) n *= s;
        return n;
    }
    std::vector<index_t> index_of(index_t element) const {
        std::vector<index_t> index(sizes.size());
        for (std::size_t i = sizes.size(); i-- > 0; element /= sizes[i]) index[i] = element % sizes[i];
        return index;
    }
    std::size_t offset_of(index_t element) const {
        const auto index = index_of(element);
        index_t offset = 0;
        for (std::size_t i = 0; i < sizes.size(); ++i) offset += index[i] * strides[i];
        return static_cast<std::size_t>(offset);
    }

    index_t span = 0; ///< elements from the first to the last, gaps included
};

/// Empty if `got` is within the bound of the values that the oracle wrote at `expected`, otherwise the worst element.
inline std::string compare(const shape& shape, const float* expected, const float* got) {
    double worst = 0;
    std::string text;
    for (index_t i = 0; i < shape.elements(); ++i) {
        const oracle::real e = oracle::read(expected + i);
        const double g = static_cast<double>(got[shape.offset_of(i)]), distance = std::fabs(g - e.value);
        if (std::isnan(e.value) ? std::isnan(g) : g == e.value || distance <= e.error) continue;
        const double excess = std::isnan(distance) || e.error == 0 ? oracle::infinity : distance / e.error;
        if (excess <= worst) continue;
        worst = excess;
        text = "worst at [";
        for (index_t a : shape.index_of(i)) text += (text.back() == '[' ? "" : ", ") + std::to_string(a);
        char line[160];
        std::snprintf(line, sizeof line, "]: %.9g, expected %.9g +- %.3g", g, e.value, e.error);
        text += line;
    }
    return text;
}

/// A device's memory for a result and a workspace, filled with and surrounded by values that the expression must not
/// use.
template <class D>
class stage {
public:
    static constexpr float untouched = -12345.678f;

    stage(D& d, const shape& s, std::size_t workspace, float* in_place)
        : device_(d),
          shape_(s),
          in_place_(in_place),
          workspace_(workspace),
          out_(static_cast<std::size_t>(s.span) + 16, untouched),
          out_memory_(d.allocate(out_.size() * sizeof(float))),
          memory_(d.allocate(workspace + noise)) {
        const std::vector<unsigned char> fill(workspace + noise, 0xff);
        EXPECT_TRUE(d.upload(out_memory_.data(), out_.data(), out_.size() * sizeof(float)).ok());
        EXPECT_TRUE(d.upload(memory_.data(), fill.data(), fill.size()).ok());
    }

    float* out() { return in_place_ ? in_place_ : reinterpret_cast<float*>(out_memory_.data()); }
    std::span<std::byte> workspace() { return {reinterpret_cast<std::byte*>(memory_.data()), workspace_}; }

    /// What is wrong with the result, or empty.
    std::string judge(const apriori::status& done, const float* expected) {
        if (!done.ok()) return std::string("assign: ") + done.what;
        if (!device_.synchronize().ok()) return "synchronize failed";
        const std::size_t seen = in_place_ ? static_cast<std::size_t>(shape_.span) : out_.size();
        if (seen > 0 && !device_.download(out_.data(), out(), seen * sizeof(float)).ok()) return "download failed";
        if (const std::string wrong = compare(shape_, expected, out_.data()); !wrong.empty()) return wrong;

        std::vector<unsigned char> tail(noise);
        if (!device_.download(tail.data(), memory_.data() + workspace_, noise).ok()) return "download failed";
        for (unsigned char c : tail)
            if (c != 0xff) return "written behind the workspace";
        for (index_t i = 0; i < shape_.elements(); ++i) out_[shape_.offset_of(i)] = untouched;
        for (std::size_t i = 0; i < seen; ++i)
            if (out_[i] != untouched) return "written outside of the result, at " + std::to_string(i);
        return {};
    }

private:
    static constexpr std::size_t noise = 64;

    D& device_;
    shape shape_;
    float* in_place_;
    std::size_t workspace_;
    std::vector<float> out_;
    typename D::buffer out_memory_, memory_;
};

/// The difference between the launches that were made and those of the plan.
template <int Capacity>
std::string compare(const std::vector<apriori::launch>& made, const apriori::launch_plan<Capacity>& plan) {
    if (static_cast<int>(made.size()) != plan.size()) return std::to_string(made.size()) + " launches were made";
    for (int i = 0; i < plan.size(); ++i)
        if (!(made[static_cast<std::size_t>(i)] == plan[i])) return "another launch " + std::to_string(i + 1);
    return {};
}

/// apriori::assign without its planning, which the tests of expr/ cover.
template <class D, class Out, class X>
apriori::status assign_directly(D& device, std::span<std::byte> span, const Out& out, const X& x) {
    apriori::workspace memory(span);
    return apriori::context<D>(device, memory).assign(out, x);
}

template <int Capacity>
void expect_none(const std::vector<std::string>& wrong, const apriori::launch_plan<Capacity>& plan) {
    for (const std::string& w : wrong)
        if (!w.empty()) ADD_FAILURE() << w << "\nin the plan\n" << describe(plan);
}

template <class E>
view<float, E, apriori::layout::rows> result_view(float* p, const E& e, const shape& s) {
    typename view<float, E>::sizes_type strides{};
    std::copy(s.strides.begin(), s.strides.end(), strides.begin());
    return {p, e, strides};
}

/// The oracle's result of an expression, for a device like D.
template <class D, class Build>
class expectation {
    using reference = oracle::device<D::fuses_prologue>;

    reference device_ = (oracle::forget_all(), reference{});
    inputs<reference> in_;
    decltype(std::declval<const Build&>()(std::declval<inputs<reference>&>())) x_;

public:
    std::remove_cvref_t<decltype(apriori::as_node(std::declval<decltype((x_))>()).ext())> extents;
    shape dense;

private:
    stage<reference> stage_;

public:
    std::string unsound; ///< what is already wrong with it

    expectation(const Build& build, std::uint64_t seed)
        : in_(device_, seed),
          x_(build(in_)),
          extents(apriori::as_node(x_).ext()),
          dense(extents, 0),
          stage_(device_, dense, 1 << 16, in_.in_place()) {
        const apriori::status s =
            assign_directly(device_, stage_.workspace(), result_view(stage_.out(), extents, dense), x_);
        unsound = stage_.judge(s, stage_.out());
    }
    const float* values() { return stage_.out(); }
};

/// Evaluates build(inputs) on the device and on the oracle. The result is written with its rows `pad` elements apart.
template <class D, class Build>
void conforms_padded(D& d, const Build& build, std::uint64_t seed, index_t pad) {
    expectation<D, Build> expected(build, seed);
    inputs<D> in(d, seed);
    const auto x = build(in);
    const auto plan = apriori::plan_body<D>([&](auto& to) { // into floats, whatever the element type of x
        return to.assign(view<float, extents_of<decltype(x)>>(nullptr, expected.extents), x);
    });
    const shape padded(expected.extents, in.in_place() ? 0 : pad);
    stage<D> got(d, padded, plan.workspace, in.in_place());
    apriori::recording<D> recorder(d);
    const apriori::status done =
        assign_directly(recorder, got.workspace(), result_view(got.out(), expected.extents, padded), x);
    expect_none({expected.unsound, got.judge(done, expected.values()), compare(recorder.launches, plan), in.changed()},
                plan);
}

/// The same with a result whose first axis is the contiguous one.
template <class D, class Build>
void conforms_strided(D& d, const Build& build, std::uint64_t seed = 1) {
    expectation<D, Build> expected(build, seed);
    inputs<D> in(d, seed);
    const auto x = build(in);
    shape turned = expected.dense;
    for (std::size_t i = 0, step = 1; i < turned.sizes.size(); step *= static_cast<std::size_t>(turned.sizes[i++]))
        turned.strides[i] = static_cast<index_t>(step);
    const auto body = [&](auto& to, float* p) {
        const auto out = result_view(p, expected.extents, turned);
        using E = typename std::remove_const_t<decltype(out)>::extents_type;
        to(view<float, E, apriori::layout::strided>(out)) = x;
    };
    stage<D> got(d, turned, apriori::workspace_of<D>([&](auto& to) { body(to, nullptr); }), nullptr);
    apriori::workspace memory(got.workspace());
    apriori::context<D> to(d, memory);
    body(to, got.out());
    EXPECT_EQ(expected.unsound, "");
    EXPECT_EQ(got.judge(to.state, expected.values()), "");
    EXPECT_EQ(in.changed(), "");
}

template <class D, class Build>
void conforms(D& d, const Build& build, std::uint64_t seed = 1) {
    for (index_t pad : {0, 3})
        if (!testing::Test::HasFailure()) conforms_padded(d, build, seed, pad);
}

/// The fixture of the typed tests. Factory is a default-constructible type with a member `device`. An optional static
/// `why_not()` says why there is no device to test, and is empty if there is one.
template <class Factory>
class device_test : public testing::Test {
protected:
    Factory factory;

    void SetUp() override {
        if constexpr (requires { Factory::why_not(); })
            if (const std::string why = Factory::why_not(); !why.empty()) GTEST_SKIP() << why;
    }

    /// Compares `build` on the device and on the oracle; failures name the sizes.
    template <class Build, class... Sizes>
    void expect(const Build& build, Sizes... sizes) {
        std::string text = "sizes";
        ((text += ' ' + std::to_string(sizes)), ...);
        SCOPED_TRACE(text);
        conforms(factory.device, build, 1);
    }
};

} // namespace conformance
