// SPDX-License-Identifier: Apache-2.0
// Words through the program: diffusers' recorded calls (tests/reference/pipelines), files, batches that go on, bad input.
#include "apriori/io/npy.hpp"
#include "apriori/io/safetensors.hpp"
#include "apriori/io/safetensors_writer.hpp"
#include "apriori/io/stored_prompt.hpp"
#include "program_testing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <random>
#include <span>

#include <nlohmann/json.hpp>

namespace {

using namespace program_testing;
using apriori::index_t;

const path models = path(APRIORI_TEST_DATA) / "pipelines";
const std::string seven = "a bold handwritten seven leaning left", two = "a handwritten two";

std::vector<float> tensor_of(const path& file, const std::string& name) {
    const auto source = apriori::io::open_weights(file);
    if (!source) throw std::runtime_error(source.error().message);
    auto values = apriori::io::read_tensor(*source, name);
    if (!values) throw std::runtime_error(values.error().message);
    return std::move(*values);
}
std::vector<float> recorded(const std::string& name) { return tensor_of(models / "recorded.safetensors", name); }

/// Within the float rounding of the pipelines' own tests: 2e-5 of the largest.
void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    float largest = 1;
    for (const float x : wanted) largest = std::max(largest, std::fabs(x));
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 2e-5f * largest) << i;
}

/// A pipeline folder of the tiny models, as diffusers would have written it; with an image encoder it is Kandinsky's.
class Words : public testing::Test {
protected:
    void SetUp() override {
        for (const char* kind : {"unclip", "kandinsky"}) {
            const path model = folder.path / kind;
            std::filesystem::create_directories(model);
            const auto link = [&](const path& to, const char* name) {
                std::filesystem::create_directory_symlink(to, model / name);
            };
            for (const char* part : {"prior", "prior_scheduler", "text_encoder"}) link(models / part, part);
            link(digits / "tokenizer", "tokenizer");
        }
        std::filesystem::create_directory_symlink(models / "image_encoder",
                                                  folder.path / "kandinsky" / "image_encoder");
    }
    /// Runs a command of the program on one of the two, with --out e.safetensors.
    outcome run_on(const std::string& kind, const std::string& name, std::vector<std::string> more) {
        std::vector<std::string> all{name, "--model", (folder.path / kind).string(), "--out", out.string()};
        all.insert(all.end(), more.begin(), more.end());
        return command(reference_program, std::move(all)).run();
    }
    void expect_call(const outcome& o, const std::string& call, bool negative) {
        ASSERT_EQ(o.code, 0) << o.err;
        expect_near(tensor_of(out, "image_embeds"), recorded(call + ".image_embeds"));
        if (negative) expect_near(tensor_of(out, "negative_image_embeds"), recorded(call + ".negative_image_embeds"));
    }
    path embeds_file(const std::vector<float>& values, std::vector<index_t> shape) const {
        apriori::io::safetensors_writer writer;
        EXPECT_TRUE(writer.add("image_embeds", shape, values).ok());
        const path file = folder.path / "image.safetensors";
        EXPECT_TRUE(writer.write(file).ok());
        return file;
    }

    const temporary_folder folder;
    const path out = folder.path / "e.safetensors";
};

TEST_F(Words, UnclipGivesDiffusersEmbeddings) {
    expect_call(run_on("unclip", "sample", {"--seed", "0", "--steps", "5", seven}), "one", false);
    expect_call(run_on("unclip", "sample", {"--seed", "3", "--steps", "6", "--samples", "3", seven, two}), "batch",
                false);
    expect_call(
        run_on("unclip", "sample", {"--seed", "4", "--steps", "5", "--samples", "2", "--guidance", "1", seven, two}),
        "no_guidance", false);
    expect_call(run_on("unclip", "sample", {"--seed", "6", "--mask-text-encoder", seven, two}), "masked", false);
    const outcome o =
        run_on("unclip", "sample",
               {"--seed", "2", "--steps", "4", seven + " beside a thin wide five and a narrow nine leaning right"});
    expect_call(o, "long", false);
    EXPECT_NE(o.err.find("did not fit into the 16 that the model reads"), std::string::npos) << o.err;
}

TEST_F(Words, KandinskyGivesDiffusersEmbeddings) {
    expect_call(run_on("kandinsky", "sample", {"--seed", "9", "--steps", "5", "--samples", "2", seven, two}), "plain",
                true);
    expect_call(
        run_on("kandinsky", "sample", {"--seed", "12", "--steps", "4", "--guidance", "1", "--negative", "bold", seven}),
        "negative_no_guidance", true);
    const auto embeds = recorded("embeds");
    expect_call(run_on("kandinsky", "emb2emb",
                       {"--seed", "18", "--steps", "6", "--samples", "2", "--image",
                        embeds_file(embeds, {2, 12}).string(), seven, two}),
                "from_embeds", true);
    expect_call(run_on("kandinsky", "emb2emb",
                       {"--seed", "20", "--steps", "5", "--strength", "1", "--negative", "bold", "--image",
                        embeds_file({embeds.begin(), embeds.begin() + 12}, {12}).string(), seven, two}),
                "from_one", true);
}

