// SPDX-License-Identifier: Apache-2.0
// MPI's ranks as a team that makes one file together (io/ordered_rows.hpp), and a main program for them that ends
// cleanly: the failure of one rank ends all, with one message that names it.
#pragma once

#include "apriori/core/report.hpp"
#include "apriori/io/ordered_rows.hpp"

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1 // the C++ bindings, which MPI 3 removed
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <chrono>
#include <limits>
#include <thread>

APRIORI_BEGIN_EXACT_MATH
namespace apriori::mpi {

namespace detail {

/// The error that MPI describes.
inline failure mpi_failure(const std::filesystem::path& path, std::string_view what, int error) {
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(error, text, &length);
    return {errc::io_error, io::cat(path.string(), ": ", what, ": ", std::string_view(text, std::size_t(length)))};
}

/// "rank 2 of 4: MESSAGE", added only once.
inline failure of_rank(failure f, int rank, int size) {
    if (size > 1 && !f.message.starts_with("rank ")) f.message = io::cat("rank ", rank, " of ", size, ": ", f.message);
    return f;
}

} // namespace detail

/// The ranks of an MPI communicator, which must outlive it. Copies are the same ranks. Its functions are collective.
class communicator {
public:
    explicit communicator(MPI_Comm comm) : comm_(comm) {
        MPI_Comm_rank(comm, &rank_);
        MPI_Comm_size(comm, &size_);
    }

    int rank() const noexcept { return rank_; }
    int size() const noexcept { return size_; }
    MPI_Comm comm() const noexcept { return comm_; }

    /// Ok if `mine` is ok on all ranks; otherwise, on all of them, the failure of the lowest
    /// rank that has one, with its rank.
    result<void> agree(result<void> mine) const {
        int first = mine ? size_ : rank_;
        MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm_);
        if (first == size_) return {};
        int code = mine ? 0 : int(mine.error().code);
        MPI_Bcast(&code, 1, MPI_INT, first, comm_);
        const std::string message = broadcast(mine ? std::string() : mine.error().message, first);
        return detail::of_rank(failure{errc(code), message}, first, size_);
    }
    /// A value that every rank has made, or a failure on all of them: agree(load<Model>(device, folder)).
    template <class T>
    result<T> agree(result<T> mine) const {
        if (auto r = agree(mine ? result<void>() : result<void>(mine.error())); !r) return r.error();
        return mine;
    }

    /// The text of rank `from`.
    std::string broadcast(std::string text, int from = 0) const {
        std::uint64_t length = text.size();
        MPI_Bcast(&length, 1, MPI_UINT64_T, from, comm_);
        text.resize(length);
        constexpr std::size_t most = std::size_t{1} << 30; // a count is an int
        for (std::size_t at = 0; at < text.size(); at += most)
            MPI_Bcast(text.data() + at, int((std::min)(most, text.size() - at)), MPI_CHAR, from, comm_);
        return text;
    }

    /// An existing file that all ranks write at once.
    class rows_file {
    public:
        static result<rows_file> open(const communicator& team, const std::filesystem::path& path) {
            rows_file file;
            file.path_ = path;
            if (const int e = MPI_File_open(team.comm(), path.c_str(), MPI_MODE_WRONLY, MPI_INFO_NULL, &file.file_);
                e != MPI_SUCCESS) {
                file.file_ = MPI_FILE_NULL;
                return detail::mpi_failure(path, "cannot write", e);
            }
            return file;
        }
        rows_file(rows_file&& o) noexcept : path_(std::move(o.path_)), file_(std::exchange(o.file_, MPI_FILE_NULL)) {}
        rows_file& operator=(rows_file&& o) noexcept {
            std::swap(path_, o.path_);
            std::swap(file_, o.file_);
            return *this;
        }
        /// Collective, since the failure that leads here was agreed on.
        ~rows_file() {
            if (file_ != MPI_FILE_NULL) MPI_File_close(&file_);
        }

