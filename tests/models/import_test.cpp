#include "models/import.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
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
#include <fmt/format.h>
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

/// Every name with a prefix before it.
std::vector<NamedTensor> prefixed(std::vector<NamedTensor> tensors, const std::string& prefix) {
  for (NamedTensor& named : tensors) named.name = prefix + named.name;
  return tensors;
}

TEST_F(Import, TakesPrefixesOfToolsOffWhereTheRestFits) {
  const std::vector<NamedTensor> plain = foreign(spec_of("resnet18_32x32", 4), "", "fc.");
  for (const char* prefix : {"model.", "net.", "network.", "module.", "_orig_mod.", "module._orig_mod.",
                             "_orig_mod.module.", "model.module.", "model.net.", "student."}) {
    const Imported imported = import_tensors(prefixed(plain, prefix), "w.pt", options());
    EXPECT_EQ(imported.spec.classes, 4) << prefix;
    EXPECT_EQ(imported.taken, fmt::format("names without '{}'", prefix));
  }
  std::vector<NamedTensor> average = prefixed(plain, "module.");  // torch.optim.swa_utils.AveragedModel
  average.push_back({"n_averaged", at::scalar_tensor(3), false});
  EXPECT_EQ(import_tensors(average, "w.pt", options()).ignored, std::vector<std::string>{"n_averaged"});
  std::vector<NamedTensor> lightning = prefixed(plain, "model.");
  lightning.push_back({"criterion.weight", at::ones({4}), false});
  EXPECT_EQ(import_tensors(lightning, "w.pt", options()).ignored, std::vector<std::string>{"criterion.weight"});
}

TEST_F(Import, LeavesNothingOutThatMayChangeWhatTheNetworkComputes) {
  const std::vector<NamedTensor> plain = foreign(spec_of("resnet18_32x32", 4), "", "fc.");
  std::vector<NamedTensor> robust = prefixed(plain, "model.");
  robust.push_back({"normalizer.new_mean", at::ones({3}), false});
  const std::string message = refusal(robust);
  for (const char* part :
       {"under 'model.' is a resnet18_32x32 exactly", "1 other tensors (normalizer.new_mean)", "k[6:]"})
    EXPECT_NE(message.find(part), std::string::npos) << "wanted '" << part << "' in '" << message << "'";
  std::vector<NamedTensor> two = prefixed(plain, "model.");
  for (const NamedTensor& named : prefixed(plain, "model_ema.")) two.push_back(named);
  const std::string both = refusal(two);
  EXPECT_NE(both.find("under 'model.' is a resnet18_32x32"), std::string::npos) << both;
  EXPECT_NE(both.find("under 'model_ema.' is a resnet18_32x32"), std::string::npos) << both;
}

TEST_F(Import, ReadsTheNamesOfOtherCode) {
  NetworkSpec spec = spec_of("resnet18_32x32", 6);
  EXPECT_EQ(import_tensors(foreign(spec, "", "linear."), "w.pt", options()).spec, spec);  // kuangliu
  EXPECT_EQ(import_tensors(foreign(spec, "encoder.", "fc."), "w.pt", options()).mapping, "supcontrast-ce");
  spec.classes = 0;
  spec.head = HeadKind::embedding;
  spec.embedding_dim = 128;
  for (const char* projection : {"mlp", "linear"}) {
    spec.projection = projection;
    for (const char* encoder : {"encoder.", "encoder.module."}) {
      const Imported imported = import_tensors(foreign(spec, encoder, "head."), "w.pt", options());
      EXPECT_EQ(imported.spec, spec);
      EXPECT_EQ(imported.mapping, "supcontrast");
    }
  }
  for (const char* name : {"wrn_40_2", "resnet34", "resnet101"})
    EXPECT_EQ(import_tensors(foreign(spec_of(name, 6), "", "fc."), "w.pt", options()).spec, spec_of(name, 6));
  std::vector<NamedTensor> dense = foreign(spec_of("densenet121", 6), "", "classifier.");
  for (NamedTensor& named : dense) {  // as torchvision's own files have it
    for (const char* layer : {"norm1", "conv1", "norm2", "conv2"}) {
      const std::string dotted = std::string(layer, 4) + "." + layer[4];
      if (named.name.find("denselayer") != std::string::npos) named.name = replace_all(named.name, layer, dotted);
    }
  }
  EXPECT_EQ(import_tensors(dense, "w.pt", options()).spec, spec_of("densenet121", 6));
}

