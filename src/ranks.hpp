// SPDX-License-Identifier: Apache-2.0
// The processes that a command runs in: only this one or, in a program built with APRIORI_MPI, those that mpirun
// started. A program has either ranks_alone.cpp or ranks_mpi.cpp.
#pragma once

#include "apriori/io/ordered_rows.hpp"
#include "exit_code.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace apriori::program {

/// A team of io::write_ordered_rows, of either kind.
class ranks {
public:
    class file {
    public:
        virtual ~file() = default;
        virtual result<void> write(std::uint64_t offset, std::span<const float> values) = 0;
        virtual result<void> close() = 0;
    };
    class rows_file {
    public:
        static result<rows_file> open(const ranks& all, const std::filesystem::path& path) {
            auto opened = all.open(path);
            if (!opened) return opened.error();
            return rows_file(std::move(*opened));
        }
        result<void> write(std::uint64_t offset, std::span<const float> values) { return file_->write(offset, values); }
        result<void> close() { return file_->close(); }

    private:
        explicit rows_file(std::unique_ptr<file> f) : file_(std::move(f)) {}
        std::unique_ptr<file> file_;
    };

    virtual ~ranks() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;
    virtual result<void> agree(result<void> mine) const = 0;
    virtual std::string broadcast(std::string text) const = 0;
    virtual result<std::unique_ptr<file>> open(const std::filesystem::path& path) const = 0;
};

/// One of the library's teams.
template <io::row_team Team>
class ranks_of final : public ranks {
public:
    explicit ranks_of(Team team) : team_(std::move(team)) {}

    int rank() const override { return team_.rank(); }
    int size() const override { return team_.size(); }
    result<void> agree(result<void> mine) const override { return team_.agree(std::move(mine)); }
    std::string broadcast(std::string text) const override { return team_.broadcast(std::move(text)); }
    result<std::unique_ptr<file>> open(const std::filesystem::path& path) const override {
        auto opened = Team::rows_file::open(team_, path);
        if (!opened) return opened.error();
        return std::unique_ptr<file>(new file_of(std::move(*opened)));
    }

private:
    class file_of final : public file {
    public:
        explicit file_of(typename Team::rows_file f) : file_(std::move(f)) {}
        result<void> write(std::uint64_t offset, std::span<const float> values) override {
            return file_.write(offset, values);
        }
        result<void> close() override { return file_.close(); }

    private:
        typename Team::rows_file file_;
    };
    Team team_;
};

/// Runs a command in all processes. With one process a failure is returned; with several, `give_up` prints it in one of
/// them, and the exit code is that of the failure.
result<exit_code> on_all_ranks(const std::function<result<exit_code>(const ranks&)>& command,
                               int (*give_up)(const failure&));

} // namespace apriori::program
