// SPDX-License-Identifier: Apache-2.0
// The extension module `_core`: a PriorTransformer of one configuration for arrays of any library that supports DLPack
// or the buffer protocol. Arrays are read in place; __init__.py adds diffusers' interface.
#include "answers.hpp"

#include <apriori/device/cpu/device.hpp>
#include <apriori/device/cpu/executors/eigen_thread_pool.hpp>
#include <apriori/io/config_json.hpp>
#include <apriori/loading/model.hpp>

#include "compiled_prior.hpp" // by CMake: inline constexpr PriorConfig compiled_prior

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <exception>
#include <mutex>
#include <optional>
#include <string>

namespace nb = nanobind;
using apriori::dyn, apriori::errc, apriori::extents, apriori::failure, apriori::index_t, apriori::result;

namespace {

using device_type = apriori::cpu<apriori::default_arch, apriori::eigen_thread_pool_executor>;
using model_type = apriori::PriorTransformer<compiled_prior, device_type, apriori::APRIORI_PYTHON_WEIGHTS>;
using input_type = model_type::input;
using array = nb::ndarray<nb::ro>;
constexpr apriori::PriorConfig config = model_type::config;

/// A failure that will become a Python exception; it is made without the interpreter's lock.
struct refused : std::exception {
    failure why;
    explicit refused(failure f) : why(std::move(f)) {}
    const char* what() const noexcept override { return why.message.c_str(); }
};
template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
    throw refused(failure(errc::invalid_argument, parts...));
}

PyObject* exception_of(errc code) {
    switch (code) {
    case errc::not_found:
        return PyExc_FileNotFoundError;
    case errc::io_error:
        return PyExc_OSError;
    case errc::unsupported:
        return PyExc_NotImplementedError;
    case errc::workspace_too_small:
    case errc::device_error:
        return PyExc_MemoryError; // on a CPU only memory can run out
    default:
        return PyExc_ValueError;
    }
}

// ---- arrays --------------------------------------------------------------------------------------------------------

std::string name_of(nb::dlpack::dtype t) {
    using nb::dlpack::dtype_code;
    const std::string bits = std::to_string(t.bits);
    switch (static_cast<dtype_code>(t.code)) {
    case dtype_code::Int:
        return "int" + bits;
    case dtype_code::UInt:
        return "uint" + bits;
    case dtype_code::Float:
        return "float" + bits;
    case dtype_code::Bfloat:
        return "bfloat" + bits;
    case dtype_code::Bool:
        return "bool";
    default:
        return "of DLPack's code " + std::to_string(t.code);
    }
}