/// A torch file of dicts, each with the tensors' shapes of a network but one value for each dict.
std::string wrapped_file(const std::vector<std::pair<std::string, float>>& dicts,
                         const std::vector<NamedTensor>& tensors) {
  namespace pickle = testing::pickle;
  std::vector<std::pair<std::string, std::string>> items, storages;
  for (const auto& [place, value] : dicts) {
    std::string inner = pickle::global("collections", "OrderedDict") + ")R(";
    for (const NamedTensor& named : tensors) {
      const std::string key = std::to_string(storages.size());
      const bool integers = named.tensor.scalar_type() == at::kLong;
      const std::int64_t count = named.tensor.numel();
      std::string data;
      for (std::int64_t i = 0; i < count; ++i)
        data += integers ? testing::bytes_of(std::int64_t{1}) : testing::bytes_of(value);
      const at::Tensor contiguous = named.tensor.contiguous();
      inner += pickle::text(named.name) + pickle::tensor(integers ? "LongStorage" : "FloatStorage", key, count, 0,
                                                         contiguous.sizes().vec(), contiguous.strides().vec());
      storages.emplace_back(key, data);
    }
    items.emplace_back(place, inner + "u");
  }
  items.emplace_back("epoch", pickle::integer(3));
  return testing::zip_archive(testing::torch_parts(pickle::state_dict(items), storages));
}

TEST_F(Import, PrefersTheMovingAverageAndSaysSo) {
  const std::vector<NamedTensor> small = foreign(spec_of("resnet8", 4), "", "fc.");
  write_file_atomic(
      file("mappings/small.toml"),
      "architectures = ['resnet8']\n[[rename]]\nfrom = 'fc.*'\nto = 'head.*'\n[[rename]]\nfrom = '*'\nto = "
      "'backbone.*'\n[[head]]\ntensor = 'head.weight'\nkind = 'linear'\n");
  ImportOptions how = options();
  how.mappings = file("mappings");
  const auto read = [&](const std::vector<std::pair<std::string, float>>& dicts) {
    write_file_atomic(file("w.pth"), wrapped_file(dicts, small));
    return import_weights(file("w.pth"), how);
  };
  const auto value = [](const Imported& imported) {
    return imported.tensors.front().tensor.flatten()[0].item<float>();
  };
  const Imported average = read({{"state_dict", 1}, {"state_dict_ema", 2}});
  EXPECT_EQ(value(average), 2);
  EXPECT_EQ(average.taken, "'state_dict_ema', a moving average, rather than 'state_dict'");
  EXPECT_EQ(value(read({{"model", 1}, {"model_ema", 2}})), 2);
  EXPECT_EQ(value(read({{"model", 1}, {"teacher", 2}})), 1);
  const Imported alone = read({{"teacher", 2}});
  EXPECT_EQ(value(alone), 2);
  EXPECT_EQ(alone.taken, "'teacher'");
  EXPECT_EQ(value(read({{"model", 1}, {"net", 1}})), 1) << "the same twice";
  for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
           {"teacher", "student"}, {"model", "net"}, {"model_ema", "ema"}}) {
    try {
      read({{first, 1}, {second, 2}});
      ADD_FAILURE() << first;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(fmt::format("several networks, under '{}', '{}'", first, second)),
                std::string::npos)
          << error.what();
    }
  }
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
  cut.resize(60);
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