TEST_F(Words, InterpolationIsTheWeightedSumOfItsParts) {
    const auto sample = [&](const std::string& text) {
        EXPECT_EQ(run_on("unclip", "sample", {"--seed", "5", "--steps", "4", text}).code, 0);
        return tensor_of(out, "image_embeds");
    };
    const auto embeds = recorded("embeds");
    const std::vector<float> image(embeds.begin(), embeds.begin() + 12), alone = sample(seven);
    const outcome o = run_on("unclip", "interpolate",
                             {"--seed", "5", "--steps", "4", "--text", seven, "0.75", "--image",
                              embeds_file(image, {1, 12}).string(), "-0.5"});
    ASSERT_EQ(o.code, 0) << o.err;
    std::vector<float> wanted(12);
    for (std::size_t i = 0; i < 12; ++i) wanted[i] = 0.75f * alone[i] - 0.5f * image[i];
    expect_near(tensor_of(out, "image_embeds"), wanted);

    // from the first to the second, the ends being the texts alone
    ASSERT_EQ(run_on("unclip", "interpolate",
                     {"--seed", "5", "--steps", "4", "--frames", "3", "--text", seven, "9", "--text", two, "9"})
                  .code,
              0);
    const auto frames = tensor_of(out, "image_embeds");
    ASSERT_EQ(frames.size(), 36U);
    expect_near({frames.begin(), frames.begin() + 12}, alone);
    for (std::size_t i = 0; i < 12; ++i) ASSERT_NEAR(frames[12 + i], 0.5f * (frames[i] + frames[24 + i]), 1e-4f) << i;
}

// 2.1's class in diffusers adds up all samples (with recorded numbers in pipelines_test.cpp), 2.2's keeps them apart.
TEST_F(Words, InterpolationAddsUpSamplesWhereDiffusersClassDoes) {
    const std::vector<std::string> mix{"--seed", "7",   "--steps", "3",      "--samples", "3",
                                       "--text", seven, "0.5",     "--text", two,         "0.25"};
    ASSERT_EQ(run_on("kandinsky", "interpolate", mix).code, 0);
    const auto apart = tensor_of(out, "image_embeds"), negative = tensor_of(out, "negative_image_embeds");
    ASSERT_EQ(apart.size(), 36U);
    const auto with_class = [&](const std::string& name) {
        folder.write("kandinsky/model_index.json", "{\"_class_name\": \"" + name + "\"}");
        const outcome o = run_on("kandinsky", "interpolate", mix);
        EXPECT_EQ(o.code, 0) << o.err;
        EXPECT_EQ(tensor_of(out, "negative_image_embeds"), negative);
        return tensor_of(out, "image_embeds");
    };
    for (const char* name : {"KandinskyPriorPipeline", "KandinskyCombinedPipeline"}) {
        std::vector<float> sum(12);
        for (std::size_t i = 0; i < 36; ++i) sum[i % 12] += apart[i];
        expect_near(with_class(name), sum);
    }
    for (const char* name : {"KandinskyV22PriorPipeline", "KandinskyV22CombinedPipeline", "UnCLIPPipeline"})
        EXPECT_EQ(with_class(name), apart) << name;
}

// The folder of a combined pipeline has the decoder's parts under their own names, and the prior's with prior_ in front.
TEST_F(Words, TheFolderOfACombinedPipelineIsThePriors) {
    const path combined = folder.path / "combined", plain = folder.path / "kandinsky";
    std::filesystem::create_directories(combined);
    for (const char* part : {"prior", "text_encoder", "image_encoder", "tokenizer"})
        std::filesystem::create_directory_symlink(std::filesystem::canonical(plain / part),
                                                  combined / (std::string("prior_") + part));
    std::filesystem::create_directory_symlink(models / "prior_scheduler", combined / "prior_scheduler");
    for (const char* part : {"scheduler", "unet", "movq", "text_encoder", "tokenizer"})
        std::filesystem::create_directories(combined / part);
    const std::string image = embeds_file(std::vector<float>(12, 0.5F), {12}).string();
    for (const auto& [name, more] : std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"sample", {"--steps", "3", seven}},
             {"interpolate", {"--steps", "3", "--text", seven, "0.5", "--image", image, "0.5"}},
             {"emb2emb", {"--steps", "4", "--strength", "0.5", "--image", image, seven}},
             {"encode", {seven}},
             {"pack", {}}}) {
        const outcome o = run_on("combined", name, more);
        ASSERT_EQ(o.code, 0) << name << ": " << o.err;
        EXPECT_EQ(o.err, "") << name;
        const std::string made = read_all(out);
        ASSERT_EQ(run_on("kandinsky", name, more).code, 0) << name;
        if (name == "pack") {
            EXPECT_TRUE(read_all(out) == made);
            continue;
        }
        const std::string tensor = name == "encode" ? seven + ".text_embeds" : "image_embeds";
        EXPECT_EQ(tensor_of(out, tensor), tensor_of(folder.write("made.safetensors", made), tensor)) << name;
    }
    for (const std::vector<std::string>& all :
         {std::vector<std::string>{"info", combined.string()},
          {"bench", "--model", combined.string(), "--repeats", "1", "--steps", "1", "--tokens", "3"}}) {
        const outcome o = command(reference_program, all).run();
        EXPECT_EQ(o.code, 0) << o.err;
    }
}

