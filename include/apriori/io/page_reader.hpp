// SPDX-License-Identifier: Apache-2.0
// Reads and maps the pages of a mapped file on a separate thread, so that they are in memory when they are used.
#pragma once

#include "apriori/io/mapped_file.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

namespace apriori::io {

/// Keeps a file mapped, and maps its pages from front to back until all are mapped or it is destroyed. If there are no
/// threads, or the system cannot do it, pages are mapped when they are used.
class page_reader {
public:
    explicit page_reader(std::shared_ptr<const mapped_file> file) : file_(std::move(file)) {
        if (file_->bytes().size() <= piece) return; // faster than starting a thread
        try {
            thread_ = std::thread([this] {
                const std::size_t size = file_->bytes().size();
                for (std::size_t at = 0; at < size && !stop_; at += piece)
                    if (!file_->map_pages(at, (std::min)(piece, size - at))) return;
            });
        } catch (const std::system_error&) {}
    }
    page_reader(const page_reader&) = delete;
    page_reader& operator=(const page_reader&) = delete;
    ~page_reader() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }

private:
    static constexpr std::size_t piece = std::size_t{1} << 24; ///< a few milliseconds
    std::shared_ptr<const mapped_file> file_;
    std::atomic<bool> stop_ = false;
    std::thread thread_{};
};

} // namespace apriori::io
