// SPDX-License-Identifier: Apache-2.0
// config.json: diffusers' files are read, and an error names every wrong field and the values that are allowed.
#include "apriori/io/config_json.hpp"
#include "apriori/io/json_fields.hpp"
#include "io_testing.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace apriori;
using io::parse_config;
using io_testing::temporary_folder;

auto parse(std::string_view text) { return parse_config<PriorConfig>(text, "m/config.json"); }

/// A configuration that differs from the defaults in every field.
constexpr PriorConfig unusual{.num_attention_heads = 3,
                              .attention_head_dim = 5,
                              .num_layers = 7,
                              .embedding_dim = 11,
                              .num_embeddings = 0,
                              .additional_embeddings = 2,
                              .dropout = 0.1F,
                              .time_embed_act_fn = activation::gelu,
                              .norm_in_type = norm_type::layer,
                              .embedding_proj_norm_type = norm_type::rms,
                              .encoder_hid_proj_type = hid_proj_type::none,
                              .added_emb_type = added_emb::none,
                              .time_embed_dim = 13,
                              .embedding_proj_dim = 17,
                              .clip_embed_dim = 19};
/// An ECLIPSE prior, which has no time embedding.
constexpr PriorConfig one_pass{.additional_embeddings = 3, .time_embedding = false};

TEST(ConfigJson, TheTableHoldsEveryField) {
    // Fails to compile when PriorConfig gains a field, which fields() needs then too.
    const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = unusual;
    static_cast<void>(std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p));
    static_assert(fields_of<PriorConfig>.size() == 16 + 2); // and _class_name, quantization_config
    std::vector<std::string> names;
    for_each_field<PriorConfig>([&](const auto& field) { names.emplace_back(field.name); });
    EXPECT_EQ(names, (std::vector<std::string>{"num_attention_heads", "attention_head_dim", "num_layers",
                                               "embedding_dim", "num_embeddings", "additional_embeddings", "dropout",
                                               "time_embed_act_fn", "norm_in_type", "embedding_proj_norm_type",
                                               "encoder_hid_proj_type", "added_emb_type", "time_embed_dim",
                                               "embedding_proj_dim", "clip_embed_dim", "time_embedding"}));
}

TEST(ConfigJson, AbsentFieldsTakeTheDefaults) {
    const auto empty = parse("{}");
    ASSERT_TRUE(empty.ok()) << empty.error().message;
    EXPECT_EQ(*empty, PriorConfig{});
    const auto some = parse(
        R"({"_class_name": "PriorTransformer", "_diffusers_version": "0.17.0", "_name_or_path": null, "embedding_dim": 1280})");
    ASSERT_TRUE(some.ok()) << some.error().message;
    EXPECT_EQ(*some, presets::kandinsky_2_2);
}

TEST(ConfigJson, ReadsTheRecordedModels) {
    int models = 0;
    for (const auto& folder : std::filesystem::directory_iterator(io_testing::data / "cases")) {
        if (!folder.is_directory()) continue;
        const auto config = io::load_config<PriorConfig>(folder.path());
        EXPECT_TRUE(config.ok()) << config.error().message;
        ++models;
    }
    EXPECT_GE(models, 12);
    const auto cases = io_testing::data / "cases";
    EXPECT_EQ(*io::load_config<PriorConfig>(cases / "karlo_full"), presets::karlo_v1_alpha);
    EXPECT_EQ(*io::load_config<PriorConfig>(cases / "kandinsky22_full/config.json"), presets::kandinsky_2_2);
    EXPECT_EQ(io::load_config<PriorConfig>(cases / "tiny_mish")->time_embed_act_fn, activation::mish);
    EXPECT_EQ(io::load_config<PriorConfig>(cases / "tiny_no_prd")->added_emb_type, added_emb::none);
    EXPECT_EQ(io::load_config<PriorConfig>(cases / "tiny_norms")->norm_in_type, norm_type::layer);
}

