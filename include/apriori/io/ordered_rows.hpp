// SPDX-License-Identifier: Apache-2.0
// A long run that makes the rows of one .npy in order, in one process or a team of them. Its output appears whole at
// the end, and a stopped run can be continued, also by a team of another size.
#pragma once

#include "apriori/core/macros.hpp"
#include "apriori/io/npy.hpp"
#include "apriori/io/run_manifest.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <new>

#include <sys/file.h>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::io {

/// Describes a run: its array, [items * rows_of_item, width] float32, and how it is made.
struct ordered_rows {
    std::filesystem::path out{}; ///< the .npy; next to it `out`.part, during the run, and `out`.manifest.json
    index_t items = 0, rows_of_item = 1, width = 0;
    index_t checkpoint = 64; ///< items that a process makes between two entries in the manifest
    run_inputs inputs{};     ///< all that the numbers depend on; only a run with the same inputs continues this one
    bool resume = false;     ///< continue a stopped run, if there is one; otherwise a stopped run is an error
    std::string_view how_to_resume = "resume";                      ///< names the option in the error message
    std::function<void(index_t done, index_t items)> on_progress{}; ///< on the first process, after each checkpoint
};

/// Items first .. first + count: a member's part of a team's round. The parts are in order, and
/// their sizes differ by at most one.
struct item_range {
    index_t first = 0, count = 0;
};
constexpr item_range part_of(item_range all, int rank, int size) noexcept {
    const index_t each = all.count / size, more = all.count % size;
    return {all.first + rank * each + (rank < more ? rank : more), each + (rank < more ? 1 : 0)};
}

namespace detail {

/// Writes all of `bytes` at an offset of an open file.
inline result<void> write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                             const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<::off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failure(path, "cannot write", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

} // namespace detail

/// One process as a team; mpi::communicator is a team of several.
struct alone {
    static constexpr int rank() noexcept { return 0; }
    static constexpr int size() noexcept { return 1; }
    static result<void> agree(result<void> mine) { return mine; }
    static std::string broadcast(std::string text) { return text; }

    /// An existing file that is written at offsets.
    class rows_file {
    public:
        static result<rows_file> open(const alone&, const std::filesystem::path& path) {
            rows_file file;
            file.path_ = path;
            file.fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
            if (file.fd_ < 0) return system_failure(path, "cannot write", errno);
            return file;
        }
        rows_file(rows_file&& o) noexcept : path_(std::move(o.path_)), fd_(std::exchange(o.fd_, -1)) {}
        rows_file& operator=(rows_file&& o) noexcept {
            std::swap(path_, o.path_);
            std::swap(fd_, o.fd_);
            return *this;
        }
        ~rows_file() {
            if (fd_ >= 0) ::close(fd_);
        }
        /// Collective: each process writes its values, which are durable when this returns.
        result<void> write(std::uint64_t offset, std::span<const float> values) {
            if (auto r = detail::write_at(fd_, offset, std::as_bytes(values), path_); !r) return r;
            if (::fsync(fd_) != 0) return system_failure(path_, "cannot write", errno);
            return {};
        }
        result<void> close() {
            if (::close(std::exchange(fd_, -1)) != 0) return system_failure(path_, "cannot write", errno);
            return {};
        }

    private:
        rows_file() = default;
        std::filesystem::path path_;
        int fd_ = -1;
    };
};

/// Processes that make one file together. All call agree, broadcast and the functions of rows_file, in the same order.
///   agree(r)          ok if it is ok for all; otherwise, for all, the failure of the first process that has one
///   broadcast(text)   the text of the first process
template <class T>
concept row_team = requires(const T& team, result<void> r, std::string text) {
    { team.rank() } -> std::convertible_to<int>;
    { team.size() } -> std::convertible_to<int>;
    { team.agree(r) } -> std::same_as<result<void>>;
    { team.broadcast(text) } -> std::same_as<std::string>;
    T::rows_file::open(team, std::filesystem::path());
};

namespace detail {

/// The part of a run that only the first process does: its files.
class run_files {
public:
    explicit run_files(const ordered_rows& run) : run_(run), manifest_(run_manifest::path_of(run.out)), part_(run.out) {
        part_ += ".part";
        now_.items = std::uint64_t(run.items);
        now_.rows_of_item = std::uint64_t(run.rows_of_item);
        now_.width = std::uint64_t(run.width);
        now_.inputs = run.inputs;
        head_ = npy_head(npy_descr<float>, cat(now_.items * now_.rows_of_item, ", ", run.width));
    }
    run_files(const run_files&) = delete;
    run_files& operator=(const run_files&) = delete;
    ~run_files() {
        if (lock_ >= 0) ::close(lock_);
    }