TEST_F(Words, FilesThatDiffusersLoadsWithAWarningDoSoHere) {
    const path model = folder.path / "foreign";
    for (const char* part : {"prior", "scheduler"}) std::filesystem::create_directories(model / part);
    for (const char* part : {"text_encoder", "tokenizer"})
        std::filesystem::create_directory_symlink(std::filesystem::canonical(folder.path / "unclip" / part),
                                                  model / part);
    for (const auto& file : std::filesystem::directory_iterator(models / "prior"))
        std::filesystem::copy_file(file.path(), model / "prior" / file.path().filename());
    ASSERT_EQ(run_on("unclip", "sample", {"--steps", "3", seven}).code, 0);
    const auto plain = tensor_of(out, "image_embeds");
    std::string config = read_all(models / "prior" / "config.json"),
                scheduler = read_all(models / "prior_scheduler" / "scheduler_config.json");
    config.insert(config.find('{') + 1, "\"attention_type\": \"default\", \"_name_or_path\": \"x\",");
    scheduler.insert(scheduler.find('{') + 1, "\"sigma_max\": null, ");
    folder.write("foreign/prior/config.json", config);
    folder.write("foreign/scheduler/scheduler_config.json", scheduler);
    const outcome o = run_on("foreign", "sample", {"--steps", "3", seven});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(tensor_of(out, "image_embeds"), plain);
    EXPECT_EQ(o.err, "apriori: warning: " + model.string() +
                         "/prior/config.json: ignored: 'attention_type'; PriorTransformer has no such field\n"
                         "apriori: warning: " +
                         model.string() +
                         "/scheduler/scheduler_config.json: ignored: 'sigma_max'; UnCLIPScheduler has no such field\n");
}

TEST_F(Words, EncodedTextsAreConditions) {
    const path conditions = folder.path / "c.safetensors";
    const outcome o = command(reference_program, {"encode", "--model", (folder.path / "unclip").string(), "--out",
                                                  conditions.string(), seven, two})
                          .run();
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(run_on("unclip", "sample", {"--seed", "8", "--steps", "4", seven}).code, 0);
    const auto words = tensor_of(out, "image_embeds");
    ASSERT_EQ(
        run_on("unclip", "sample", {"--seed", "8", "--steps", "4", "--conditions", conditions.string(), seven}).code,
        0);
    EXPECT_EQ(tensor_of(out, "image_embeds"), words);
}

TEST_F(Words, TextsThatCannotNameATensorAreEncoded) {
    std::string lengthy;
    while (lengthy.size() < 3000) lengthy += two + ' ';
    const path conditions = folder.path / "c.safetensors";
    const std::vector<std::string> texts{seven, "a handwritten\ntwo", lengthy, "a handwritten \xFFtwo", "text_4"};
    const std::vector<std::string> names{seven, "text_2", "text_3", "text_4_", "text_4"};
    std::vector<std::string> all{"encode", "--model", (folder.path / "unclip").string(), "--out", conditions.string()};
    all.insert(all.end(), texts.begin(), texts.end());
    const outcome o = command(reference_program, all).run();
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("is called text_2 in the file"), std::string::npos) << o.out;
    EXPECT_EQ(o.out.find("is called " + seven), std::string::npos) << o.out;
    const auto file = apriori::io::safetensors_source::open(conditions);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->size(), 6 * 3U);
    // What each name gives is what the words give.
    for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ(run_on("unclip", "sample", {"--seed", "8", "--steps", "2", texts[i]}).code, 0);
        const auto words = tensor_of(out, "image_embeds");
        const outcome named =
            run_on("unclip", "sample", {"--seed", "8", "--steps", "2", "--conditions", conditions.string(), names[i]});
        ASSERT_EQ(named.code, 0) << named.err;
        EXPECT_EQ(tensor_of(out, "image_embeds"), words) << names[i];
    }
    // So it is in a batch.
    const path lines = folder.write("lines.jsonl", "{\"prompt\": \"a\\nb\"}\n{\"prompt\": \"" + lengthy + "\"}\n");
    const outcome batch = command(reference_program, {"encode", "--model", (folder.path / "unclip").string(), "--batch",
                                                      lines.string(), "--out", (folder.path / "many").string()})
                              .run();
    ASSERT_EQ(batch.code, 0) << batch.err;
    EXPECT_FALSE(tensor_of(folder.path / "many" / "000002.safetensors", "text_1.text_embeds").empty());
}

// Metadata is UTF-8; a text or a file's name may be any bytes.
TEST_F(Words, WhatIsNotUtf8IsReplacedInTheMetadata) {
    const path odd = folder.path / "odd\xFF";
    std::filesystem::create_directory_symlink(folder.path / "kandinsky", odd);
    const auto metadata = [&](const std::string& name, std::vector<std::string> more) {
        std::vector<std::string> all{name, "--model", odd.string(), "--out", out.string(), "--steps", "2"};
        all.insert(all.end(), more.begin(), more.end());
        const outcome o = command(reference_program, all).run();
        EXPECT_EQ(o.code, 0) << o.err;
        const auto file = apriori::io::safetensors_source::open(out);
        EXPECT_TRUE(file.ok());
        std::string list;
        for (const auto& [key, value] : file->metadata()) list += key + "=" + value + "\n";
        return list;
    };
    std::string all = metadata("interpolate", {"--text", "a\xFF", "1", "--negative-embedding", "b\xFF"});
    EXPECT_NE(all.find("negative_embedding=b\uFFFD\n"), std::string::npos) << all;
    const auto embeds = recorded("embeds");
    const path image = folder.path / "i\xFF.safetensors";
    std::filesystem::rename(embeds_file({embeds.begin(), embeds.begin() + 12}, {12}), image);
    all = metadata("emb2emb", {"--image", image.string(), "--strength", "1", "--negative", "c\xFF", "a"});
    EXPECT_NE(all.find("image=i\uFFFD.safetensors\n"), std::string::npos) << all;
    EXPECT_NE(all.find("negative_prompt=\"c\uFFFD\"\n"), std::string::npos) << all;
}