TEST(ConfigJson, EclipsePriorsHaveNoTimeEmbedding) {
    const auto recorded = io::load_config<PriorConfig>(io_testing::data / "eclipse");
    ASSERT_TRUE(recorded.ok()) << recorded.error().message;
    EXPECT_FALSE(recorded->time_embedding);
    EXPECT_EQ(recorded->additional_embeddings, 3);
    EXPECT_EQ(*parse(R"({"additional_embeddings": 3, "time_embedding": false})"), one_pass);
    EXPECT_EQ(*parse(R"({"additional_embeddings": 3})"), one_pass); // a file of ECLIPSE's class
    // a file that has a field of the time embedding, or added_emb_type, is of diffusers' class
    EXPECT_TRUE(parse(R"({"additional_embeddings": 3, "time_embed_dim": null})")->time_embedding);
    EXPECT_TRUE(parse(R"({"additional_embeddings": 3, "time_embed_act_fn": "silu"})")->time_embedding);
    EXPECT_TRUE(parse(R"({"additional_embeddings": 3, "time_embedding": true})")->time_embedding);
    EXPECT_TRUE(parse(R"({"additional_embeddings": 3, "added_emb_type": null})")->time_embedding);
    EXPECT_TRUE(parse(R"({"additional_embeddings": 4})")->time_embedding);
    EXPECT_FAILS(parse(R"({"time_embedding": 0})"), errc::invalid_argument,
                 "field 'time_embedding' is 0; allowed: true or false");
    EXPECT_FAILS(parse(R"({"time_embedding": false, "added_emb_type": null})"), errc::invalid_argument,
                 "time_embedding is false, which is allowed with added_emb_type \"prd\" alone");
}

TEST(ConfigJson, ActivationsInAnyCaseNormsInOne) {
    const auto act = [](std::string_view name) {
        return parse(std::string("{\"time_embed_act_fn\": \"") + std::string(name) + "\"}")->time_embed_act_fn;
    };
    EXPECT_EQ(act("SiLU"), activation::silu);
    EXPECT_EQ(act("swish"), activation::silu);
    EXPECT_EQ(act("Mish"), activation::mish);
    EXPECT_EQ(act("GELU"), activation::gelu);
    EXPECT_EQ(act("ReLU"), activation::relu);
    EXPECT_EQ(parse(R"({"norm_in_type": "rms"})")->norm_in_type, norm_type::rms);
    EXPECT_FAILS(parse(R"({"norm_in_type": "LAYER"})"), errc::invalid_argument,
                 R"(field 'norm_in_type' is "LAYER"; allowed: null, "layer", "rms")");
}

TEST(ConfigJson, WrongValuesNameTheFieldAndWhatIsAllowed) {
    const auto refused = [](const std::string& field, const std::string& value, const std::string& allowed) {
        EXPECT_FAILS(parse("{\"" + field + "\": " + value + "}"), errc::invalid_argument,
                     "m/config.json: field '" + field + "' is " + value + "; allowed: " + allowed);
    };
    for (const char* field : {"num_attention_heads", "attention_head_dim", "num_layers", "embedding_dim"})
        for (const char* value : {"0", "-1", "8.0", "\"8\"", "null", "true", "[8]", "1048577", "4294967297",
                                  "9223372036854775807", "18446744073709551615"})
            refused(field, value, "an integer from 1 to 1048576");
    for (const char* field : {"num_embeddings", "additional_embeddings"})
        refused(field, "-1", "an integer from 0 to 1048576");
    for (const char* field : {"time_embed_dim", "embedding_proj_dim", "clip_embed_dim"}) {
        EXPECT_EQ(*parse(std::string("{\"") + field + "\": null}"), PriorConfig{});
        EXPECT_EQ(*parse(std::string("{\"") + field + "\": 0}"), PriorConfig{}); // Python's `or` treats 0 like null
        refused(field, "-5", "null or an integer from 1 to 1048576");
        refused(field, "\"768\"", "null or an integer from 1 to 1048576");
    }
    EXPECT_EQ(parse(R"({"dropout": 1})")->dropout, 1.0F);
    for (const char* value : {"1.5", "-0.1", "\"0\"", "null"}) refused("dropout", value, "a number from 0.0 to 1.0");
    for (const char* value : {"\"tanh\"", "null", "3"})
        refused("time_embed_act_fn", value, R"("silu", "swish", "mish", "gelu", "relu")");
    for (const char* value : {"\"batch\"", "false", "0"})
        refused("embedding_proj_norm_type", value, R"(null, "layer", "rms")");
    refused("encoder_hid_proj_type", "\"text_proj\"", R"(null, "linear")");
    refused("added_emb_type", "\"none\"", R"(null, "prd")");
    EXPECT_FAILS(
        parse(R"({"num_attention_heads": 1048576, "attention_head_dim": 1048576})"), errc::invalid_argument,
        "num_attention_heads times attention_head_dim must be at most 1048576 (got 1099511627776, limit 1048576)");
}

