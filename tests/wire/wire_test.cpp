/// Every job and message: written as its golden file in tests/golden/wire, read back to the same, and refused where a
/// field is missing or unknown. NEARFAR_WRITE_GOLDEN=1 writes the files anew; look at `git diff tests/golden`
/// afterwards.
#include "base/files.h"
#include "support/golden.h"
#include "wire/bench.h"
#include "wire/facts.h"
#include "wire/jobs.h"
#include "wire/messages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace nearfar {
namespace {

using wire::Json;

const wire::Images kImages{.benchmark = "/b/smoke.toml",
                           .identity = "1d",
                           .root = "/data",
                           .packed = "",
                           .limit = 100,
                           .allow_count_mismatch = true,
                           .follow_links = false,
                           .on_unreadable = "skip"};
const wire::Compute kCompute{.device = "cpu", .threads = 2, .loader_threads = 4, .deterministic = true};
const wire::Plugin kPlugin{.path = "/p/knn.so",
                           .name = "knn",
                           .source_hash = "5a",
                           .params = {{"k", std::int64_t{50}},
                                      {"alpha", 0.5},
                                      {"center", true},
                                      {"metric", std::string("cosine")},
                                      {"bound", std::numeric_limits<double>::infinity()}}};
const std::vector<wire::Artifact> kArtifacts{{"checkpoint", "cells/ab/best.safetensors", "0f", 1234}};

wire::TrainJob train_job() {
  return {.cell = "ab12",
          .label = "ce/resnet8/s0",
          .images = kImages,
          .sets = {{"train", "11"}, {"val", "22"}},
          .loss = kPlugin,
          .architecture = "resnet8",
          .recipe = {},
          .seed = 7,
          .compute = kCompute,
          .out = "/out",
          .folder = "cells/ab12"};
}

wire::EvalJob eval_job() {
  return {.label = "ce/resnet8/s0",
          .images = kImages,
          .compute = kCompute,
          .out = "/out",
          .features_out = "/elsewhere",
          .model = {"checkpoint", "/w.ckpt", "aa", "resnet50", "/m", "/elsewhere/cache/ab12"},
          .fit_sets = {{"f1", {"train", "11"}}},
          .score_sets = {{"", {"test", "33"}}, {"f2", {"near/tin", "44"}}},
          .protocols = {{"ood", {}}, {"fsood", {"csid/cifar10c"}}},
          .accuracy = wire::AccuracyCell{"ac", "cells/ac"},
          .cells = {{"ev", kPlugin, "k=5,50", "cells/ev"}}};
}

template <class T>
void check(const std::string& name, const T& value) {
  SCOPED_TRACE(name);
  const Json json = wire::to_json(value);
  const auto file = testing::source_dir() / "tests/golden/wire" / (name + ".json");
  if (std::getenv("NEARFAR_WRITE_GOLDEN") != nullptr) write_file_atomic(file, json.dump(2) + "\n");
  EXPECT_EQ(json.dump(2) + "\n", read_file(file)) << "see the head of this file for how to accept a change";
  T back;
  wire::read(json, back, name);
  EXPECT_EQ(wire::to_json(back), json);
  if (!json.is_object() || json.empty()) return;
  Json less = json, more = json;
  const std::string key = json.begin().key();
  less.erase(key);
  more["surprise"] = 1;
  for (const auto& [wrong, word] : {std::pair{less, key}, std::pair{more, std::string("surprise")}}) {
    try {
      T refused;
      wire::read(wrong, refused, name);
      ADD_FAILURE() << "read without '" << word << "'";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(name + "." + word), std::string::npos) << error.what();
    }
  }
}

template <class T>
void check_message(const T& message) {
  check(T::kType, message);
  const std::string line = wire::line_of(message);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(wire::line_of(wire::message_of(line)), line);
}

TEST(Wire, JobsAreTheirGoldenFiles) {
  check("train-job", train_job());
  check("eval-job", eval_job());
  check("inspect-job", wire::InspectJob{{"/plugins"}, "/installed", {{"ce", {}}}});
  check("weights-job", wire::WeightsJob{"/w.ckpt", "resnet50", "/m", 224, 224, 3, ""});
  check("network-job", wire::NetworkJob{.origin = "exported",
                                        .file = "/n.pt2",
                                        .feature_node = "flatten",
                                        .map_nodes = {"relu_"},
                                        .channels = 3,
                                        .height = 32,
                                        .width = 32,
                                        .inputs = "/x.npy",
                                        .logits = "/z.npy",
                                        .nodes = true});
  check("score-job", wire::ScoreJob{"knn", {}, "/installed", "/features", "test", {"k=50"}, "/s.npy", kCompute});
  check("loss-job", wire::LossJob{.name = "supcon",
                                  .directories = {"/p"},
                                  .installed = "/installed",
                                  .assignments = {"temperature=0.1"},
                                  .classes = 10,
                                  .seed = 3,
                                  .output = "/z.npy",
                                  .labels = "/y.npy",
                                  .features = "/h.npy",
                                  .output_gradient = "/dz.npy",
                                  .features_gradient = "/dh.npy",
                                  .compute = kCompute});
  check("bench-job", wire::BenchJob{.subject = {"/p/mine.so", {"k=10"}},
                                    .reference = {},
                                    .kind = "postprocessor",
                                    .directories = {"/p"},
                                    .installed = "/installed",
                                    .size = wire::BenchSize{"small", 2000, 64, 10, 1000},
                                    .repeat = 7,
                                    .compute = kCompute});
  check("nothing", wire::Nothing{});
}

