// SPDX-License-Identifier: Apache-2.0
// Runs the race of expressions and prints a line of JSON for each time, from which scripts/race-expressions makes its
// page.
#include "race.hpp"

#include "apriori/device/cpu/ceilings.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <thread>

namespace {

std::atomic<long> allocations{0}; ///< calls of operator new

void* allocate(std::size_t bytes, std::size_t alignment) {
    ++allocations;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

} // namespace

// The standard library's other forms call these.
void* operator new(std::size_t bytes) {
    if (void* p = allocate(bytes, alignof(std::max_align_t))) return p;
    std::abort();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t a) {
    if (void* p = allocate(bytes, std::size_t(a))) return p;
    std::abort();
}
void* operator new(std::size_t bytes, std::align_val_t a, const std::nothrow_t&) noexcept {
    return allocate(bytes, std::size_t(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace race {

namespace {

constexpr const char* size_names[3] = {"L1", "L2", "memory"};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> x) {
    std::sort(x.begin(), x.end());
    return x[x.size() / 2];
}

/// The numbers of an array of a row.
std::vector<double> numbers(const row& r, array& a) {
    if (r.of_dots) return {dots(a), dots(a) + dot_count(a)};
    return {a.flat().begin(), a.flat().end()};
}

/// The largest error of the results in p, in units of the error that their arithmetic explains: above 1 the result is
/// wrong. Functions such as exp differ by a few units in the last place, long sums by about the root of their length.
double error_of(const row& r, problem& p, const std::vector<std::vector<double>>& expected) {
    const double terms = r.terms ? r.terms(p) : 1, least = std::fmax(1.0, std::sqrt(terms) / 2);
    const double epsilon =
        r.of_dots ? double(std::numeric_limits<dot_type>::epsilon()) : double(std::numeric_limits<float>::epsilon());
    const double allowed = (64 + 4 * std::sqrt(terms)) * epsilon;
    double worst = 0;
    for (std::size_t o = 0; o < p.out.size(); ++o) {
        const std::vector<double> found = numbers(r, p.out[o]);
        for (std::size_t i = 0; i < found.size(); ++i) {
            const double e = expected[o][i];
            const double relative = std::fabs(found[i] - e) / (allowed * std::fmax(least, std::fabs(e)));
            worst = relative <= worst ? worst : relative == relative ? relative : 1e30;
        }
    }
    return worst;
}

struct runner {
    const char* library;
    call body;
    int repeats = 1;
    long news = 0;
    double error = 0;
    std::vector<double> seconds{};
};

double time_of(const runner& c) {
    const double start = now();
    for (int i = 0; i < c.repeats; ++i) c.body();
    return (now() - start) / c.repeats;
}

double bytes_of(const row& r, const problem& p) {
    if (r.bytes) return r.bytes(p);
    double floats = 0;
    for (const array& a : p.in) floats += double(a.size());
    for (const array& a : p.out) floats += double(a.size());
    return 4 * floats;
}

/// Four streams over as much memory as the rows use, on that many threads: the bandwidth of memory.
class bandwidth {
public:
    bandwidth(index_t n, int threads) : n_(n / threads / 64 * 64), threads_(threads) {
        for (int i = 0; i < 3 * threads; ++i) parts_.emplace_back(std::vector<index_t>{n_});
        for (array& a : parts_)
            for (float& e : a.flat()) e = 1;
    }
    void measure() {
        keep(read_, 1, [](float* a, float*, float*, index_t n) {
            sink_ = apriori::cpu_device::sum_stream<apriori::default_arch>(a, n);
        });
        keep(write_, 1, [](float* a, float*, float*, index_t n) {
            const float one = sink_ > 0 ? 1.0f : 2.0f;
            for (index_t i = 0; i < n; ++i) a[i] = one + float(i & 1); // not a memset, which would bypass the caches
        });
        keep(scale_, 2, [](float* __restrict a, float* __restrict b, float*, index_t n) {
            for (index_t i = 0; i < n; ++i) a[i] = 0.5f * b[i];
        });
        keep(triad_, 3, [](float* __restrict a, float* __restrict b, float* __restrict c, index_t n) {
            for (index_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
        });
    }
    void print() const {
        std::printf("{\"kind\": \"bandwidth\", \"threads\": %d, \"read\": %.3f, \"write\": %.3f, \"scale\": %.3f, "
                    "\"triad\": %.3f}\n",
                    threads_, median(read_), median(write_), median(scale_), median(triad_));
    }

private:
    using loop = void (*)(float*, float*, float*, index_t);
    void keep(std::vector<double>& to, int arrays, loop body) {
        const auto part = [&](int t) {
            array* a = &parts_[std::size_t(3 * t)];
            body(a[0].data(), a[1].data(), a[2].data(), n_);
        };
        const double start = now();
        std::vector<std::thread> others;
        for (int t = 1; t < threads_; ++t) others.emplace_back(part, t);
        part(0);
        for (std::thread& t : others) t.join();
        to.push_back(4e-9 * arrays * double(n_ * threads_) / (now() - start));
    }

    static inline std::atomic<float> sink_ = 0;
    index_t n_;
    int threads_;
    std::vector<array> parts_;
    std::vector<double> read_, write_, scale_, triad_;
};

struct options {
    bool quick = false;
    std::string only, size, dump;
};

/// One cell of the table: all contestants in turn, round by round. False if one of them is wrong, or if apriori
/// allocates.
bool race_cell(const row& r, int size, int threads, const entries& all, const options& o) {
    index_t n = r.sizes[size];
    const bool in_memory = size == 2;
    if (in_memory && o.quick) n = r.kind == stream::write ? n / 4 : n / 16;
    problem p = r.make(n);
    reference(r, p);
    std::vector<std::vector<double>> expected;
    for (array& a : p.out) expected.push_back(numbers(r, a));

    bool right = true;
    std::vector<runner> runners;
    for (const contestant& c : all) {
        if (std::strcmp(c.row, r.name) != 0) continue;
        runner one{c.library, c.make(p, threads)};
        if (!one.body) continue;
        for (array& a : p.out) std::fill(a.flat().begin(), a.flat().end(), std::numeric_limits<float>::quiet_NaN());
        one.body();
        one.error = error_of(r, p, expected);
        const long before = allocations;
        const double start = now();
        one.body();
        const double once = now() - start;
        one.news = allocations - before;
        if (!(one.error <= 1)) {
            std::fprintf(stderr, "%s, %s, %s: wrong: %.1f times what float arithmetic explains\n", r.name,
                         size_names[size], c.library, one.error);
            right = false;
            continue;
        }
        if (one.news != 0 && std::strcmp(c.library, "apriori") == 0) {
            std::fprintf(stderr, "%s, %s: apriori allocates\n", r.name, size_names[size]);
            right = false;
        }
        one.repeats = int(std::clamp((o.quick ? 2e-4 : 1e-3) / (once + 1e-9), 1.0, 1e6));
        runners.push_back(std::move(one));
    }
    const int rounds = in_memory ? (o.quick ? 3 : 7) : (o.quick ? 5 : 21);
    for (int i = 0; i < rounds; ++i)
        for (std::size_t k = 0; k < runners.size(); ++k) {
            runner& one = runners[(k + std::size_t(i)) % runners.size()];
            if (i > 1 && one.seconds.front() > 0.5) continue; // far slower: two rounds are enough
            one.seconds.push_back(time_of(one));
        }
    for (const runner& one : runners)
        std::printf("{\"kind\": \"time\", \"row\": \"%s\", \"size\": \"%s\", \"threads\": %d, \"library\": \"%s\", "
                    "\"seconds\": %.6e, \"bytes\": %.0f, \"error\": %.3f, \"allocations\": %ld}\n",
                    r.name, size_names[size], threads, one.library, median(one.seconds), bytes_of(r, p), one.error,
                    one.news);
    std::fflush(stdout);
    return right;
}

/// Prints the rows, for the page. With a folder, also writes the operands and results of the small size, for NumPy.
void describe(const options& o) {
    constexpr const char* kinds[] = {"none", "read", "write", "scale", "triad"};
    for (const row& r : rows()) {
        const std::string title = r.title + std::string(r.of_dots ? ", " : "") + (r.of_dots ? dot_type_name : "");
        std::printf("{\"kind\": \"row\", \"row\": \"%s\", \"title\": \"%s\", \"formula\": \"%s\", \"fused\": %s, "
                    "\"stream\": \"%s\", \"type\": \"%s\", \"sizes\": [%td, %td, %td]}\n",
                    r.name, title.c_str(), r.formula, r.fused ? "true" : "false", kinds[int(r.kind)],
                    r.of_dots ? dot_type_name : "float", r.sizes[0], r.sizes[1], r.sizes[2]);
        if (o.dump.empty()) continue;
        problem p = r.make(r.sizes[0]);
        reference(r, p);
        const auto write = [&](const char* what, std::size_t i, const void* data, std::size_t bytes) {
            std::ofstream(o.dump + "/" + r.name + "." + what + std::to_string(i), std::ios::binary)
                .write(static_cast<const char*>(data), std::streamsize(bytes));
        };
        for (std::size_t i = 0; i < p.in.size(); ++i) write("in", i, p.in[i].data(), p.in[i].flat().size_bytes());
        for (std::size_t i = 0; i < p.out.size(); ++i) write("out", i, p.out[i].data(), p.out[i].flat().size_bytes());
        if (!p.indices.empty()) write("indices", 0, p.indices.data(), p.indices.size() * sizeof(std::int32_t));
    }
}

void print_versions() {
    std::string libraries = "xsimd " + std::to_string(XSIMD_VERSION_MAJOR) + "." + std::to_string(XSIMD_VERSION_MINOR) +
                            "." + std::to_string(XSIMD_VERSION_PATCH);
#ifdef APRIORI_RACE_PEERS
    libraries += ", Eigen " + eigen_version();
#ifdef APRIORI_BENCH_XTENSOR
    libraries += ", xtensor " + xtensor_version();
#endif
#endif
    std::printf("{\"kind\": \"versions\", \"libraries\": \"%s\", \"instructions\": \"%s\"}\n", libraries.c_str(),
                apriori::default_arch::name());
}

int run(const options& o) {
    print_versions();
    describe(o);
    if (!o.dump.empty()) return 0;
    entries all;
    add_apriori_maps(all);
    add_apriori_rows(all);
    add_apriori_products(all);
    add_plain(all);
#ifdef APRIORI_RACE_PEERS
    add_eigen_tensor_maps(all);
    add_eigen_tensor_rows(all);
    add_eigen_tensor_products(all);
    add_eigen_matrix(all);
#ifdef APRIORI_BENCH_XTENSOR
    add_xtensor(all);
#endif
#endif
    const index_t streamed = o.quick ? index_t{1} << 22 : index_t{1} << 25;
    bandwidth one(streamed, 1), two(streamed, 2);
    bool right = true;
    for (const row& r : rows()) {
        if (!o.only.empty() && o.only != r.name) continue;
        for (int size = 0; size < 3; ++size) {
            if (!o.size.empty() && o.size != size_names[size]) continue;
            right = race_cell(r, size, 1, all, o) && right;
            if (size == 2 && std::thread::hardware_concurrency() > 1) right = race_cell(r, size, 2, all, o) && right;
        }
        one.measure();
        two.measure();
    }
    one.print();
    two.print();
    return right ? 0 : 1;
}

} // namespace

} // namespace race

int main(int argc, char** argv) {
    race::options o;
    for (int i = 1; i < argc; ++i) {
        const std::string a = argv[i];
        if (a == "--quick")
            o.quick = true;
        else if (a == "--row" && i + 1 < argc)
            o.only = argv[++i];
        else if (a == "--size" && i + 1 < argc)
            o.size = argv[++i];
        else if (a == "--dump" && i + 1 < argc)
            o.dump = argv[++i];
        else {
            std::fprintf(stderr,
                         "usage: expression_race [--quick] [--row NAME] [--size L1|L2|memory] [--dump FOLDER]\n");
            return 2;
        }
    }
    return race::run(o);
}