TEST(ConfigJson, UnknownFieldsAreAWarning) { // as in diffusers
    const io_testing::captured_warnings warnings;
    const auto odd = parse(R"({"num_heads": 8, "num_layers": 3, "attention\u005ftype": "default"})");
    ASSERT_TRUE(odd.ok()) << odd.error().message;
    EXPECT_EQ(*odd, PriorConfig{.num_layers = 3});
    EXPECT_EQ(warnings.texts(), (std::vector<std::string>{
                                    R"(m/config.json: ignored: 'num_heads', 'attention\u005ftype'; PriorTransformer)"
                                    " has no such field"}));
    warnings.texts().clear();
    EXPECT_TRUE(parse(R"({"_anything": [1, {"two": 3}], "quantization_config": null})").ok());
    EXPECT_FALSE(parse(R"({"num_heads": 8, "num_layers": 0})").ok()); // only the error is reported
    // transformers silently keeps fields that it does not know
    EXPECT_TRUE(parse_config<CLIPTextConfig>(R"({"torch_dtype": "float16", "anything": 1})").ok());
    EXPECT_TRUE(parse_config<CLIPVisionConfig>(R"({"torch_dtype": "float16", "anything": 1})").ok());
    EXPECT_EQ(warnings.texts(), std::vector<std::string>());

    apriori::on_warning(nullptr); // warnings are discarded
    EXPECT_TRUE(parse(R"({"num_heads": 8})").ok());
    apriori::on_warning(&print_warning);
    testing::internal::CaptureStderr();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(parse(R"({"num_hats": 8})").ok());
    EXPECT_TRUE(parse_config<PriorConfig>(R"({"num_hats": 8})", "other/config.json").ok());
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "apriori: warning: m/config.json: ignored: 'num_hats'; PriorTransformer has no such field\n"
              "apriori: warning: other/config.json: ignored: 'num_hats'; PriorTransformer has no such field\n");
}

TEST(ConfigJson, FieldsThatChangeTheNumbersAreErrors) {
    for (const char* value : {R"({"quant_method": "bitsandbytes"})", "true", "[]"}) {
        const std::string text = std::string(R"({"quantization_config": )") + value + '}';
        EXPECT_FAILS(parse(text), errc::unsupported, "m/config.json: field 'quantization_config' is ", "allowed: null");
        EXPECT_FAILS(parse_config<CLIPTextConfig>(text), errc::unsupported, "field 'quantization_config' is ");
        EXPECT_FAILS(parse_config<CLIPVisionConfig>(text), errc::unsupported, "field 'quantization_config' is ");
    }
}

TEST(ConfigJson, DefaultsThatDiffusersMarkedAreThoseOfTheClass) { // whatever the value next to them
    const auto marked = parse(R"({"_use_default_values": ["num_layers", "clip_embed_dim"], "num_layers": 3,)"
                              R"( "clip_embed_dim": 5, "embedding_dim": 9})");
    ASSERT_TRUE(marked.ok()) << marked.error().message;
    EXPECT_EQ(*marked, PriorConfig{.embedding_dim = 9});
}

