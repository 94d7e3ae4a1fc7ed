// SPDX-License-Identifier: Apache-2.0
#include "bench_report.hpp"

#include "apriori/core/version.hpp"
#include "plan_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace apriori::program {

double median(std::vector<double> figures) {
    if (figures.empty()) return 0;
    std::sort(figures.begin(), figures.end());
    const std::size_t half = figures.size() / 2;
    return figures.size() % 2 == 1 ? figures[half] : (figures[half - 1] + figures[half]) / 2;
}

double best(const std::vector<double>& figures) {
    return figures.empty() ? 0 : *std::max_element(figures.begin(), figures.end());
}

double bench_report::floor_of(const timed_work& work) const {
    const double computing = best(gflops), reading = best(gbytes);
    if (computing <= 0 || reading <= 0) return 0;
    double seconds = 0;
    for (const work_part& p : work.parts)
        seconds += p.times * std::max(p.flops * 1e-9 / computing, p.bytes * 1e-9 / reading);
    return seconds;
}

std::string bench_report::json() const {
    using object = nlohmann::ordered_json;
    const auto of_each = [&](auto&& value) {
        object o = object::object();
        for (const timing& t : works) o[t.work.name] = value(t);
        return o;
    };
    object o;
    o["model"] = model;
    o["source"] = source;
    o["device"] = device;
    o["arch"] = arch.empty() ? object(nullptr) : object(arch);
    o["threads"] = threads;
    o["weights"] = weights;
    o["weight_bytes"] = weight_bytes;
    o["tokens"] = tokens;
    o["unconditional_tokens"] = unconditional_tokens;
    o["samples"] = samples;
    o["steps"] = steps;
    o["guidance"] = guidance;
    object seconds{{"load", load}, {"start_to_ready", ready}, {"first", first}};
    seconds.update(of_each([](const timing& t) { return median(t.seconds); }));
    o["seconds"] = seconds;
    o["runs"] = of_each([](const timing& t) { return t.seconds.size(); });
    o["gflops"] = of_each([](const timing& t) { return t.work.flops * 1e-9 / median(t.seconds); });
    o["gbytes_per_second"] = of_each([](const timing& t) { return t.work.bytes * 1e-9 / median(t.seconds); });
    const bool limited = !gflops.empty();
    const auto ceilings = [&](double computing, double reading) {
        return limited ? object{{"gflops", computing}, {"gbytes_per_second", reading}} : object(nullptr);
    };
    o["ceilings"] = ceilings(best(gflops), best(gbytes));
    o["median_ceilings"] = ceilings(median(gflops), median(gbytes));
    o["floor_seconds"] = limited ? of_each([&](const timing& t) { return floor_of(t.work); }) : object(nullptr);
    o["of_floor"] =
        limited ? of_each([&](const timing& t) { return floor_of(t.work) / median(t.seconds); }) : object(nullptr);
    o["peak_memory_bytes"] = peak_memory_bytes;
    o["apriori"] = version::string;
    return o.dump(2, ' ', false, object::error_handler_t::replace) + "\n"; // the model's path may be any bytes
}

std::string bench_report::table() const {
    std::string text = fmt::format("{}, {} weights, {}{}, {} thread{}; {}: {}B packed\n", model, source, device,
                                   arch.empty() ? "" : " " + arch, threads, threads == 1 ? "" : "s", weights,
                                   scaled(static_cast<double>(weight_bytes)));
    text += fmt::format("{} tokens, {} of the unconditional prompt, {} sample{}, {} step{}, guidance {}\n", tokens,
                        unconditional_tokens, samples, samples == 1 ? "" : "s", steps, steps == 1 ? "" : "s", guidance);
    if (!gflops.empty())
        text += fmt::format(
            "ceilings in this run: at best {:.1f} GFLOP/s in products of {} and {:.1f} GB/s, which make the floor; "
            "medians {:.1f} and {:.1f}\n",
            best(gflops), weights, best(gbytes), median(gflops), median(gbytes));
    text += fmt::format("\n{:<16}{:>12}{:>10}{:>10}{:>12}{:>10}\n", "", "seconds", "GFLOP/s", "GB/s", "floor", "of it");
    for (const timing& t : works) {
        const double s = median(t.seconds), floor = floor_of(t.work);
        text += fmt::format("{:<16}{:>12.6f}{:>10.1f}{:>10.1f}", t.work.name, s, t.work.flops * 1e-9 / s,
                            t.work.bytes * 1e-9 / s);
        if (floor > 0) text += fmt::format("{:>12.6f}{:>9.0f}%", floor, 100 * floor / s);
        text += '\n';
    }
    text += fmt::format("\nload {:.3f} s; ready {:.3f} s after the process began; the first {} {:.3f} s; "
                        "peak memory {}B\n",
                        load, ready, works.empty() ? "" : "run", first, scaled(static_cast<double>(peak_memory_bytes)));
    return text;
}

} // namespace apriori::program