template <class Array>
std::string shape_of(const Array& a) {
    std::string text = "[";
    for (std::size_t i = 0; i < a.ndim(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(a.shape(i));
    return text + "]";
}

/// The elements of an array of T on the CPU, which has to be dense and row-major.
template <class T, class Array>
auto elements(const char* name, const Array& a) {
    using pointer = decltype(static_cast<std::conditional_t<Array::ReadOnly, const T, T>*>(nullptr));
    if (a.device_type() != nb::device::cpu::value)
        refuse(name, ": is not in the memory of the CPU; allowed: arrays and tensors of the CPU");
    if (a.dtype() != nb::dtype<T>())
        throw nb::type_error((name + (": is " + name_of(a.dtype())) + "; allowed: " + name_of(nb::dtype<T>())).c_str());
    std::int64_t dense = 1;
    for (std::size_t i = a.ndim(); i-- > 0; dense *= static_cast<std::int64_t>(a.shape(i)))
        if (a.shape(i) != 1 && a.size() != 0 && a.stride(i) != dense)
            refuse(name, ": is not contiguous; allowed: arrays whose elements lie in rows, as numpy.ascontiguousarray "
                         "makes them");
    const auto p = static_cast<pointer>(a.data());
    if (reinterpret_cast<std::uintptr_t>(p) % alignof(T) != 0)
        refuse(name, ": begins at no multiple of its element's size");
    return p;
}

/// [rows, Width] or [rows, tokens, Width].
template <index_t Width>
apriori::token_rows<Width> token_rows(const char* name, const array& a) {
    const std::size_t last = a.ndim() - 1;
    if ((a.ndim() != 2 && a.ndim() != 3) || a.shape(last) != Width)
        refuse(name, ": has the shape ", shape_of(a), "; allowed: [rows, ", Width, "] or [rows, tokens, ", Width, "]");
    const float* p = elements<float>(name, a);
    return {p, static_cast<index_t>(a.shape(0)), last == 1 ? 1 : static_cast<index_t>(a.shape(1))};
}

// ---- the model -----------------------------------------------------------------------------------------------------

class prior {
public:
    prior(const std::string& folder, int threads, bool incremental)
        : executor_(checked(threads)),
          device_(executor_),
          answers_(load(device_, folder), incremental),
          config_(value(apriori::io::load_config<apriori::PriorConfig>(folder))) {}

    std::string config_json() const { return apriori::io::to_json_text(config_); }
    int threads() const { return executor_.concurrency(); }

    /// The output, in an array that `empty(shape)` makes once the arguments have been checked.
    nb::object forward(const array& hidden_states, const array& timestep, const array& proj_embedding,
                       const std::optional<array>& encoder_hidden_states, const std::optional<array>& attention_mask,
                       const nb::callable& empty) {
        input_type in;
        in.hidden_states = token_rows<config.embedding_dim>("hidden_states", hidden_states);
        if (timestep.ndim() != 1) refuse("timestep: has the shape ", shape_of(timestep), "; allowed: [1] or [rows]");
        in.timestep = {elements<float>("timestep", timestep), extents<dyn>(static_cast<index_t>(timestep.shape(0)))};
        in.proj_embedding = token_rows<config.embedding_proj_dim>("proj_embedding", proj_embedding);
        if (encoder_hidden_states) {
            if (encoder_hidden_states->ndim() != 3)
                refuse("encoder_hidden_states: has the shape ", shape_of(*encoder_hidden_states),
                       "; allowed: [rows, tokens, ", input_type::text_width, "]");
            in.encoder_hidden_states =
                token_rows<input_type::text_width>("encoder_hidden_states", *encoder_hidden_states);
        }
        if (attention_mask) in.attention_mask = mask_of(*attention_mask);
        if (const apriori::status s = answers_.check(in); !s) throw refused(to_failure(s));

        nb::list shape;
        shape.append(in.rows());
        if (!input_type::has_prd) shape.append(in.output_tokens());
        shape.append(model_type::clip);
        nb::object out = empty(nb::tuple(shape));
        const auto view = nb::cast<nb::ndarray<>>(out);
        float* to = elements<float>("predicted_image_embedding", view);
        const auto size = static_cast<std::size_t>(answers_.size(in));
        if (view.size() != size) refuse("empty: made an array of the shape ", shape_of(view));
        compute([&] { return answers_(in, {to, size}); });
        return out;
    }

    /// latents * clip_std + clip_mean, in place.
    void post_process_latents(const nb::ndarray<>& latents) {
        constexpr index_t width = model_type::clip;
        if (latents.ndim() == 0 || latents.shape(latents.ndim() - 1) != width)
            refuse("prior_latents: have the shape ", shape_of(latents), "; allowed: [rows, ", width, "]");
        const apriori::view<float, extents<dyn, width>> x(
            elements<float>("prior_latents", latents),
            extents<dyn, width>(static_cast<index_t>(latents.size()) / width));
        if (latents.size() > 0) compute([&]() -> result<void> { return answers_.model().post_process_latents(x); });
    }

private:
    static int checked(int threads) {
        constexpr int most = 4096;
        if (threads < 1 || threads > most) refuse("threads: is ", threads, "; allowed: 1 to ", most);
        return threads;
    }
    template <class T>
    static T value(result<T> r) {
        if (!r) throw refused(r.error());
        return *std::move(r);
    }
    static model_type load(device_type& device, const std::string& folder) {
        return value(apriori::load<model_type>(device, folder));
    }
    static apriori::view<const std::uint8_t, extents<dyn, dyn>> mask_of(const array& a) {
        if (a.ndim() != 2)
            refuse("attention_mask: has the shape ", shape_of(a), "; allowed: [rows, ", config.num_embeddings, "]");
        const auto* p = elements<std::uint8_t>("attention_mask", a);
        if (std::any_of(p, p + a.size(), [](std::uint8_t seen) { return seen > 1; }))
            refuse("attention_mask: holds other numbers than 0 and 1");
        return {p, extents<dyn, dyn>(static_cast<index_t>(a.shape(0)), static_cast<index_t>(a.shape(1)))};
    }
    /// Calls run one after another, since they share the workspace and the kept prompts. Python continues meanwhile.
    template <class Body>
    void compute(const Body& body) {
        const nb::gil_scoped_release released;
        const std::lock_guard lock(mutex_);
        if (const result<void> r = body(); !r) throw refused(r.error());
    }

    apriori::eigen_thread_pool_executor executor_;
    device_type device_;
    apriori_python::answers<model_type> answers_;
    apriori::PriorConfig config_;
    std::mutex mutex_;
};

} // namespace

NB_MODULE(_core, m) {
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const refused& e) {
            PyErr_SetString(exception_of(e.why.code), e.what());
        }
    });
    nb::class_<prior>(m, "Prior")
        .def(nb::init<const std::string&, int, bool>(), nb::arg("folder"), nb::arg("threads"), nb::arg("incremental"),
             nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("config_json", &prior::config_json)
        .def_prop_ro("threads", &prior::threads)
        .def("forward", &prior::forward, nb::arg("hidden_states"), nb::arg("timestep"), nb::arg("proj_embedding"),
             nb::arg("encoder_hidden_states").none(), nb::arg("attention_mask").none(), nb::arg("empty"))
        .def("post_process_latents", &prior::post_process_latents, nb::arg("latents"));
}