        /// Each rank writes its values, from a byte offset on; they are durable when all have returned.
        result<void> write(std::uint64_t offset, std::span<const float> values) {
            const int e = MPI_File_write_at_all(file_, static_cast<MPI_Offset>(offset), values.data(),
                                                int(values.size()), MPI_FLOAT, MPI_STATUS_IGNORE);
            const int durable = MPI_File_sync(file_); // collective: after a failure, too
            if (e != MPI_SUCCESS || durable != MPI_SUCCESS)
                return detail::mpi_failure(path_, "cannot write", e != MPI_SUCCESS ? e : durable);
            return {};
        }
        result<void> close() {
            if (const int e = MPI_File_close(&file_); e != MPI_SUCCESS)
                return detail::mpi_failure(path_, "cannot write", e);
            return {};
        }

    private:
        rows_file() = default;
        std::filesystem::path path_;
        MPI_File file_ = MPI_FILE_NULL;
    };

private:
    MPI_Comm comm_;
    int rank_ = 0, size_ = 1;
};
static_assert(io::row_team<communicator>);

/// How long a rank that failed alone waits for the others to reach the end before it aborts them.
inline constexpr std::chrono::milliseconds patience{1000};

namespace detail {

/// The exit code of the run, the same on all ranks; the failure of one of them is printed. `f` is null if this
/// rank has none. After a failure that was agreed on, all ranks arrive here; after any other, the others wait
/// for this rank, and are aborted.
inline int end_together(const communicator& world, MPI_Comm ends, const failure* f,
                        const std::function<int(const failure&)>& print) {
    // the lowest rank that failed, and its exit code
    constexpr int codes = 256;
    long mine = f == nullptr ? (std::numeric_limits<long>::max)() : long{world.rank()} * codes + exit_code_of(f->code);
    long first = mine;
    MPI_Request all{};
    MPI_Iallreduce(&mine, &first, 1, MPI_LONG, MPI_MIN, ends, &all);
    if (f == nullptr) {
        MPI_Wait(&all, MPI_STATUS_IGNORE);
    } else {
        int arrived = 0;
        for (const auto until = std::chrono::steady_clock::now() + patience;
             arrived == 0 && std::chrono::steady_clock::now() < until;
             std::this_thread::sleep_for(std::chrono::milliseconds(1)))
            MPI_Test(&all, &arrived, MPI_STATUS_IGNORE);
        if (arrived == 0) MPI_Abort(world.comm(), print(of_rank(*f, world.rank(), world.size())));
    }
    if (first == (std::numeric_limits<long>::max)()) return 0;
    if (first / codes == world.rank() && f != nullptr) print(of_rank(*f, world.rank(), world.size()));
    return int(first % codes);
}

} // namespace detail

/// The main program of each rank: starts MPI, calls `body(communicator)`, result<void>, and ends MPI. Returns the exit
/// code of all ranks: 0, or that of the first rank that failed, whose message `print` prints (returning its exit code).
/// A rank that fails alone, outside of agree, ends the others after a second.
template <class Body>
int run(int& argc, char**& argv, Body&& body, const std::function<int(const failure&)>& print = report) {
    int given = 0, started = 0;
    MPI_Initialized(&started);
    if (started == 0)
        MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &given); // other threads compute, this one communicates
    int code = 0;
    {
        MPI_Comm ends = MPI_COMM_NULL;
        MPI_Comm_dup(MPI_COMM_WORLD, &ends);
        const communicator world(MPI_COMM_WORLD);
        result<void> done;
        try {
            done = body(world);
        } catch (const std::bad_alloc&) {
            done = failure{errc::device_error, "no memory"};
        } catch (const std::exception& e) {
            done = failure{errc::device_error, e.what()};
        }
        code = detail::end_together(world, ends, done ? nullptr : &done.error(), print);
        MPI_Comm_free(&ends);
    }
    if (started == 0) MPI_Finalize();
    return code;
}

} // namespace apriori::mpi
APRIORI_END_EXACT_MATH