    const std::filesystem::path& part() const noexcept { return part_; }
    std::uint64_t offset_of(index_t item) const noexcept {
        return head_.size() + std::uint64_t(item) * now_.rows_of_item * now_.width * sizeof(float);
    }

    /// The number of items that are already done. Afterwards the .part exists, unless all are
    /// done and the output exists.
    result<index_t> begin() {
        if (auto r = check(); !r) return r.error();
        std::error_code error;
        const bool has_manifest = std::filesystem::exists(manifest_, error),
                   has_part = std::filesystem::exists(part_, error);
        if (has_manifest) {
            const auto before = run_manifest::read(manifest_);
            if (run_.resume) {
                if (!before) return before.error();
                if (const auto d = run_manifest::between(*before, now_))
                    return failure{errc::invalid_argument,
                                   cat(manifest_.string(), ": is of another run: its ", d->what, " is ", d->first,
                                       ", that of this run ", d->second,
                                       "; run it as before, give another output, or remove the file")};
                return go_on(*before, has_part);
            }
            // the output of a finished run will be replaced, and so will a file that is not a manifest
            if (before && (has_part || before->done < before->items)) return left_over(before->done);
        }
        if (has_part && !run_.resume) return left_over(0);
        return begin_anew();
    }

    result<void> checkpoint(index_t done) {
        now_.done = std::uint64_t(done);
        return write_file(manifest_, now_.text());
    }

    /// Gives the output its name.
    result<void> finish() {
        if (::rename(part_.c_str(), run_.out.c_str()) != 0)
            return system_failure(run_.out, "cannot be given to the finished file", errno);
        const std::filesystem::path folder = run_.out.has_parent_path() ? run_.out.parent_path() : ".";
        if (const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); fd >= 0) {
            ::fsync(fd); // the name should outlive a crash, too
            ::close(fd);
        }
        return {};
    }

private:
    result<void> check() const {
        const auto wrong = [&](const std::string& what) {
            return failure{errc::invalid_argument, cat(run_.out.string(), ": ", what)};
        };
        constexpr auto most = index_t(npy_most_values);
        if (run_.items < 1 || run_.rows_of_item < 1 || run_.width < 1 || run_.checkpoint < 1)
            return wrong("items, rows_of_item, width and checkpoint must be 1 or more");
        if (run_.width > most / run_.rows_of_item || run_.items > most / (run_.rows_of_item * run_.width))
            return wrong("has more elements than a file can hold");
        if (!run_.out.has_filename()) return wrong("names no file");
        std::error_code error;
        if (std::filesystem::exists(run_.out, error) && !std::filesystem::is_regular_file(run_.out, error))
            return wrong("is not a regular file; give another output");
        return {};
    }
    failure left_over(std::uint64_t done) const {
        return {errc::invalid_argument, cat(part_.string(), ": was left by a run that was stopped after ", done, " of ",
                                            run_.items, " items; go on with it (", run_.how_to_resume,
                                            "), or remove it and ", manifest_.filename().string())};
    }
    /// Another run on the same file would overwrite our rows. Not detected on file systems without locks.
    result<void> lock() {
        lock_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (lock_ < 0) return system_failure(part_, "cannot write", errno);
        if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
            return failure{errc::io_error,
                           cat(part_.string(), ": is being written by another run; wait for its end, or "
                                               "give another output")};
        return {};
    }
    /// Until the file has its full size, the manifest says that nothing is done, even if an earlier run wrote one.
    result<index_t> begin_anew() {
        if (auto r = lock(); !r) return r.error();
        if (auto r = checkpoint(0); !r) return r.error();
        if (::ftruncate(lock_, 0) != 0 || ::ftruncate(lock_, static_cast<::off_t>(offset_of(run_.items))) != 0)
            return system_failure(part_, "cannot be made as long as the array", errno);
        if (auto r = write_at(lock_, 0, std::as_bytes(std::span(head_)), part_); !r) return r.error();
        if (::fsync(lock_) != 0) return system_failure(part_, "cannot write", errno);
        return index_t{0};
    }
    result<index_t> go_on(const run_manifest& before, bool has_part) {
        if (before.done == 0 && has_part) return begin_anew(); // it may have its size, but no header yet
        std::error_code error;
        const auto size = std::filesystem::file_size(has_part ? part_ : run_.out, error);
        const bool whole = !error && size == offset_of(run_.items);
        if (whole && (has_part || before.done == before.items)) {
            if (has_part)
                if (auto r = lock(); !r) return r.error();
            now_.done = before.done;
            return index_t(before.done);
        }
        if (before.done == 0 && error) return begin_anew(); // stopped before there was a file
        return failure{errc::bad_format,
                       cat(manifest_.string(), ": says that ", before.done, " of ", before.items,
                           " items are done, but ", part_.string(), has_part ? " has another length" : " is not there",
                           "; remove the manifest and begin again")};
    }

