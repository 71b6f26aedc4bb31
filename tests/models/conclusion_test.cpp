/// Refusals end with what the weights probably are. Tensors are on the device "meta": shapes alone decide.
#include "models/conclusion.h"

#include "base/error.h"
#include "models/families.h"
#include "models/import.h"
#include "models/known_networks.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

using Shape = std::vector<std::int64_t>;

NamedTensor shaped(const std::string& name, const Shape& shape) {
  return {name, at::empty(shape, at::TensorOptions(at::kMeta).dtype(at::kFloat)), false};
}

void add_norm(std::vector<NamedTensor>& tensors, const std::string& name, std::int64_t width) {
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
    tensors.push_back(shaped(name + part, {width}));
}

/// A residual network with torchvision's names, or other names of its shortcut and another stem.
std::vector<NamedTensor> resnet(const std::vector<std::int64_t>& blocks, bool bottleneck, std::int64_t classes,
                                const std::string& shortcut = "downsample", std::int64_t stem = 7) {
  std::vector<NamedTensor> tensors{shaped("conv1.weight", {64, 3, stem, stem})};
  add_norm(tensors, "bn1", 64);
  std::int64_t in = 64;
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::int64_t width = 64 << layer, out = bottleneck ? 4 * width : width;
    for (std::int64_t b = 0; b < blocks[layer]; ++b) {
      const std::string name = fmt::format("layer{}.{}.", layer + 1, b);
      const std::vector<Shape> kernels =
          bottleneck ? std::vector<Shape>{{width, in, 1, 1}, {width, width, 3, 3}, {out, width, 1, 1}}
                     : std::vector<Shape>{{width, in, 3, 3}, {width, width, 3, 3}};
      for (std::size_t k = 0; k < kernels.size(); ++k) {
        tensors.push_back(shaped(fmt::format("{}conv{}.weight", name, k + 1), kernels[k]));
        add_norm(tensors, fmt::format("{}bn{}", name, k + 1), kernels[k][0]);
      }
      if (b == 0 && in != out) {
        tensors.push_back(shaped(name + shortcut + ".0.weight", {out, in, 1, 1}));
        add_norm(tensors, name + shortcut + ".1", out);
      }
      in = out;
    }
  }
  tensors.push_back(shaped("fc.weight", {classes, in}));
  tensors.push_back(shaped("fc.bias", {classes}));
  return tensors;
}

std::vector<NamedTensor> alexnet(std::int64_t classes) {
  std::vector<NamedTensor> tensors;
  const std::vector<std::pair<std::string, Shape>> layers{
      {"features.0", {64, 3, 11, 11}},  {"features.3", {192, 64, 5, 5}},   {"features.6", {384, 192, 3, 3}},
      {"features.8", {256, 384, 3, 3}}, {"features.10", {256, 256, 3, 3}}, {"classifier.1", {4096, 9216}},
      {"classifier.4", {4096, 4096}},   {"classifier.6", {classes, 4096}}};
  for (const auto& [name, shape] : layers) {
    tensors.push_back(shaped(name + ".weight", shape));
    tensors.push_back(shaped(name + ".bias", {shape[0]}));
  }
  return tensors;
}

/// timm's ViT of any size.
std::vector<NamedTensor> vit(std::int64_t blocks, std::int64_t width, std::int64_t patch) {
  std::vector<NamedTensor> tensors{shaped("cls_token", {1, 1, width}), shaped("pos_embed", {1, 197, width}),
                                   shaped("patch_embed.proj.weight", {width, 3, patch, patch}),
                                   shaped("patch_embed.proj.bias", {width})};
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::vector<std::pair<std::string, Shape>> layers{
        {"norm1", {width}}, {"attn.qkv", {3 * width, width}}, {"attn.proj", {width, width}},
        {"norm2", {width}}, {"mlp.fc1", {4 * width, width}},  {"mlp.fc2", {width, 4 * width}}};
    for (const auto& [name, shape] : layers) {
      tensors.push_back(shaped(fmt::format("blocks.{}.{}.weight", b, name), shape));
      tensors.push_back(shaped(fmt::format("blocks.{}.{}.bias", b, name), {shape[0]}));
    }
  }
  for (const auto& [name, shape] :
       std::vector<std::pair<std::string, Shape>>{{"norm", {width}}, {"head", {5, width}}}) {
    tensors.push_back(shaped(name + ".weight", shape));
    tensors.push_back(shaped(name + ".bias", {shape[0]}));
  }
  return tensors;
}