// Both encoders as transformers' CLIPModel keeps them: one config.json, one file of weights.
TEST_F(Words, AFolderOfAClipModelIsBothEncoders) {
    const path both = folder.path / "clip", model = folder.path / "kandinsky";
    std::filesystem::create_directories(both);
    const auto read = [](const path& file) { return nlohmann::json::parse(read_all(file)); };
    nlohmann::json config{{"model_type", "clip"}, {"projection_dim", 12}};
    config["text_config"] = read(models / "text_encoder" / "config.json");
    config["vision_config"] = read(models / "image_encoder" / "config.json");
    folder.write("clip/config.json", config.dump());
    apriori::io::safetensors_writer writer;
    std::deque<std::vector<float>> values;
    for (const char* part : {"text_encoder", "image_encoder"}) {
        const auto source = apriori::io::open_weights(models / part);
        ASSERT_TRUE(source.ok());
        for (std::size_t i = 0; i < source->size(); ++i) {
            const apriori::tensor_info t = source->info(i);
            auto& all = values.emplace_back(static_cast<std::size_t>(t.size()));
            ASSERT_TRUE(source->read(i, 0, all).ok());
            ASSERT_TRUE(writer.add(t.name, std::span(t.dims).first(static_cast<std::size_t>(t.rank)), all).ok());
        }
    }
    ASSERT_TRUE(writer.add("logit_scale", {}, values.emplace_back(1, 2.6592f)).ok());
    ASSERT_TRUE(writer.write(both / "model.safetensors").ok());
    for (const char* part : {"text_encoder", "image_encoder"}) {
        std::filesystem::remove(model / part);
        std::filesystem::create_directory_symlink(both, model / part);
    }
    expect_call(run_on("kandinsky", "sample", {"--seed", "9", "--steps", "5", "--samples", "2", seven, two}), "plain",
                true);
}

TEST_F(Words, TheDigitsConditionsAreWhatTheirTextEncoderGives) {
    const path conditions = folder.path / "c.safetensors", theirs = digits / "conditions.safetensors";
    const outcome o = run({"encode", "--model", digits.string(), "--mask-text-encoder", "--out", conditions.string(),
                           "a handwritten zero"});
    ASSERT_EQ(o.code, 0) << o.err;
    for (const char* field : {".text_embeds", ".last_hidden_state", ".attention_mask"})
        for (const char* name : {"a handwritten zero", "unconditional"})
            expect_near(tensor_of(conditions, std::string(name) + field), tensor_of(theirs, std::string(name) + field));
}

TEST_F(Words, AnotherSchedulerAndAnotherFileFormat) {
    const path npy = folder.path / "e.npy";
    const auto draw = [&](std::vector<std::string> more) {
        std::vector<std::string> all{"sample", "--model", digits.string(), "--mask-text-encoder", "--guidance", "1"};
        all.insert(all.end(), more.begin(), more.end());
        const outcome o = run(all);
        EXPECT_EQ(o.code, 0) << o.err;
        return o.out;
    };
    draw({"--out", out.string(), two});
    draw({"--out", npy.string(), two});
    const auto array = apriori::io::read_npy(npy);
    ASSERT_TRUE(array.ok()) << array.error().message;
    EXPECT_EQ(array->shape, (std::vector<index_t>{1, 64}));
    const auto drawn = tensor_of(out, "image_embeds");
    EXPECT_EQ(array->values, drawn);
    for (const char* scheduler :
         {"DDPMScheduler", "DDIMScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler"}) {
        const std::string said = draw({"--scheduler", scheduler, "--samples", "4", "--out", out.string(), two});
        EXPECT_NE(said.find("nearest to the digit that the prompt names: 4 of 4"), std::string::npos)
            << scheduler << "\n"
            << said;
        EXPECT_NE(read_all(out).find(scheduler), std::string::npos);
        EXPECT_NE(tensor_of(out, "image_embeds"), drawn);
    }
}

class Batch : public Words {
protected:
    outcome run_batch(const std::string& lines, std::vector<std::string> more = {}) {
        std::vector<std::string> all{"sample",
                                     "--model",
                                     (folder.path / "unclip").string(),
                                     "--batch",
                                     folder.write("prompts.jsonl", lines).string(),
                                     "--out",
                                     results.string()};
        all.insert(all.end(), more.begin(), more.end());
        return command(reference_program, std::move(all)).run();
    }
    const path results = folder.path / "results";
    const std::string three = "{\"prompt\": \"" + seven +
                              "\", \"seed\": 0, \"num_inference_steps\": 5}\n\n" //
                              "{\"prompt\": \"" +
                              two +
                              "\", \"negative_prompt\": \"bold\", \"num_images_per_prompt\": 2}\n" //
                              "{\"prompt\": \"\", \"seed\": 1, \"num_inference_steps\": 3, \"guidance_scale\": 4.0}";
};