    const ordered_rows& run_;
    std::filesystem::path manifest_, part_;
    run_manifest now_;
    std::string head_;
    int lock_ = -1; ///< a descriptor of the .part, which holds its lock
};

/// Checks that a member has the inputs of the first: on unlike machines ranks may have chosen
/// different instruction sets.
template <row_team Team>
result<void> same_inputs(const Team& team, const ordered_rows& run) {
    run_manifest mine;
    mine.inputs = run.inputs;
    const std::string first = team.broadcast(mine.text());
    const auto theirs = run_manifest::parse(first, run.out.string());
    if (!theirs) return theirs.error();
    const auto d = run_manifest::between(*theirs, mine);
    if (!d) return {};
    return failure{errc::invalid_argument, cat(run.out.string(), ": ", d->what, " is ", d->second, " here, and ",
                                               d->first, " in the first process; start all in the same way")};
}

/// Calls make; an exception becomes a failure.
template <class Make>
result<void> made_or_why(Make&& make, item_range mine, std::span<float> out) {
    if (mine.count == 0) return {};
    try {
        return make(mine.first, mine.count, out);
    } catch (const std::bad_alloc&) {
        return failure{errc::device_error, "no memory; make fewer items at a time"};
    } catch (const std::exception& e) {
        return failure{errc::device_error, e.what()};
    }
}

} // namespace detail

/// Makes the rows. `make(first, count, out)`, result<void>, makes items first .. first + count into `out` [count *
/// rows_of_item, width]; an item must not depend on first and count. In each round the members of the team make up to
/// `checkpoint` items each, write them, and agree, so items are finished in order. If one member fails, all return its
/// failure, and leave the .part and the manifest, so that a run with the same inputs can continue. invalid_argument if
/// the inputs are not those of the stopped run.
template <row_team Team, class Make>
result<void> write_ordered_rows(const Team& team, const ordered_rows& run, Make&& make) {
    detail::run_files files(run);
    result<index_t> begun = index_t{0};
    if (team.rank() == 0) begun = files.begin();
    if (auto r = team.agree(begun ? result<void>() : begun.error()); !r) return r;
    auto done = static_cast<index_t>(std::stoll(team.broadcast(std::to_string(*begun))));
    if (auto r = team.agree(detail::same_inputs(team, run)); !r) return r;
    std::error_code error;
    const std::string there = std::filesystem::exists(files.part(), error) ? "part" : "";
    if (done == run.items && team.broadcast(there).empty()) return {}; // an earlier run made everything

    {
        auto file = Team::rows_file::open(team, files.part());
        if (auto r = team.agree(file ? result<void>() : file.error()); !r) return r;
        const index_t row = run.rows_of_item * run.width;
        const index_t each = (std::min)({run.checkpoint, ceil_div(run.items - done, team.size()),
                                         (std::max)(index_t{1}, index_t{1 << 28} / row)}); // at most 1 GiB in one call
        std::vector<float> values;
        result<void> room; // for the numbers of a round
        try {
            values.resize(to_size(each * row));
        } catch (const std::bad_alloc&) {
            room = failure{errc::device_error, "no memory for the rows of a checkpoint; make fewer items between two"};
        }
        if (auto r = team.agree(room); !r) return r;
        while (done < run.items) {
            const item_range round{done, (std::min)(each * team.size(), run.items - done)};
            const item_range mine = part_of(round, team.rank(), team.size());
            const auto out = part(values, 0, mine.count * row);
            if (auto r = team.agree(detail::made_or_why(make, mine, out)); !r) return r;
            if (auto r = team.agree(file->write(files.offset_of(mine.first), out)); !r) return r;
            done += round.count;
            if (auto r = team.agree(team.rank() == 0 ? files.checkpoint(done) : result<void>()); !r) return r;
            if (team.rank() == 0 && run.on_progress) run.on_progress(done, run.items);
        }
        if (auto r = team.agree(file->close()); !r) return r;
    }
    return team.agree(team.rank() == 0 ? files.finish() : result<void>());
}

} // namespace apriori::io
APRIORI_END_EXACT_MATH
