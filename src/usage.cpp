// SPDX-License-Identifier: Apache-2.0
#include "usage.hpp"

#include "line_reader.hpp"

#include <fmt/format.h>

namespace apriori::program {

namespace {

/// The first error of a command's usage: refuse() reports `what` if the condition holds.
struct usage {
    std::string command;
    result<void> outcome{};

    void refuse(bool condition, const std::string& what) {
        if (condition && outcome.ok())
            outcome =
                failure{errc::invalid_argument, fmt::format("{}: {}; see apriori {} --help", command, what, command)};
    }
    /// Checks that all commands with batches share; `own` is whether the command line has other work.
    void check_batch(const std::filesystem::path& batch, bool own, const std::string& work,
                     const std::filesystem::path& out, const std::filesystem::path& png) {
        refuse(batch.empty() && !own, "needs " + work + ", or --batch");
        refuse(!batch.empty() && own, "--batch stands alone: its lines are the work");
        refuse(!batch.empty() && out.empty(), "--batch needs --out, the folder for a file of each line");
        refuse(!batch.empty() && !png.empty(), "--png is one picture; --batch has none");
    }
};

} // namespace

result<void> check_usage(const sample_options& o) {
    usage u{"sample"};
    const bool conditions = !o.conditions.empty();
    u.check_batch(o.batch, conditions || !o.names.empty(), "words or --conditions", o.out, o.png);
    u.refuse(o.resume && !o.into_one_file(),
             "--resume is for a --batch whose --out is one .npy; a folder goes on by itself");
    u.refuse(o.into_one_file() && is_read_once(o.batch),
             "--batch " + o.batch.string() +
                 " is read once; all its lines in one .npy need a file, which can be read again");
    u.refuse(conditions && (o.negative || o.mask_text_encoder),
             "--negative and --mask-text-encoder are for words; --conditions are encoded already");
    return u.outcome;
}
result<void> check_usage(const interpolate_options& o) {
    usage u{"interpolate"};
    const std::size_t count = o.texts.size() + o.images.size();
    u.check_batch(o.batch, count > 0, "--text or --image", o.out, o.png);
    u.refuse(o.frames > 0 && count != 2, "needs two of --text and --image for --frames");
    return u.outcome;
}
result<void> check_usage(const emb2emb_options& o) {
    usage u{"emb2emb"};
    u.check_batch(o.batch, !o.texts.empty(), "words", o.out, o.png);
    u.refuse(o.batch.empty() && o.image.empty(), "needs --image");
    return u.outcome;
}
result<void> check_usage(const encode_options& o) {
    usage u{"encode"};
    u.check_batch(o.batch, !o.texts.empty(), "words", o.out, {});
    return u.outcome;
}

result<void> check_usage(const pack_options& o) {
    usage u{"pack"};
    const bool work = !o.model.empty() || !o.preset.empty() || !o.out.empty() || !o.loras.empty() ||
                      !o.target.empty() || o.calibrates() || o.mask_text_encoder;
    u.refuse(o.verify.empty() ? o.model.empty() == o.preset.empty() || o.out.empty() : work,
             "needs --model or --preset, and --out; or --verify alone");
    u.refuse(!o.target.empty() && (!o.on.arch.empty() || o.on.device != "cpu"),
             "--target is another machine's instruction set; --arch and --device are of this one");
    u.refuse(!o.calibrate.empty() && !o.conditions.empty(),
             "--calibrate has prompts and --conditions what an encoder made of them; one is enough");
    u.refuse(o.calibrates() && o.on.weights != "w4" && o.on.weights != "w4a8",
             "--calibrate and --conditions round weights to four bits; add --weights w4 or --weights w4a8");
    u.refuse(o.calibrates() && o.model.empty(),
             "--calibrate and --conditions sample the model; give --model, with a scheduler, and not --preset");
    u.refuse(o.calibrates() && o.on.device != "cpu", "--calibrate and --conditions run on --device cpu alone");
    u.refuse(o.calibrate == "-",
             "--calibrate - is read once; the prompts are checked before they are sampled; give a file");
    u.refuse(o.mask_text_encoder && o.calibrate.empty(), "--mask-text-encoder is for the prompts of --calibrate");
    return u.outcome;
}

result<void> check_usage(const bench_options& o) {
    usage u{"bench"};
    u.refuse(o.model.empty() == o.preset.empty(), "--model or --preset is required, and not both");
    return u.outcome;
}

} // namespace apriori::program