TEST_F(Batch, ALineIsWhatItIsAlone) {
    const outcome o = run_batch(three, {"--steps", "4"});
    ASSERT_EQ(o.code, 0) << o.err;
    expect_near(tensor_of(results / "000001.safetensors", "image_embeds"), recorded("one.image_embeds"));
    expect_near(tensor_of(results / "000004.safetensors", "image_embeds"), recorded("empty.image_embeds"));
    ASSERT_EQ(run_on("unclip", "sample", {"--steps", "4", "--samples", "2", "--negative", "bold", two}).code, 0);
    EXPECT_EQ(tensor_of(results / "000003.safetensors", "image_embeds"), tensor_of(out, "image_embeds"));
}

// Lines of the same settings are sampled together, 16 rows at a time: 19 lines of 3 kinds, two samples each.
TEST_F(Batch, ALineIsWhatItIsAmongOthers) {
    std::string lines;
    for (int i = 0; i < 19; ++i)
        lines += "{\"prompt\": \"" + (i % 3 == 0 ? seven : two) + "\", \"seed\": " + std::to_string(i) +
                 (i == 5 || i == 6 ? ", \"negative_prompt\": \"" + std::string(i == 5 ? "bold" : "thin") + "\"" : "") +
                 (i == 11 ? ", \"guidance_scale\": 2.0" : "") + "}\n";
    const std::vector<std::string> how{"--steps", "4", "--samples", "2"};
    const outcome o = run_batch(lines, how);
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("19 files made in "), std::string::npos) << o.out;
    std::vector<std::string> files;
    for (int i = 1; i <= 19; ++i) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", i);
        files.push_back(read_all(results / name));
    }
    // each alone: the others are there already
    for (const int i : {1, 6, 7, 12, 19}) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", i);
        std::filesystem::remove(results / name);
        ASSERT_EQ(run_batch(lines, how).code, 0);
        EXPECT_EQ(read_all(results / name), files[static_cast<std::size_t>(i - 1)]) << i;
    }
}

TEST_F(Batch, GoesOnWhereItWasStopped) {
    ASSERT_EQ(run_batch(three, {"--steps", "4"}).code, 0);
    const auto last = results / "000004.safetensors", first = results / "000001.safetensors";
    const std::string bytes = read_all(last);
    const auto written = std::filesystem::last_write_time(first);
    std::filesystem::remove(last);
    const outcome o = run_batch(three, {"--steps", "4"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("1 file made, 2 there already, in"), std::string::npos) << o.out;
    EXPECT_EQ(read_all(last), bytes);
    EXPECT_EQ(std::filesystem::last_write_time(first), written);
    // what another run made is neither kept nor replaced
    const outcome other = run_batch(three, {"--steps", "7"});
    expect_refused({other.code, "", other.err},
                   "000003.safetensors: was made by another run: its steps is '4', that of this run '7'");
}

TEST_F(Batch, GoesIntoOneArray) {
    const std::string lines = "{\"prompt\": \"" + seven + "\", \"seed\": 1}\n\n{\"prompt\": \"" + two + "\"}\n";
    const path array = folder.path / "all.npy", prompts = folder.path / "prompts.jsonl";
    const auto run = [&](std::vector<std::string> more, const path& to) {
        more.insert(more.begin(), {"sample", "--model", (folder.path / "unclip").string(), "--steps", "4", "--samples",
                                   "2", "--batch", prompts.string(), "--out", to.string()});
        return command(reference_program, more).run();
    };
    ASSERT_EQ(run_batch(lines, {"--steps", "4", "--samples", "2"}).code, 0);
    const outcome o = run({"--resume"}, array); // there is nothing to go on with
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_NE(o.out.find("2 samples of 2 prompts in "), std::string::npos) << o.out;
    auto expected = tensor_of(results / "000001.safetensors", "image_embeds");
    const auto second = tensor_of(results / "000003.safetensors", "image_embeds");
    const auto width = static_cast<apriori::index_t>(expected.size() / 2);
    expected.insert(expected.end(), second.begin(), second.end());
    const auto made = apriori::io::read_npy(array);
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made->shape, (std::vector<apriori::index_t>{4, width}));
    EXPECT_EQ(made->values, expected);

    expect_refused(run({"--resume", "--guidance", "3"}, array),
                   "all.npy.manifest.json: is of another run: its 'guidance' is '4', that of this run '3'");
    expect_refused(run({"--resume"}, results), "--resume is for a --batch whose --out is one .npy");
    expect_refused(run({"--resumee"}, array), "--resumee");
    expect_refused(run({}, folder.path / "none" / "all.npy"), "--out ");
    std::filesystem::create_directory(folder.path / "folder.npy");
    expect_refused(run({}, folder.path / "folder.npy"), "folder.npy");
    folder.write("all.npy.part", "");
    expect_refused(run({}, array), "go on with it (--resume), or remove it");
    folder.write("prompts.jsonl", lines + "{\"prompt\": \"\", \"num_images_per_prompt\": 1}\n");
    expect_refused(run({"--resume"}, array),
                   "prompts.jsonl:4: num_images_per_prompt 1: all lines of one .npy have as many rows");
    folder.write("prompts.jsonl", "{\"prompt\": \"\", \"seed\": -1}\n");
    expect_refused(run({"--resume"}, array), "prompts.jsonl:1: seed -1: rows of one .npy may be made again");
}