TEST(ConfigJson, OtherClassesAreErrors) {
    EXPECT_FAILS(parse(R"({"_class_name": "UNet2DConditionModel"})"), errc::unsupported,
                 R"(field '_class_name' is "UNet2DConditionModel"; allowed: "PriorTransformer")");
    EXPECT_FAILS(parse("[]"), errc::bad_format, "m/config.json: is [], not an object");
    EXPECT_FAILS(parse(""), errc::bad_format, "m/config.json:1:1: is not well-formed JSON");
    EXPECT_FAILS(parse("{\n  \"num_layers\": 3,\n}"), errc::bad_format, "m/config.json:3:1: is not well-formed JSON");
    EXPECT_FAILS(parse(R"({"num_layers": 3, "num_layers": 4})"), errc::bad_format, "the key 'num_layers' occurs twice");
    EXPECT_FAILS(parse(R"({"num_layers": NaN})"), errc::bad_format, "not well-formed");
    const temporary_folder folder;
    EXPECT_FAILS(io::load_config<PriorConfig>(folder.path), errc::not_found, (folder.path / "config.json").string(),
                 "No such file or directory");
}

TEST(ConfigJson, TheTextOfAConfigReadsBackAsItself) {
    for (const PriorConfig& c :
         {PriorConfig{}, unusual, one_pass, presets::shap_e, presets::shap_e_img2img, presets::digits}) {
        const auto back = parse(io::to_json_text(c));
        ASSERT_TRUE(back.ok()) << back.error().message;
        EXPECT_EQ(*back, c);
    }
    const auto text = io::to_json_text(PriorConfig{});
    EXPECT_NE(text.find("\"_class_name\": \"PriorTransformer\""), std::string::npos);
    EXPECT_NE(text.find("\"time_embed_dim\": null"), std::string::npos);
    EXPECT_NE(text.find("\"dropout\": 0.0"), std::string::npos);
    EXPECT_EQ(text.find("time_embedding"), std::string::npos); // diffusers does not know that field
}

TEST(ConfigJson, TheDocumentationHasTheTable) {
    const std::string page = io_testing::read_all(io_testing::data / "../../docs/configuration.md");
    std::size_t at = page.find("| field | default |");
    for_each_field<PriorConfig>([&](const field<PriorConfig>& f) {
        short_text<256> row;
        row.add("\n| `", f.name, "` | `");
        f.add_value(row, f.get(PriorConfig{}));
        row.add("` | ");
        f.add_allowed(row);
        row.add(" | ");
        const auto found = page.find(row.view(), at);
        EXPECT_NE(found, std::string::npos) << "docs/configuration.md lacks, in this place: " << row.view();
        at = found == std::string::npos ? at : found;
    });
    EXPECT_EQ(page.find("\n| `", at + 1), page.find("\n| `karlo_v1_alpha`")) << "a row of no field";
}

// ---- every row of every table --------------------------------------------------------------------------------------

template <class Config>
class EveryField : public testing::Test {};
using configs = testing::Types<PriorConfig, CLIPTextConfig, CLIPVisionConfig>;
TYPED_TEST_SUITE(EveryField, configs);

/// A value of a field that differs from the default.
template <class Config>
double other_value(const field<Config>& f) {
    const double value = f.get(Config{});
    for (const double other : {2 * value, value + 1, 0.0, 1.0, 2.0})
        if (other != value && f.holds(other)) return other;
    ADD_FAILURE() << f.name;
    return value;
}
std::string named(std::string_view name, std::string_view value) {
    return '"' + std::string(name) + "\": " + std::string(value);
}

