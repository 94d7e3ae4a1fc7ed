// SPDX-License-Identifier: Apache-2.0
// The race of expressions: its rows, the arrays that its contestants share, and how contestants are added.
#pragma once

#include "apriori/core/index.hpp"
#include "apriori/tensor/tensor.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace race {

using apriori::index_t;

// The type of the dot product: users often sum in double.
using dot_type = double;
inline constexpr const char* dot_type_name = sizeof(dot_type) == sizeof(double) ? "double" : "float";
/// The number of floats in one dot_type.
inline constexpr index_t dot_floats = sizeof(dot_type) / sizeof(float);

/// A row-major array in memory that every contestant reads or writes in place.
class array {
public:
    explicit array(std::vector<index_t> shape)
        : shape_(std::move(shape)), memory_(apriori::extents<apriori::dyn>(count(shape_))) {}
    const std::vector<index_t>& shape() const { return shape_; }
    index_t ext(std::size_t axis) const { return shape_[axis]; }
    index_t size() const { return memory_.size(); }
    float* data() { return memory_.data(); }
    const float* data() const { return memory_.data(); }
    std::span<float> flat() { return memory_.flat(); }

private:
    static index_t count(const std::vector<index_t>& shape) {
        index_t n = 1;
        for (const index_t s : shape) n *= s;
        return n;
    }
    std::vector<index_t> shape_;
    apriori::tensor<float, apriori::extents<apriori::dyn>> memory_;
};

/// The elements of an array of dot_type.
inline dot_type* dots(array& a) { return reinterpret_cast<dot_type*>(a.data()); }
inline index_t dot_count(const array& a) { return a.size() / dot_floats; }

/// The operands of a row at one size.
struct problem {
    std::vector<array> in, out;
    std::vector<std::int32_t> indices; ///< of the row that gathers
};

/// The memory stream of a row that is bound by memory, which selects the measured bandwidth that it is compared with.
enum class stream { none, read, write, scale, triad };

struct row {
    const char* name;    ///< as in its contestants
    const char* title;   ///< as on the page
    const char* formula; ///< in NumPy's notation
    index_t sizes[3];    ///< n in L1, in L2, in memory
    bool fused;          ///< consists of several operations, which a library of whole operations writes to memory
    stream kind;
    problem (*make)(index_t n);
    double (*bytes)(const problem&); ///< null: each operand once
    double (*terms)(const problem&); ///< terms of a long sum, for its tolerance; null: few
    bool of_dots = false;            ///< its arrays have elements of dot_type
};

const std::vector<row>& rows();

using call = std::function<void()>;

struct contestant {
    const char* row;
    const char* library;
    call (*make)(problem&, int threads); ///< an empty call: not with that many threads
};

/// The file of each contestant adds its rows.
using entries = std::vector<contestant>;
void add_plain(entries&);
void add_apriori_maps(entries&);
void add_apriori_rows(entries&);
void add_apriori_products(entries&);
void add_eigen_tensor_maps(entries&);
void add_eigen_tensor_rows(entries&);
void add_eigen_tensor_products(entries&);
void add_eigen_matrix(entries&);
void add_xtensor(entries&);

/// The libraries' versions, as text.
std::string eigen_version();
std::string xtensor_version();

/// The results of the plain loops with sums in double, with which every contestant is compared.
void reference(const row&, problem&);

// Constants of several rows.
inline constexpr index_t width = 256;                               ///< columns of the row-wise rows
inline constexpr index_t features = 8;                              ///< of pairwise distances
inline constexpr index_t mlp_in = 32, mlp_hidden = 64, mlp_out = 8; ///< two hidden layers
inline constexpr index_t tokens = 64, head = 32;                    ///< of attention
inline constexpr float head_scale = 0.17677669529663687f;           ///< 1 / sqrt(head)
inline constexpr index_t cell = 32;                                 ///< inputs, and states, of the LSTM
inline constexpr index_t state = 6;                                 ///< of the Kalman filter
inline constexpr index_t window = 8;                                ///< of the moving average
inline constexpr index_t row_of_table = 64;                         ///< floats of a row that is gathered
inline constexpr float filter[3][3] = {{0.05f, 0.1f, 0.15f}, {0.2f, -0.3f, 0.25f}, {0.35f, 0.12f, 0.08f}};
inline constexpr float polynomial[9] = {0.5f, -1.0f, 0.25f, 0.75f, -0.5f, 0.125f, 0.3f, -0.2f, 0.1f};

} // namespace race