TEST_F(Batch, NullIsAsGoodAsAbsent) {
    const std::string line = "{\"prompt\": \"" + two + "\"";
    ASSERT_EQ(run_batch(line + "}", {"--steps", "4", "--seed", "7"}).code, 0);
    const auto first = results / "000001.safetensors";
    const std::string bytes = read_all(first);
    std::filesystem::remove(first);
    const outcome o = run_batch(line + ", \"negative_prompt\": null, \"num_images_per_prompt\": null, \"seed\": null, "
                                       "\"num_inference_steps\": null, \"guidance_scale\": null}",
                                {"--steps", "4", "--seed", "7"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_EQ(read_all(first), bytes);
}

TEST_F(Batch, ASeedOfMinusOneIsDrawnAndRecorded) {
    const std::string line = "{\"prompt\": \"" + two + "\", \"num_inference_steps\": 3, \"seed\": ";
    const std::string lines = line + "-1}\n" + line + "-1}\n";
    const auto file = [&](int i) { return results / ("00000" + std::to_string(i) + ".safetensors"); };
    const auto seed_of = [&](int i) {
        const auto source = apriori::io::safetensors_source::open(file(i));
        EXPECT_TRUE(source.ok());
        std::string seed;
        for (const auto& [key, value] : source->metadata())
            if (key == "seed") seed = value;
        return seed;
    };
    const outcome o = run_batch(lines);
    ASSERT_EQ(o.code, 0) << o.err;
    const std::string one = seed_of(1), other = seed_of(2);
    EXPECT_NE(one, other); // by chance the same once in 4 thousand million runs
    EXPECT_NE(o.out.find("000001.safetensors  " + two + ", seed " + one + "\n"), std::string::npos) << o.out;
    // What was made stays as it is; what is missing is drawn.
    const std::string bytes = read_all(file(1));
    std::filesystem::remove(file(2));
    ASSERT_EQ(run_batch(lines).code, 0);
    EXPECT_EQ(read_all(file(1)), bytes);
    EXPECT_EQ(seed_of(1), one);
    EXPECT_TRUE(std::filesystem::exists(file(2)));
    // The seed gives the same again.
    const auto embeds = tensor_of(file(1), "image_embeds");
    ASSERT_EQ(run_on("unclip", "sample", {"--steps", "3", "--seed", one, two}).code, 0);
    EXPECT_EQ(tensor_of(out, "image_embeds"), embeds);
}

#if defined(APRIORI_FAIL_MALLOC) // and no sanitizer, which keeps freed memory
TEST(BatchOfDigits, TakesTheSameMemoryHoweverLongItIs) {
    const temporary_folder folder;
    const char* words[] = {"a handwritten one", "a bold handwritten two", "seven", "", "a thin eight leaning left"};
    std::string lines;
    for (int i = 0; i < 1000; ++i)
        lines += "{\"prompt\": \"" + std::string(words[i % 5]) + "\", \"seed\": " + std::to_string(i) + "}\n";
    const path results = folder.path / "results", prompts = folder.write("prompts.jsonl", lines);
    const auto is_done = [&](const char* line) { return std::filesystem::exists(results / line); };
    // The most that it is seen to hold while it draws lines 50 to 500, and 500 to 1000. Pages of files come and go with the system's
    // cache. How often one looks is up to the machine, and a line takes some 100 KiB while it is drawn; 500 lines that were kept would be
    // a KiB each at the least: 16 embeddings and the prompt.
    const long kept = 500;
    long early = 0, late = 0;
    const auto look = [&](pid_t process) {
        std::istringstream status(read_all(path("/proc") / std::to_string(process) / "status"));
        long kib = 0;
        for (std::string word; status >> word;)
            if (word == "RssAnon:") status >> kib;
        if (is_done("000500.safetensors"))
            late = std::max(late, kib);
        else if (is_done("000050.safetensors"))
            early = std::max(early, kib);
        return false; // no signal
    };
    const outcome o =
        command(program, {"sample", "--model", digits.string(), "--mask-text-encoder", "--samples", "16", "--steps",
                          "1", "--threads", "1", "--batch", prompts.string(), "--out", results.string()})
            .with("MALLOC_TRIM_THRESHOLD_=131072") // else glibc keeps what it was given back, more or less of it
            .interrupted_by(SIGTERM, look)
            .run();
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_GT(early, 4000);
    EXPECT_LT(late, early + kept);
    EXPECT_GT(late, early - kept) << "it was not looked at";
}
#endif

TEST_F(Batch, StoppedAndRunAgainItIsWhole) {
    std::string lines;
    for (int i = 0; i < 12; ++i) lines += "{\"prompt\": \"" + two + "\", \"seed\": " + std::to_string(i) + "}\n";
    const path prompts = folder.write("prompts.jsonl", lines);
    const auto batch = [&](const path& to) {
        return command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--batch",
                                           prompts.string(), "--out", to.string(), "--steps", "25", "--samples", "60"});
    };
    const auto file = [](int line) {
        char name[32];
        std::snprintf(name, sizeof name, "%06d.safetensors", line);
        return path(name);
    };
    const path whole = folder.path / "whole";
    ASSERT_EQ(batch(whole).run().code, 0);

    const outcome stopped =
        batch(results).interrupted_by(SIGINT, [&](pid_t) { return std::filesystem::exists(results / file(2)); }).run();
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    EXPECT_NE(stopped.err.find("the same command goes on there"), std::string::npos) << stopped.err;
    EXPECT_FALSE(std::filesystem::exists(results / file(12))) << "the signal came when all was done";
    ASSERT_EQ(batch(results).run().code, 0);
    for (int i = 1; i <= 12; ++i) EXPECT_EQ(read_all(results / file(i)), read_all(whole / file(i))) << i;

    // Killed at any moment, it has left whole files alone.
    std::mt19937 random(1);
    int killed = 0, finished = 0;
    const int enough = sanitized ? 25 : 100;
    for (std::filesystem::remove_all(results); killed < enough && finished < 100;) {
        const double at = std::uniform_real_distribution(0.0, 0.15)(random); // seconds of processor time
        const auto start = std::chrono::steady_clock::now();
        const outcome o =
            batch(results)
                .interrupted_by(
                    SIGKILL,
                    [&](pid_t) { return std::chrono::steady_clock::now() - start > std::chrono::duration<double>(at); })
                .run();
        ASSERT_TRUE(o.code == 0 || o.code == -SIGKILL) << o.code << o.err;
        ++(o.code == 0 ? finished : killed);
        int there = 0;
        for (int i = 1; i <= 12; ++i)
            if (std::filesystem::exists(results / file(i))) {
                ++there;
                ASSERT_EQ(read_all(results / file(i)), read_all(whole / file(i))) << i;
            }
        if (!std::filesystem::exists(results)) continue;
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(results), {}), there) << "something else is left";
        if (there == 12) std::filesystem::remove_all(results);
    }
    EXPECT_GE(killed, 20) << "the runs end before they are killed";
}

