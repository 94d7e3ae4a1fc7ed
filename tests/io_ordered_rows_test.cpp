// SPDX-License-Identifier: Apache-2.0
// Runs that write the rows of one .npy: split, stopped, resumed, and refused. (tests/mpi runs them on several ranks.)
#include "apriori/core/philox_rows.hpp"
#include "apriori/io/ordered_rows.hpp"
#include "io_testing.hpp"

#include <stdexcept>

namespace {

using namespace apriori;
using namespace apriori::io;
using io_testing::temporary_folder;

constexpr index_t width = 3;

/// Item i is the two rows [i, i, i] and [-i, -i, -i]; items from `refused` on fail.
struct counting {
    index_t refused = 1000;
    std::vector<item_range> asked{};

    result<void> operator()(index_t first, index_t count, std::span<float> out) {
        asked.push_back({first, count});
        if (first + count > refused) return failure{errc::device_error, "stopped"};
        EXPECT_EQ(std::ssize(out), count * 2 * width);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const auto row = index_t(i) / width;
            out[i] = float(first + row / 2) * (row % 2 == 0 ? 1.0f : -1.0f);
        }
        return {};
    }
};

ordered_rows run_to(const std::filesystem::path& out) {
    return {.out = out,
            .items = 10,
            .rows_of_item = 2,
            .width = width,
            .checkpoint = 4,
            .inputs = {{"seed", "1"}, {"a \"b\"", "c\n"}}};
}

TEST(PartOf, IsInOrderAndEven) {
    for (int size = 1; size < 9; ++size)
        for (index_t count = 0; count < 30; ++count) {
            index_t next = 5;
            for (int rank = 0; rank < size; ++rank) {
                const item_range mine = part_of({5, count}, rank, size);
                EXPECT_EQ(mine.first, next);
                EXPECT_GE(mine.count, count / size);
                EXPECT_LE(mine.count, ceil_div(count, size));
                next += mine.count;
            }
            EXPECT_EQ(next, 5 + count);
        }
}

TEST(PhiloxRows, DrawTheSameInAnyBatch) {
    constexpr std::size_t n = 5;
    std::vector<float> whole(6 * n), again(6 * n);
    philox_rows all(9, 100, 6);
    all.randn(whole);
    for (std::uint64_t first = 0; first < 6; first += 2) {
        philox_rows two(9, 100 + first, 2);
        two.randn(std::span(again).subspan(first * n, 2 * n));
    }
    EXPECT_EQ(whole, again);
    std::vector<float> row(n);
    philox_generator(9, 103).randn(row);
    EXPECT_TRUE(std::equal(row.begin(), row.end(), whole.begin() + 3 * n));
}

TEST(OrderedRows, MakeAnArray) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy");
    std::vector<index_t> progress;
    run.on_progress = [&](index_t done, index_t items) {
        EXPECT_EQ(items, 10);
        progress.push_back(done);
    };
    counting make;
    const auto r = write_ordered_rows(alone{}, run, make);
    ASSERT_TRUE(r.ok()) << r.error().message;
    EXPECT_EQ(progress, (std::vector<index_t>{4, 8, 10}));
    const auto array = read_npy(run.out);
    ASSERT_TRUE(array.ok()) << array.error().message;
    EXPECT_EQ(array->shape, (std::vector<index_t>{20, width}));
    for (std::size_t i = 0; i < array->values.size(); ++i) {
        const auto row = i / 3;
        EXPECT_EQ(array->values[i], float(row / 2) * (row % 2 == 0 ? 1.0f : -1.0f));
    }
    EXPECT_EQ(folder.files(), 2U); // out.npy and the manifest
    const auto manifest = run_manifest::read(run_manifest::path_of(run.out));
    ASSERT_TRUE(manifest.ok()) << manifest.error().message;
    EXPECT_EQ(manifest->done, 10U);
    EXPECT_EQ(manifest->items, 10U);
    EXPECT_EQ(manifest->inputs, (run_inputs{{"a \"b\"", "c\n"}, {"seed", "1"}}));
}

TEST(OrderedRows, GoOnWhereTheyWereStopped) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy"), whole = run_to(folder.path / "whole.npy");
    ASSERT_TRUE(write_ordered_rows(alone{}, whole, counting{}).ok());
    counting stops{.refused = 7};
    EXPECT_FAILS(write_ordered_rows(alone{}, run, stops), errc::device_error, "stopped");
    EXPECT_FALSE(std::filesystem::exists(run.out));
    EXPECT_FAILS(
        write_ordered_rows(alone{}, run, counting{}), errc::invalid_argument,
        "out.npy.part: was left by a run that was stopped after 4 of 10 items; go on with it (resume), or remove "
        "it and out.npy.manifest.json");

    run.resume = true;
    run.checkpoint = 3; // may differ from the first run's
    counting rest;
    ASSERT_TRUE(write_ordered_rows(alone{}, run, rest).ok());
    EXPECT_EQ(rest.asked.front().first, 4);
    EXPECT_EQ(io_testing::read_all(run.out), io_testing::read_all(whole.out));

    counting nothing;
    ASSERT_TRUE(write_ordered_rows(alone{}, run, nothing).ok());
    EXPECT_TRUE(nothing.asked.empty());
    run.resume = false; // replaces the file
    counting anew;
    ASSERT_TRUE(write_ordered_rows(alone{}, run, anew).ok());
    EXPECT_EQ(anew.asked.front().first, 0);
}

