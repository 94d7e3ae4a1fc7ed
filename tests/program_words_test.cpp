// SPDX-License-Identifier: Apache-2.0
// Words through the program: diffusers' recorded calls, files, bad input.
#include "apriori/io/npy.hpp"
#include "program_words.hpp"

#include <deque>
#include <span>

#include <nlohmann/json.hpp>

namespace {

using namespace program_testing;

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

    // from the first to the second; the first and the last frame are those of the texts
    ASSERT_EQ(run_on("unclip", "interpolate",
                     {"--seed", "5", "--steps", "4", "--frames", "3", "--text", seven, "9", "--text", two, "9"})
                  .code,
              0);
    const auto frames = tensor_of(out, "image_embeds");
    ASSERT_EQ(frames.size(), 36U);
    expect_near({frames.begin(), frames.begin() + 12}, alone);
    for (std::size_t i = 0; i < 12; ++i) ASSERT_NEAR(frames[12 + i], 0.5f * (frames[i] + frames[24 + i]), 1e-4f) << i;
}

// The class of version 2.1 in diffusers adds up all samples (with recorded numbers in pipelines_test.cpp); that of 2.2
// keeps them apart.
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

// The folder of a combined pipeline has the decoder's parts under their own names, and the prior's with the prefix
// prior_.
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

TEST_F(Words, EncodingIsInterrupted) {
    std::vector<std::string> all{"encode", "--model", digits.string(), "--threads", "1", "--out", out.string()};
    for (int i = 0; i < 5000; ++i) all.push_back("seven and " + std::to_string(i));
    const outcome o =
        command(program, all).interrupted_by(SIGINT, [](pid_t p) { return processor_seconds(p) > 0.1; }).run();
    EXPECT_EQ(o.code, 130) << o.err;
    EXPECT_NE(o.err.find("interrupted; nothing was written"), std::string::npos) << o.err;
    EXPECT_FALSE(std::filesystem::exists(out));
}

// CLI11 takes "[a, b]" for a list.
TEST_F(Words, TextsInBracketsStayAsTheyAre) {
    const std::vector<std::string> texts{"[a cat, sitting]", "[seven]", "[]", "two"};
    ASSERT_EQ(run_on("unclip", "encode", texts).code, 0);
    const auto file = apriori::io::safetensors_source::open(out);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->size(), 5 * 3U);
    for (const std::string& text : texts) EXPECT_TRUE(file->find(text + ".text_embeds").has_value()) << text;
    const std::vector<std::string> mixtures[] = {{"--text", "[a, b]", "1"}, {"--text=[a, b]", "1"}};
    for (const auto& text : mixtures) {
        std::vector<std::string> all{"--steps", "2", "--negative", "[c, d]"};
        all.insert(all.end(), text.begin(), text.end());
        const outcome o = run_on("unclip", "interpolate", all);
        ASSERT_EQ(o.code, 0) << o.err;
        const std::string bytes = read_all(out);
        EXPECT_NE(bytes.find("1.00 [a, b]"), std::string::npos);
        EXPECT_NE(bytes.find("[c, d]"), std::string::npos);
    }
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
    // Each name gives the same as its words.
    for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ(run_on("unclip", "sample", {"--seed", "8", "--steps", "2", texts[i]}).code, 0);
        const auto words = tensor_of(out, "image_embeds");
        const outcome named =
            run_on("unclip", "sample", {"--seed", "8", "--steps", "2", "--conditions", conditions.string(), names[i]});
        ASSERT_EQ(named.code, 0) << named.err;
        EXPECT_EQ(tensor_of(out, "image_embeds"), words) << names[i];
    }
    // The same in a batch.
    const path lines = folder.write("lines.jsonl", "{\"prompt\": \"a\\nb\"}\n{\"prompt\": \"" + lengthy + "\"}\n");
    const outcome batch = command(reference_program, {"encode", "--model", (folder.path / "unclip").string(), "--batch",
                                                      lines.string(), "--out", (folder.path / "many").string()})
                              .run();
    ASSERT_EQ(batch.code, 0) << batch.err;
    EXPECT_FALSE(tensor_of(folder.path / "many" / "000002.safetensors", "text_1.text_embeds").empty());
}

// Metadata is UTF-8, but a text or a file name may have any bytes.
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

// Both encoders as transformers' CLIPModel stores them: one config.json and one file of weights.
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