TEST_F(Batch, RefusesBrokenLinesBeforeItBegins) {
    const auto refuse = [&](const std::string& lines, const std::string& part) {
        expect_refused(run_batch(lines), part);
        EXPECT_FALSE(std::filesystem::exists(results));
    };
    const std::string good = "{\"prompt\": \"a\"}\n";
    refuse(good + "{\"prompt\": ", "prompts.jsonl:2:1:12: is not well-formed JSON");
    refuse(good + good + "[]", "prompts.jsonl:3: is [], not an object");
    refuse(good + "{}", "prompts.jsonl:2: has no field 'prompt'");
    refuse("{\"prompt\": 3}", "prompts.jsonl:1: field 'prompt' is 3; allowed: text");
    refuse("{\"prompt\": \"a\", \"promt\": 1}", "prompts.jsonl:1: unknown field 'promt'; a line has ");
    for (const char* seed : {"-2", "-1.0", "1.5", "\"1\"", "true"})
        refuse("{\"prompt\": \"a\", \"seed\": " + std::string(seed) + "}",
               "allowed: a whole number from 0 to 18446744073709551615, or -1 for one that is drawn");
    refuse("{\"prompt\": null}", "prompts.jsonl:1: has no field 'prompt'");
    refuse("{\"prompt\": \"a\", \"num_inference_steps\": 5000}", "prompts.jsonl:1: num_inference_steps 5000: ");
    for (const char* value : {"-2", "18446744073709551616", "1.5", "1e3", "\"5\"", "true", "[5]", "01", "NaN"})
        for (const char* field : {"seed", "num_inference_steps", "num_images_per_prompt"})
            refuse("{\"prompt\": \"a\", \"" + std::string(field) + "\": " + value + "}", "prompts.jsonl:1");
    for (const char* value : {"1e39", "-1e39", "1e400", "\"5\"", "true", "[5]", "01", "Infinity", "NaN"})
        refuse("{\"prompt\": \"a\", \"guidance_scale\": " + std::string(value) + "}", "prompts.jsonl:1");
    refuse("\n\n", "prompts.jsonl: holds no lines");
    expect_refused(run_batch(good, {"words"}), "--batch stands alone");
    expect_refused(run_batch(good, {"--png", "e.png"}), "--batch has none");
    expect_refused(command(reference_program, {"sample", "--model", "m", "--batch", "b"}).run(), "--batch needs --out");
    expect_refused(command(reference_program, {"sample", "--model", (folder.path / "unclip").string(), "--batch",
                                               (folder.path / "none").string(), "--out", results.string()})
                       .run(),
                   "none: cannot be read");
}