TYPED_TEST(EveryField, IsReadHashedComparedAndChecked) {
    std::set<std::uint64_t> hashes{config_hash(TypeParam{})};
    std::size_t expected = 1;
    EXPECT_EQ(first_difference(TypeParam{}, TypeParam{}).name, "");
    for_each_field<TypeParam>([&](const field<TypeParam>& f) {
        SCOPED_TRACE(f.name);
        TypeParam changed;
        f.set(changed, other_value(f));
        short_text<64> value, own;
        f.add_value(value, f.get(changed));
        f.add_value(own, f.get(canonical(TypeParam{})));
        const auto read = io::parse_config<TypeParam>('{' + named(f.name, value.view()) + '}');
        EXPECT_EQ(read.ok() ? *read : changed, changed);
        EXPECT_EQ(read.ok(), changed.together().ok());
        EXPECT_EQ(refusal(changed).size == 0, read.ok());

        const auto differs = first_difference(changed, TypeParam{});
        EXPECT_EQ(differs.name, f.inert ? "" : f.name);
        EXPECT_EQ(differs.first.view(), f.inert ? "" : value.view());
        EXPECT_EQ(differs.second.view(), f.inert ? "" : own.view());
        hashes.insert(config_hash(changed));
        expected += f.inert ? 0 : 1;

        EXPECT_FAILS(io::parse_config<TypeParam>('{' + named(f.name, "[]") + '}'), errc::invalid_argument,
                     "config.json: field '" + std::string(f.name) + "' is []; allowed: ");
        const auto twice = '{' + named(f.name, "[]") + ", " + named(f.name, "1") + '}';
        EXPECT_FAILS(io::parse_config<TypeParam>(twice), errc::bad_format,
                     "the key '" + std::string(f.name) + "' occurs twice");
    });
    EXPECT_EQ(hashes.size(), expected);
}

TEST(ConfigJson, TheFirstDifferenceIsOfMeanings) {
    const auto d = first_difference(presets::digits, presets::karlo_v1_alpha);
    EXPECT_EQ(d.name, "num_attention_heads");
    EXPECT_EQ(d.first.view(), "4");
    EXPECT_EQ(d.second.view(), "32");
    EXPECT_EQ(first_difference(PriorConfig{.time_embed_dim = 2048}, PriorConfig{.dropout = 0.5F}).name, "");
    const auto norm = first_difference(presets::shap_e, presets::shap_e_img2img);
    EXPECT_EQ(first_difference(PriorConfig{.norm_in_type = norm_type::layer}, PriorConfig{}).first.view(), "\"layer\"");
    EXPECT_EQ(first_difference(PriorConfig{.norm_in_type = norm_type::layer}, PriorConfig{}).second.view(), "null");
    EXPECT_EQ(norm.name, "num_attention_heads");
}

TEST(JsonFields, NumbersTextsAndFlagsForOtherFiles) {
    auto fields = io::json_fields::parse(R"({"steps": 25, "range": 5, "clip": true, "kind": "epsilon", "betas": null})",
                                         "s.json");
    ASSERT_TRUE(fields.ok());
    int steps = 0;
    double range = 0;
    bool clip = false;
    std::string kind;
    int absent = 42;
    fields->integer("steps", steps, 1, 1000);
    fields->number("range", range, 0.0, 10.0);
    fields->boolean("clip", clip);
    fields->text("kind", kind);
    fields->integer("absent", absent, 0, 1);
    const io::json* betas = fields->next("betas");
    ASSERT_NE(betas, nullptr);
    EXPECT_TRUE(betas->is_null());
    EXPECT_TRUE(fields->finish("S").ok());
    EXPECT_EQ(std::tuple(steps, range, clip, kind, absent), std::tuple(25, 5.0, true, std::string("epsilon"), 42));

    auto again = io::json_fields::parse(R"({"clip": 1, "steps": "x"})", "s.json");
    ASSERT_TRUE(again.ok());
    again->boolean("clip", clip);
    again->integer("steps", steps, 1, 1000); // the first error is the one that is reported
    EXPECT_FAILS(again->finish("S"), errc::invalid_argument, "s.json: field 'clip' is 1; allowed: true or false");
    EXPECT_EQ(steps, 25);
}

} // namespace
