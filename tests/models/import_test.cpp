#include "models/import.h"

#include "base/error.h"
#include "base/files.h"
#include "models/archive.h"
#include "models/checkpoint.h"
#include "models/formula.h"
#include "models/safetensors.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace nearfar {
namespace {

ImportOptions options() {
  ImportOptions result;
  result.mappings = testing::source_dir() / "configs/models";
  return result;
}

NetworkSpec spec_of(const std::string& architecture, std::int64_t classes) {
  NetworkSpec spec{.architecture = architecture, .in_channels = 3, .classes = classes};
  spec.height = spec.width = native_image_size(architecture);
  return spec;
}

/// The names that OpenOOD has for one of our networks: `backbone.` is kept or dropped, the head renamed.
std::vector<NamedTensor> foreign(const NetworkSpec& spec, const std::string& backbone, const std::string& head) {
  std::vector<NamedTensor> tensors;
  const auto network = make_network(spec, 3);
  for (NamedTensor named : network->named_tensors()) {
    named.tensor = named.tensor.detach();
    if (named.name.starts_with("backbone.")) named.name = backbone + named.name.substr(9);
    if (named.name.starts_with("head.")) named.name = head + named.name.substr(5);
    tensors.push_back(named);
  }
  return tensors;
}

/// The message of the refusal; "" if it was imported.
std::string refusal(const std::vector<NamedTensor>& tensors, const ImportOptions& how = options()) {
  try {
    import_tensors(tensors, "w.pt", how);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class Import : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }
  TempDir folder_;
};

TEST_F(Import, FindsArchitectureClassesAndHeadFromTheShapes) {
  const NetworkSpec spec = spec_of("resnet18_32x32", 7);
  const Imported imported = import_tensors(foreign(spec, "", "fc."), "w.pt", options());
  EXPECT_EQ(imported.spec, spec);
  EXPECT_EQ(imported.mapping, "openood-resnet");
  EXPECT_TRUE(imported.ignored.empty());
  ImportOptions larger = options();
  larger.height = larger.width = 64;  // the same tensors: the images decide
  EXPECT_EQ(import_tensors(foreign(spec, "", "fc."), "w.pt", larger).spec.architecture, "resnet18_64x64");
  EXPECT_EQ(import_tensors(foreign(spec_of("resnet50", 3), "", "fc."), "w.pt", options()).spec, spec_of("resnet50", 3));
}

TEST_F(Import, TakesPrefixesOfDataParallelOff) {
  EXPECT_EQ(
      import_tensors(foreign(spec_of("resnet18_224x224", 4), "module.", "module.fc."), "w.pt", options()).spec.classes,
      4);
}

TEST_F(Import, ReadsProjectionHeads) {
  NetworkSpec spec = spec_of("resnet18_32x32", 0);
  spec.head = HeadKind::embedding;
  spec.embedding_dim = 128;
  for (const char* projection : {"mlp", "linear"}) {
    spec.projection = projection;
    std::vector<NamedTensor> tensors = foreign(spec, "backbone.", "head.");
    EXPECT_EQ(import_tensors(tensors, "w.pt", options()).spec, spec) << projection;
    tensors.push_back({"prototypes", at::ones({10, 128}), false});
    tensors.push_back({"mlp.0.weight", at::ones({128, 512}), false});
    const Imported npos = import_tensors(tensors, "w.pt", options());
    EXPECT_EQ(npos.ignored, (std::vector<std::string>{"prototypes", "mlp.0.weight"}));
    const auto network = network_of(npos);
    EXPECT_EQ(network->output_dim(), 128);
    EXPECT_FALSE(network->is_training());
  }
}

TEST_F(Import, ReadsWrappedClassifiers) {
  const NetworkSpec spec = spec_of("resnet18_32x32", 5);
  for (const char* head : {"backbone.fc.", "fc.", "new_fc."}) {
    std::vector<NamedTensor> tensors = foreign(spec, "backbone.", head);
    tensors.push_back({"tau", at::scalar_tensor(0.1), false});
    const Imported imported = import_tensors(tensors, "w.pt", options());
    EXPECT_EQ(imported.spec, spec) << head;
    EXPECT_EQ(imported.mapping, "openood-wrapped");
    EXPECT_EQ(imported.ignored, std::vector<std::string>{"tau"});
  }
}

TEST_F(Import, SaysWhyAHeadIsNotRead) {
  std::vector<NamedTensor> godin = foreign(spec_of("resnet18_32x32", 5), "backbone.", "h.h.");
  EXPECT_NE(refusal(godin).find("G-ODIN"), std::string::npos) << refusal(godin);
  std::vector<NamedTensor> ascood = foreign(spec_of("resnet18_32x32", 5), "backbone.", "backbone.fc.");
  ascood.push_back({"sigma", at::scalar_tensor(0.5), false});
  EXPECT_NE(refusal(ascood).find("ASCOOD"), std::string::npos) << refusal(ascood);
}

TEST_F(Import, ListsMissingUnexpectedAndWrongShapes) {
  std::vector<NamedTensor> tensors = foreign(spec_of("resnet18_32x32", 5), "", "fc.");
  for (NamedTensor& named : tensors) {
    if (named.name == "conv1.weight") named.tensor = at::ones({64, 1, 3, 3});
    if (named.name.starts_with("layer3.1.bn1.")) named.name = "other." + named.name;
  }
  const std::string message = refusal(tensors);
  // Four tensors of the norm have other names; its counter may be absent, but under another name it is unexpected.
  for (const char* part :
       {"w.pt", "resnet18_32x32", "openood-resnet", "missing 4 (backbone.layer3.1.bn1.weight,", "unexpected 5 (",
        "wrong shape 1 (backbone.conv1.weight is Float [64,1,3,3], expected Float [64,3,3,3])"}) {
    EXPECT_NE(message.find(part), std::string::npos) << "wanted '" << part << "' in '" << message << "'";
  }
  ImportOptions gray = options();
  gray.in_channels = 1;
  std::vector<NamedTensor> cut = foreign(spec_of("resnet18_32x32", 5), "", "fc.");
  EXPECT_NE(refusal(cut, gray).find("[64,3,3,3], expected Float [64,1,3,3]"), std::string::npos);
  cut.resize(20);
  EXPECT_NE(refusal(cut).find(", …"), std::string::npos) << refusal(cut);
  EXPECT_NE(refusal({}).find("no tensors"), std::string::npos);
  EXPECT_NE(refusal({{std::string(1000, 'x'), at::ones({1}), false}}).find("1000 bytes"), std::string::npos);
}

TEST_F(Import, RefusesAnUnknownArchitectureWithASuggestion) {
  ImportOptions wrong = options();
  wrong.architecture = "resnet18_32";
  const std::string message = refusal(foreign(spec_of("resnet18_32x32", 5), "", "fc."), wrong);
  EXPECT_NE(message.find("did you mean 'resnet18_32x32'"), std::string::npos) << message;
  ImportOptions sized = options();
  sized.architecture = "vit_b_16";
  sized.height = sized.width = 32;
  std::vector<NamedTensor> tensors;
  for (NamedTensor named : make_empty_network(spec_of("vit_b_16", 2))->named_tensors()) {
    named.name = named.name.starts_with("head.") ? "heads.head." + named.name.substr(5) : named.name.substr(9);
    tensors.push_back(named);
  }
  EXPECT_NE(refusal(tensors, sized).find("224 x 224 only"), std::string::npos) << refusal(tensors, sized);
}

TEST_F(Import, HalfAndDoubleBecomeFloatAndAreRecorded) {
  std::vector<NamedTensor> tensors = foreign(spec_of("resnet18_32x32", 5), "", "fc.");
  std::vector<NamedTensor> without;
  for (NamedTensor& named : tensors) {
    if (named.name == "fc.weight") named.tensor = named.tensor.to(at::kHalf);
    if (named.name == "fc.bias") named.tensor = named.tensor.to(at::kDouble);
    if (!named.name.ends_with("num_batches_tracked")) without.push_back(named);  // as files of old PyTorch
  }
  const Imported imported = import_tensors(without, "w.pt", options());
  EXPECT_EQ(imported.converted, (std::vector<std::string>{"fc.weight: Half", "fc.bias: Double"}));
  for (const NamedTensor& named : imported.tensors) {
    EXPECT_EQ(named.tensor.scalar_type(), named.name.ends_with("tracked") ? at::kLong : at::kFloat) << named.name;
  }
}

TEST_F(Import, WhatIsWrittenIsReadAgainAndAlwaysTheSameBytes) {
  const NetworkSpec spec = spec_of("resnet18_32x32", 5);
  std::vector<NamedTensor> tensors = foreign(spec, "", "fc.");
  write_safetensors(file("foreign.safetensors"), tensors, {});
  const Imported imported = import_weights(file("foreign.safetensors"), options());
  EXPECT_EQ(imported.format, "safetensors");
  write_imported(file("a.safetensors"), imported);
  std::reverse(tensors.begin(), tensors.end());
  Imported reversed = import_tensors(tensors, "w.pt", options());
  reversed.format = "safetensors";
  write_imported(file("b.safetensors"), reversed);
  EXPECT_EQ(read_file(file("a.safetensors")), read_file(file("b.safetensors")));

  EXPECT_EQ(read_checkpoint(file("a.safetensors")).identity, "");
  EXPECT_EQ(read_checkpoint(file("a.safetensors")).origin, "safetensors, mapping openood-resnet");
  const auto original = make_network(spec, 3), loaded = load_network(file("a.safetensors"));
  for (std::size_t i = 0; i < original->named_tensors().size(); ++i) {
    EXPECT_TRUE(at::equal(original->named_tensors()[i].tensor, loaded->named_tensors()[i].tensor)) << i;
  }
  const Imported again = import_weights(file("a.safetensors"), options());
  EXPECT_EQ(again.format, "nearfar");
  EXPECT_EQ(again.spec, spec);
  ImportOptions other = options();
  other.architecture = "resnet50";
  EXPECT_THROW(import_weights(file("a.safetensors"), other), Error);
}

TEST_F(Import, TellsFilesByTheirContent) {
  const auto message = [&](const std::string& content) -> std::string {
    write_file_atomic(file("weights.safetensors"), content);
    try {
      import_weights(file("weights.safetensors"), options());
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
  };
  EXPECT_NE(message("version https://git-lfs.github.com/spec/v1").find("it begins 'version https://git-lfs"),
            std::string::npos);
  EXPECT_NE(message("").find("neither"), std::string::npos);
  EXPECT_NE(message("\x80\x02\x8a\x0alxxx").find("legacy"), std::string::npos);
  EXPECT_NE(message(std::string("\xff\xff\xff\xff\xff\xff\0\0{", 9)).find("safetensors"), std::string::npos);
  namespace pickle = testing::pickle;
  const std::string torch = testing::zip_archive(testing::torch_parts(
      pickle::state_dict({{"a", pickle::tensor("FloatStorage", "0", 1, 0, {1}, {1})}}), {{"0", std::string(4, '\0')}}));
  EXPECT_NE(message(torch).find("fits no known network"), std::string::npos) << message(torch);
}

TEST_F(Import, ACheckpointThatClaimsMoreThanItHoldsIsRefused) {
  Checkpoint checkpoint;
  checkpoint.spec = spec_of("resnet18_32x32", 1 << 20);  // a head of 2 GB
  checkpoint.network = {{"head.weight", at::zeros({1}), false}};
  write_checkpoint(file("c.safetensors"), checkpoint);
  const auto message = [&]() -> std::string {
    try {
      load_network(file("c.safetensors"));
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
  };
  EXPECT_NE(message().find("does not fit a resnet18_32x32"), std::string::npos) << message();
  checkpoint.spec.classes = std::int64_t{1} << 62;
  write_checkpoint(file("c.safetensors"), checkpoint);
  EXPECT_NE(message().find("damaged checkpoint"), std::string::npos) << message();
}

TEST_F(Import, AgreesWithOpenOodOnItsOwnCheckpoint) {
  const auto best = testing::golden("openood-b/best.ckpt");
  if (!best) GTEST_SKIP() << "no golden data openood-b";
  const Imported imported = import_weights(*best, options());
  EXPECT_EQ(imported.spec, spec_of("resnet18_32x32", 10));
  EXPECT_EQ(imported.format, "torch");
  EXPECT_EQ(imported.mapping, "openood-resnet");
  EXPECT_TRUE(imported.converted.empty());
  const auto network = network_of(imported);
  const EvalScope scope(*network);
  const at::Tensor logits =
      network->output(network->features(testing::formula_tensor("input", {2, 3, 32, 32}))).contiguous();
  std::ifstream stream(testing::source_dir() / "tests/golden/models/openood_b.json");
  const auto expected = nlohmann::json::parse(stream).at("logits").get<std::vector<std::vector<double>>>();
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t c = 0; c < 10; ++c) {
      const double value = expected.at(static_cast<std::size_t>(row)).at(static_cast<std::size_t>(c));
      EXPECT_NEAR(logits.const_data_ptr<float>()[row * 10 + c], value, 1e-4 * std::max(1.0, std::abs(value)));
    }
  }
}

}  // namespace
}  // namespace nearfar