/// A batch of each of the other commands: what a line gives is what the command gives alone.
TEST_F(Words, EveryCommandTakesABatch) {
    const path results = folder.path / "results", first = results / "000001.safetensors";
    const auto batch = [&](const std::string& kind, const std::string& name, const std::string& line) {
        const path lines = folder.write(name + ".jsonl", line);
        std::filesystem::remove_all(results);
        return command(reference_program, {name, "--model", (folder.path / kind).string(), "--batch", lines.string(),
                                           "--out", results.string()})
            .run();
    };
    const auto embeds = recorded("embeds");
    const std::string image = embeds_file({embeds.begin(), embeds.begin() + 12}, {12}).string();
    outcome o = batch("kandinsky", "emb2emb",
                      "{\"prompt\": \"" + seven + "\", \"image\": \"" + image +
                          "\", \"strength\": 0.5, \"num_inference_steps\": 6, \"seed\": 3}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(
        run_on("kandinsky", "emb2emb", {"--image", image, "--strength", "0.5", "--steps", "6", "--seed", "3", seven})
            .code,
        0);
    EXPECT_EQ(tensor_of(first, "image_embeds"), tensor_of(out, "image_embeds"));
    EXPECT_EQ(tensor_of(first, "negative_image_embeds"), tensor_of(out, "negative_image_embeds"));

    const std::string mixture = "{\"images_and_prompts\": [\"" + seven + "\", {\"image\": \"" + image +
                                "\"}], \"weights\": [0.25, 2], \"num_inference_steps\": 4";
    o = batch("unclip", "interpolate", mixture + "}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(run_on("unclip", "interpolate", {"--steps", "4", "--text", seven, "0.25", "--image", image, "2"}).code,
              0);
    EXPECT_EQ(tensor_of(first, "image_embeds"), tensor_of(out, "image_embeds"));

    o = batch("unclip", "encode", "{\"prompt\": \"" + two + "\"}");
    ASSERT_EQ(o.code, 0) << o.err;
    ASSERT_EQ(run_on("unclip", "encode", {two}).code, 0);
    EXPECT_EQ(tensor_of(first, two + ".last_hidden_state"), tensor_of(out, two + ".last_hidden_state"));

    expect_refused(batch("unclip", "emb2emb", "{\"prompt\": \"a\"}"), "emb2emb.jsonl:1: has no field 'image'");
    expect_refused(batch("unclip", "emb2emb", "{\"prompt\": \"a\", \"image\": \"none.npy\"}"),
                   "emb2emb.jsonl:1: none.npy");
    expect_refused(batch("unclip", "encode", "{\"prompt\": \"\"}"), "encode.jsonl:1: a text is ''");
    expect_refused(batch("unclip", "interpolate", "{\"prompt\": \"a\"}"),
                   "has no fields 'images_and_prompts' and 'weights'");
    expect_refused(batch("unclip", "interpolate", "{\"images_and_prompts\": [\"a\"], \"weights\": [1, 2]}"),
                   "field 'weights' is [1,2]; allowed: a list of 1 numbers");
    for (const char* value : {"1e39", "\"1\"", "null", "true"})
        expect_refused(batch("unclip", "interpolate",
                             "{\"images_and_prompts\": [\"a\"], \"weights\": [" + std::string(value) + "]}"),
                       "allowed: finite numbers");
    for (const char* value : {"0", "-0.5", "1.01", "\"1\"", "1e-7"})
        expect_refused(batch("unclip", "emb2emb",
                             "{\"prompt\": \"a\", \"image\": \"" + image + "\", \"strength\": " + value + "}"),
                       "emb2emb.jsonl:1: field 'strength' is ");
    expect_refused(batch("unclip", "interpolate", "{\"images_and_prompts\": [3], \"weights\": [1]}"),
                   "field 'images_and_prompts' is [3]; allowed: a list of texts");
}

TEST_F(Words, BadInputIsRefused) {
    const auto refuse = [&](const std::string& kind, const std::string& name, std::vector<std::string> more,
                            const std::string& part) {
        expect_refused(run_on(kind, name, std::move(more)), part);
        EXPECT_FALSE(std::filesystem::exists(out)) << part;
    };
    refuse("unclip", "sample", {}, "needs words or --conditions, or --batch");
    refuse("unclip", "sample", {"--scheduler", "EulerScheduler", seven},
           "scheduler \"EulerScheduler\"; allowed: \"UnCLIPScheduler\"");
    refuse("unclip", "sample", {"--conditions", "c", "--negative", "x", seven}, "--conditions are encoded already");
    refuse("unclip", "interpolate", {}, "needs --text or --image, or --batch");
    refuse("unclip", "emb2emb", {}, "needs words, or --batch");
    refuse("unclip", "emb2emb", {seven}, "needs --image");
    refuse("unclip", "encode", {}, "needs words, or --batch");
    refuse("unclip", "interpolate", {"--frames", "3", "--text", seven, "1"}, "needs two of --text and --image");
    refuse("unclip", "interpolate", {"--text", seven, "inf"}, "--text: 'inf' is not allowed; allowed: a finite");
    refuse("unclip", "interpolate", {"--text", seven}, "--text");
    refuse("unclip", "emb2emb", {"--image", embeds_file(std::vector<float>(11), {11}).string(), seven},
           "image.safetensors: the image embedding is [11]; the model takes [12] or [rows, 12]");
    refuse("unclip", "emb2emb", {"--image", embeds_file(std::vector<float>(36), {3, 12}).string(), seven, two},
           "holds 3 image embeddings; allowed: one, or one for each of the 2 texts");
    refuse("unclip", "emb2emb", {"--image", embeds_file({NAN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {12}).string(), seven},
           "image.safetensors: the image embedding[0] is nan");
    const auto image = embeds_file(std::vector<float>(12), {12}).string();
    refuse("unclip", "emb2emb", {"--image", image, "--strength", "0", seven}, "--strength: '0' is not allowed");
    refuse("unclip", "emb2emb", {"--image", image, "--strength", "0.01", seven}, "strength");
    refuse("unclip", "encode", {""}, "a text is ''");

    std::filesystem::remove(folder.path / "unclip" / "tokenizer");
    refuse("unclip", "sample", {seven}, "holds no folder tokenizer, which words need");
    std::filesystem::create_directory_symlink(digits / "tokenizer", folder.path / "unclip" / "tokenizer");
    std::filesystem::remove(folder.path / "unclip" / "text_encoder");
    std::filesystem::create_directory_symlink(digits / "text_encoder", folder.path / "unclip" / "text_encoder");
    refuse("unclip", "sample", {seven}, "hidden_size is 64; the prior's embedding_dim is 12");
}

} // namespace
