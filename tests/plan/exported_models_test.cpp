/// Plans of networks that Python made; what the engine finds in their files is made up here.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "plan/fake_engine.h"
#include "plan/plan.h"
#include "plan/reference_files.h"
#include "support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace nearfar {
namespace {
using ::testing::AllOf;
using ::testing::HasSubstr;

class ExportedModels : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file_atomic(file(), "a network");
    write_file_atomic(folder_.path() / "x.toml",
                      "name = 'x'\nbenchmark = 'smoke'\npostprocessors = ['msp', 'knn', 'odin', 'gram', 'vim']\n");
  }
  std::filesystem::path file() const { return folder_.path() / "net.pt2"; }

  Plan plan(std::vector<std::string> overrides = {}, bool trust = false) {
    if (overrides.empty() || !overrides[0].starts_with("model.torchscript"))
      overrides.insert(overrides.begin(), "model.file=" + file().string());
    const AskEngine fake = testing::fake_engine();
    const AskEngine ask = [&](const std::string& verb, const wire::Json& job) -> wire::Json {
      if (verb == "network") {
        wire::read(job, asked_, "network job");
        return wire::to_json(facts_);
      }
      wire::Json answer = fake(verb, job);
      for (const auto& plugin : {testing::fake_plugin("postprocessor", "gram", {"map-statistics", "logits"}),
                                 testing::fake_plugin("postprocessor", "vim", {"features", "head-weights", "train"})})
        answer["plugins"].push_back(description_to_json(plugin));
      return answer;
    };
    return make_plan({.experiment = load_experiment({folder_.path() / "x.toml"}, overrides),
                      .benchmark_folders = {testing::source_dir() / "configs/benchmarks"},
                      .trust = trust},
                     ask);
  }
  /// Postprocessor → why it is not applicable, "" where it is.
  static std::map<std::string, std::string> reasons(const Plan& plan) {
    std::map<std::string, std::string> all;
    for (const EvalCell& eval : plan.evals) {
      const std::string name = plan.plugin_of(plan.postprocessors[eval.postprocessor]).name;
      all[name] = eval.applicable ? "" : eval.cell.reason;
    }
    return all;
  }
  std::string refusal(const std::vector<std::string>& overrides = {}) {
    try {
      plan(overrides);
      return "nothing was thrown";
    } catch (const Error& error) {
      return error.what();
    }
  }

  TempDir folder_;
  wire::NetworkFacts facts_{.channels = 1,
                            .height = 16,
                            .width = 16,
                            .classes = 4,
                            .feature_dim = 8,
                            .has_features = true,
                            .has_head = true,
                            .feature_node = "flatten"};
  wire::NetworkJob asked_;
};

TEST_F(ExportedModels, AreModelsLikeOthers) {
  const Plan made = plan();
  ASSERT_EQ(made.models.size(), 1u);
  EXPECT_EQ(made.models[0].label, "net.pt2/net/s0");
  EXPECT_EQ(made.models[0].origin, ModelOrigin::exported);
  EXPECT_EQ(asked_.height, 16);
  EXPECT_EQ(asked_.origin, "exported");
  const auto why = reasons(made);
  for (const char* name : {"msp", "knn", "odin", "vim"}) EXPECT_EQ(why.at(name), "") << name;
  EXPECT_THAT(why.at("gram"), HasSubstr("model.map_nodes"));
  facts_.stages = 2;
  EXPECT_EQ(reasons(plan({"model.map_nodes=a,b"})).at("gram"), "");
}

TEST_F(ExportedModels, OfLogitsAloneWhatNeedsMoreIsNotApplicable) {
  facts_.has_features = facts_.has_head = false;
  const auto why = reasons(plan());
  EXPECT_EQ(why.at("msp"), "");
  EXPECT_EQ(why.at("odin"), "");
  EXPECT_THAT(why.at("knn"), AllOf(HasSubstr("normalized-features"), HasSubstr("model.feature_node")));
  facts_.has_features = true;
  const auto named = reasons(plan({"model.feature_node=mean"}));
  EXPECT_EQ(named.at("knn"), "");
  EXPECT_THAT(named.at("vim"), HasSubstr("no linear layer of its feature"));
}

TEST_F(ExportedModels, AreIdentifiedByTheFileAndItsNodes) {
  std::set<std::string> keys{plan().models[0].key};
  EXPECT_TRUE(keys.insert(plan({"model.feature_node=mean"}).models[0].key).second);
  EXPECT_TRUE(keys.insert(plan({"model.map_nodes=a"}).models[0].key).second);
  EXPECT_FALSE(keys.insert(plan().models[0].key).second);
  write_file_atomic(file(), "another network");
  EXPECT_TRUE(keys.insert(plan().models[0].key).second);
}

TEST_F(ExportedModels, StoredOutputsAreComparedWhereTheyAreThere) {
  write_file_atomic(file().string() + ".reference.inputs.npy", "x");
  EXPECT_THAT(refusal(), HasSubstr("keep both or none"));
  write_file_atomic(file().string() + ".reference.logits.npy", "z");
  facts_.reference = wire::ReferenceFacts{.rows = 3, .largest = 1e-5, .largest_logit = 2};
  EXPECT_THAT(plan().models[0].note, HasSubstr("3 stored outputs agree"));
  EXPECT_THAT(asked_.logits, HasSubstr("net.pt2.reference.logits.npy"));
  for (const double apart : {1e-3, std::numeric_limits<double>::quiet_NaN()}) {
    facts_.reference->largest = apart;
    EXPECT_THAT(refusal(), HasSubstr("computes other logits than Python stored"));
  }
}

TEST_F(ExportedModels, OtherClassesThanTheBenchmarksAreRefused) {
  facts_.classes = 10;
  EXPECT_THAT(refusal(), HasSubstr("a model of 10 classes"));
}

TEST_F(ExportedModels, TorchScriptIsCodeAndAsksForTrust) {
  const std::string script = "model.torchscript=" + file().string();
  EXPECT_THAT(refusal({script}), AllOf(HasSubstr("is code"), HasSubstr("--trust")));
  EXPECT_TRUE(asked_.file.empty()) << "the engine was asked to open it";
  facts_.has_head = false;
  const Plan made = plan({script}, true);
  EXPECT_EQ(made.models[0].origin, ModelOrigin::torchscript);
  EXPECT_THAT(reasons(made).at("gram"), HasSubstr("no feature maps"));
}

TEST_F(ExportedModels, AMissingFileIsNamed) {
  std::filesystem::remove(file());
  EXPECT_THAT(refusal(), AllOf(HasSubstr("model.file"), HasSubstr("net.pt2' is not there")));
}

}  // namespace
}  // namespace nearfar