const wire::DeviceUse kUse{3, 4096, 5, 2048, 7, 1 << 20};

TEST(Wire, MessagesAreTheirGoldenFiles) {
  check_message(wire::Progress{1, 2, "half"});
  check_message(wire::Alive{});
  check_message(wire::Dying{"oom", "an exception that nobody caught: std::bad_alloc"});
  check_message(wire::Begin{{"ab", "cd"}});
  check_message(wire::Trained{
      "ab", 1.5, {{0, 0.7, 0.1, 0.5}, {1, 0.6, 0.05, std::nullopt}}, 1, 0.5, "linear", 2, 1, kUse, kArtifacts});
  check_message(wire::Passed{"f1", "near/tin", 0.5, {100, 10, 20, 5}, 1, 2, kUse, kArtifacts});
  check_message(wire::Measured{"ac",
                               "linear",
                               {{"ood", "test", 0.9}},
                               0.3,
                               0.02,
                               0,
                               3,
                               kArtifacts,
                               {{"correct/test", "cells/ac/correct/test.npy", "cc", 9}}});
  check_message(wire::Scored{"ev",
                             0.1,
                             0.2,
                             {{"test", "cells/ev/scores/test.npy", "aa", 100}},
                             wire::Tuned{"k=5", {{"k=5", 0.9, ""}, {"k=50", std::nullopt, "too many"}}, 0},
                             0,
                             4,
                             kUse,
                             true,
                             kArtifacts});
  check_message(wire::Failed{"ev", "failed", "plugin", "boom"});
  check_message(wire::Skipped{"ev", "the features of 'test' failed"});
  check_message(wire::JobError{"data", "failed", "no images"});
  check_message(wire::Result{Json{{"torch", "2"}}});
}

TEST(Wire, FactsAreTheirGoldenFiles) {
  check(
      "inspection",
      wire::Inspection{
          "2.11.0", {Json{{"name", "knn"}}}, {{"/x.so", "why"}}, {"resnet8"}, {"resnet8"}, {{"linear", 1, false, ""}}});
  check("weights",
        wire::WeightsFacts{
            "resnet50", 1000, "linear", "mlp", 128, "pickle", "torchvision", 10, 20, {"tau"}, "'state_dict'"});
  check("network", wire::NetworkFacts{.channels = 3,
                                      .height = 32,
                                      .width = 32,
                                      .batch = 0,
                                      .classes = 10,
                                      .feature_dim = 64,
                                      .stages = 1,
                                      .parameters = 1000,
                                      .has_features = true,
                                      .has_head = true,
                                      .feature_node = "flatten",
                                      .without_float64 = "",
                                      .torch = "2.11.0",
                                      .reference = wire::ReferenceFacts{7, 1e-6, 3.5},
                                      .nodes = {{"relu_", "torch.ops.aten.relu.default", "Float [N,64,8,8]"}}});
  check("score", wire::ScoreFacts{100, 0.1, 0.2, "k=50"});
  check("loss", wire::LossFacts{2.5, "temperature=0.1"});
  const wire::BenchPlugin mine{.name = "mine",
                               .version = "0.1.0",
                               .tier = "stable",
                               .path = "/p/mine.so",
                               .source_hash = "5a",
                               .binary_hash = "b1",
                               .params = "k=10",
                               .compiler = "gcc-12"};
  check("bench", wire::BenchFacts{.kind = "postprocessor",
                                  .input = "features",
                                  .subject = mine,
                                  .reference = mine,
                                  .torch = "2.11.0",
                                  .cpu_capability = "AVX2",
                                  .build_type = "Release",
                                  .device = "",
                                  .measures = {{"fit", 2000, wire::BenchSamples{{0.5, 0.25}, 1, 4096}, std::nullopt},
                                               {"score", 1000, wire::BenchSamples{{0.125}, 8, std::nullopt},
                                                wire::BenchSamples{{0.25}, 8, 1024}}}});
  check("model", wire::ModelFacts{"resnet8", 28, 64, 1000});
  check("doctor", wire::DoctorFacts{"2.11.0", "AVX2", 2, {false, 0, "no driver"}});
}

TEST(Wire, NumbersThatJsonLacksComeBack) {
  wire::Epoch epoch{0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), {}}, back;
  wire::read(Json::parse(wire::to_json(epoch).dump()), back, "epoch");
  EXPECT_EQ(back.loss, std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(back.learning_rate));
}

TEST(Wire, LinesThatAreNoMessagesAreRefusedWithWhatIsWrong) {
  for (const auto& [line, word] :
       {std::pair{"not json", "no JSON object"},
        {"[1]", "no JSON object"},
        {R"({"done":1})", "message.type is missing"},
        {R"({"type":"dance"})", "unknown type 'dance'"},
        {R"({"type":"begin","cells":"ab"})", "begin.cells"},
        {R"({"type":"begin","cells":["ab",1]})", "begin.cells[1]"},
        {R"({"type":"passed","cell":"","set":"test","seconds":0,"cost":{"type":1},"unreadable":0,"artifacts":[]})",
         "passed.cost.forward is missing"}}) {
    try {
      wire::message_of(line);
      ADD_FAILURE() << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::internal);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }
}

TEST(Wire, TextOfAnyEncodingArrives) {
  const std::string line = wire::line_of(wire::Failed{"ev", "failed", "plugin", "caf\xe9"});
  EXPECT_NE(line.find("caf"), std::string::npos);
  EXPECT_NO_THROW(wire::message_of(line));
}

}  // namespace
}  // namespace nearfar