std::string refusal(const std::vector<NamedTensor>& tensors) {
  try {
    import_tensors(tensors, "w.pt", {.architecture = {}, .mappings = testing::source_dir() / "configs/models"});
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
}

void expect_says(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << "wanted '" << part << "' in '" << message << "'";
}

TEST(Recognise, KnowsNetworksWhateverTheirClassesAndOrder) {
  EXPECT_EQ(recognise(alexnet(1000)), "torchvision's alexnet");
  std::vector<NamedTensor> other = alexnet(7);
  std::reverse(other.begin(), other.end());
  EXPECT_EQ(recognise(other), "torchvision's alexnet");
  EXPECT_EQ(recognise(resnet({3, 8, 36, 3}, true, 10)), "torchvision's resnet152");
  EXPECT_EQ(recognise(vit(12, 384, 16)), "timm's vit_small_patch16_224");
  other.pop_back();
  EXPECT_EQ(recognise(other), std::nullopt);
  EXPECT_EQ(recognise({}), std::nullopt);
}

TEST(Families, TellDepthAndWidth) {
  expect_says(family_text(resnet({3, 4, 6, 3}, true, 10, "shortcut", 3)),
              {"a ResNet-50 of bottleneck blocks (3-4-6-3) with a 3x3 stem", "resnet18_32x32"});
  expect_says(family_text(resnet({3, 4, 6, 3}, false, 10)), {"a ResNet-34 of basic blocks"});
  expect_says(family_text(vit(24, 1024, 14)), {"24 blocks, 1024 wide, on patches of 14 x 14"});
  std::vector<NamedTensor> wide;
  for (int group = 1; group <= 3; ++group) {
    for (int block = 0; block < 2; ++block) {
      for (int k = 1; k <= 2; ++k)
        wide.push_back(
            shaped(fmt::format("block{}.layer.{}.conv{}.weight", group, block, k), {64 << (group - 1), 64, 3, 3}));
    }
  }
  expect_says(family_text(wide), {"a WRN-16-4"});
  EXPECT_EQ(family_text(alexnet(3)), "");
}

TEST(Conclusion, NamesTheNetworkThatItIs) {
  expect_says(refusal(alexnet(10)),
              {"w.pt: fits no known network", "This is torchvision's alexnet, which nearfar does not have",
               "model.file", "Known: resnet8, resnet18_32x32"});
  std::vector<NamedTensor> wrapped = resnet({3, 8, 36, 3}, true, 10);
  for (NamedTensor& named : wrapped) named.name = "module." + named.name;
  expect_says(refusal(wrapped), {"This is torchvision's resnet152 (names without 'module.')"});
}

TEST(Conclusion, AForeignTransformerIsNoSmallResNet) {
  const std::string message = refusal(vit(7, 512, 16));
  expect_says(message, {"a ViT of 7 blocks, 512 wide"});
  EXPECT_EQ(message.find("nearest is resnet"), std::string::npos) << message;
}

TEST(Conclusion, WhatIsLikeNothingIsShown) {
  expect_says(refusal({shaped("a.weight", {2, 3}), shaped("b", {4})}),
              {"None is near: 2 tensors, a.weight Float [2,3], b Float [4]"});
}

TEST(Conclusion, SaysThatTheHeadIsMissing) {
  std::vector<NamedTensor> backbone = resnet({3, 4, 6, 3}, true, 10);
  std::erase_if(backbone, [](const NamedTensor& one) { return one.name.starts_with("fc."); });
  expect_says(refusal(backbone), {"fits no known network. This is the backbone of resnet50 without a classifier"});
}

}  // namespace
}  // namespace nearfar