TEST(OrderedRows, WriteTheHeaderAgainWhereNothingIsDone) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy"), whole = run_to(folder.path / "whole.npy");
    ASSERT_TRUE(write_ordered_rows(alone{}, whole, counting{}).ok());
    run.resume = true;
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{.refused = 0}), errc::device_error, "stopped");
    std::string part = io_testing::read_all(folder.path / "out.npy.part"); // killed before the header was on the disk
    std::fill_n(part.begin(), 100, '\0');
    folder.write("out.npy.part", part);
    ASSERT_TRUE(write_ordered_rows(alone{}, run, counting{}).ok());
    EXPECT_EQ(io_testing::read_all(run.out), io_testing::read_all(whole.out));
}

TEST(OrderedRows, ThrowingIsFailing) {
    const temporary_folder folder;
    const auto throwing = [](index_t, index_t, std::span<float>) -> result<void> {
        throw std::runtime_error("thrown");
    };
    EXPECT_FAILS(write_ordered_rows(alone{}, run_to(folder.path / "out.npy"), throwing), errc::device_error, "thrown");
    const auto out_of_memory = [](index_t, index_t, std::span<float>) -> result<void> { throw std::bad_alloc(); };
    EXPECT_FAILS(write_ordered_rows(alone{}, run_to(folder.path / "b.npy"), out_of_memory), errc::device_error,
                 "no memory");
}

TEST(OrderedRows, RefuseAnotherRun) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy");
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{.refused = 7}), errc::device_error, "stopped");
    run.resume = true;
    const auto refused = [&](const ordered_rows& other, const std::string& difference) {
        EXPECT_FAILS(write_ordered_rows(alone{}, other, counting{}), errc::invalid_argument,
                     "out.npy.manifest.json: is of another run: its " + difference,
                     "run it as before, give another output, or remove the file");
    };
    ordered_rows other = run;
    other.inputs[0].second = "2";
    refused(other, "'seed' is '1', that of this run '2'");
    other.inputs = {{"seed", "1"}};
    refused(other, "'a \"b\"' is 'c\\x0a', that of this run not there");
    other = run;
    other.inputs.emplace_back("weights", "f32");
    refused(other, "'weights' is not there, that of this run 'f32'");
    other = run;
    other.items = 11;
    refused(other, "number of items is 10, that of this run 11");
    other = run;
    other.rows_of_item = 1;
    refused(other, "number of rows of an item is 2, that of this run 1");
    other = run;
    other.width = 4;
    refused(other, "width is 3, that of this run 4");
}

TEST(OrderedRows, RefuseDamagedFiles) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy");
    run.resume = true;
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{.refused = 7}), errc::device_error, "stopped");
    const std::string manifest = io_testing::read_all(folder.path / "out.npy.manifest.json");
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string text = manifest;
        text.replace(text.find(from), from.size(), to);
        folder.write("out.npy.manifest.json", text);
        return write_ordered_rows(alone{}, run, counting{});
    };
    EXPECT_FAILS(with("\"apriori_run\": 1", "\"apriori_run\": 2"), errc::invalid_argument,
                 "has version 2, this program reads 1");
    EXPECT_FAILS(with("\"done\": 4", "\"done\": 40"), errc::invalid_argument, "says that 40 of 10 items are done");
    EXPECT_FAILS(with("\"done\": 4", "\"done\": -4"), errc::invalid_argument,
                 "field 'done' must be there, a whole number");
    EXPECT_FAILS(with("\"width\": 3,", ""), errc::invalid_argument, "field 'width' must be there");
    EXPECT_FAILS(with("\"seed\": \"1\"", "\"seed\": 1"), errc::invalid_argument, "field 'inputs'",
                 "an object of texts");
    EXPECT_FAILS(with("\"inputs\": {", "\"inputs\": "), errc::bad_format, "is not well-formed JSON");
    EXPECT_TRUE(std::filesystem::exists(folder.path / "out.npy.part"));

    folder.write("out.npy.manifest.json", manifest);
    std::filesystem::resize_file(folder.path / "out.npy.part", 100);
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{}), errc::bad_format,
                 "says that 4 of 10 items are done, but", "out.npy.part has another length; remove the manifest");
    std::filesystem::remove(folder.path / "out.npy.part");
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{}), errc::bad_format, "out.npy.part is not there");
}

TEST(OrderedRows, RefuseWhatCannotBe) {
    const temporary_folder folder;
    for (const auto change :
         {+[](ordered_rows& r) { r.items = 0; }, +[](ordered_rows& r) { r.width = -1; },
          +[](ordered_rows& r) { r.rows_of_item = 0; }, +[](ordered_rows& r) { r.checkpoint = 0; }}) {
        ordered_rows run = run_to(folder.path / "out.npy");
        change(run);
        EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{}), errc::invalid_argument, "must be 1 or more");
    }
    ordered_rows run = run_to(folder.path / "out.npy");
    run.items = index_t{1} << 61;
    EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{}), errc::invalid_argument,
                 "more elements than a file can hold");
    EXPECT_FAILS(write_ordered_rows(alone{}, run_to(folder.path), counting{}), errc::invalid_argument,
                 "is not a regular file");
    EXPECT_FAILS(write_ordered_rows(alone{}, run_to(folder.path / "no" / "out.npy"), counting{}), errc::not_found,
                 "out.npy.part: cannot write");
    EXPECT_EQ(folder.files(), 0U);
}

TEST(OrderedRows, AreWrittenByOneRunAtATime) {
    const temporary_folder folder;
    ordered_rows run = run_to(folder.path / "out.npy");
    run.resume = true;
    const auto meanwhile = [&](index_t, index_t, std::span<float>) -> result<void> {
        EXPECT_FAILS(write_ordered_rows(alone{}, run, counting{}), errc::io_error, "is being written by another run");
        return failure{errc::cancelled, "seen"};
    };
    EXPECT_FAILS(write_ordered_rows(alone{}, run, meanwhile), errc::cancelled, "seen");
}

} // namespace
