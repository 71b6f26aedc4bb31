#include "models/families.h"

#include "base/text.h"
#include "models/mapping.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace nearfar {
namespace {

class Names {
 public:
  explicit Names(const std::vector<NamedTensor>& tensors) {
    for (const NamedTensor& one : tensors) by_name_.emplace(one.name, one.tensor);
  }

  /// Shape of a tensor of `dimensions`, nullopt where it is not there.
  std::optional<std::vector<std::int64_t>> shape(const std::string& name, std::int64_t dimensions) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end() || found->second.dim() != dimensions) return std::nullopt;
    return found->second.sizes().vec();
  }

  bool any(std::string_view pattern) const {
    return std::any_of(by_name_.begin(), by_name_.end(),
                       [&](const auto& one) { return match_pattern(pattern, one.first).has_value(); });
  }

  /// How many different runs the pattern's first star stands for: "layer1.*.conv1.weight" → blocks of layer 1.
  std::int64_t count(std::string_view pattern) const {
    std::set<std::string_view> runs;
    for (const auto& [name, tensor] : by_name_) {
      const auto match = match_pattern(pattern, name);
      if (match && match->front().find('.') == std::string_view::npos) runs.insert(match->front());
    }
    return static_cast<std::int64_t>(runs.size());
  }

  /// The same for groups 1, 2, … as long as there are some; "{}" is the group's number.
  std::vector<std::int64_t> counts(const std::string& pattern) const {
    std::vector<std::int64_t> all;
    for (int group = 1;; ++group) {
      const std::int64_t found = count(replace_all(pattern, "{}", std::to_string(group)));
      if (found == 0) return all;
      all.push_back(found);
    }
  }

 private:
  std::map<std::string, at::Tensor> by_name_;
};

std::string dashed(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> texts;
  for (const std::int64_t number : numbers) texts.push_back(std::to_string(number));
  return join(texts, "-");
}

std::int64_t sum(const std::vector<std::int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

std::string resnet(const Names& names) {
  const std::vector<std::int64_t> blocks = names.counts("layer{}.*.conv1.weight");
  const auto stem = names.shape("conv1.weight", 4), first = names.shape("layer1.0.conv1.weight", 4);
  if (blocks.size() < 3 || !stem || !first) return "";
  const bool bottleneck = names.any("layer1.*.conv3.weight");
  const std::int64_t depth = (bottleneck ? 3 : 2) * sum(blocks) + 2;
  std::string text =
      fmt::format("a {}ResNet-{} of {} blocks ({}) with a {}x{} stem", names.any("bn1.weight") ? "" : "pre-activation ",
                  depth, bottleneck ? "bottleneck" : "basic", dashed(blocks), stem->at(2), stem->at(3));
  const std::int64_t usual = blocks.size() == 3 ? 16 : 64;
  if (first->front() != usual) text += fmt::format(", {} channels wide instead of {}", first->front(), usual);
  const auto grouped = names.shape("layer1.0.conv2.weight", 4);
  if (grouped && grouped->at(0) != grouped->at(1))
    text += fmt::format(", in {} groups", grouped->at(0) / grouped->at(1));
  if (stem->at(1) != 3) text += fmt::format(", for images of {} channels", stem->at(1));
  const bool small = stem->at(2) == 3;
  text += small ? ", for small images; nearfar has resnet18_32x32 and resnet18_64x64 of those"
                : "; nearfar has resnet18_224x224, resnet34, resnet50 and resnet101 with torchvision's names";
  return text;
}

std::string wide_resnet(const Names& names) {
  const std::vector<std::int64_t> blocks = names.counts("block{}.layer.*.conv1.weight");
  const auto first = names.shape("block1.layer.0.conv2.weight", 4);
  if (blocks.empty() || !first) return "";
  return fmt::format("a WRN-{}-{} (wide residual network, blocks {}); nearfar has wrn_40_2 and wrn_28_10",
                     2 * sum(blocks) + 4, first->front() / 16, dashed(blocks));
}

std::string densenet(const Names& names) {
  const std::vector<std::int64_t> layers = names.counts("features.denseblock{}.denselayer*.conv2.weight");
  const auto grows = names.shape("features.denseblock1.denselayer1.conv2.weight", 4);
  if (layers.empty() || !grows) return "";
  return fmt::format("a DenseNet-{} (dense layers {}, growth {}); nearfar has densenet121 of torchvision",
                     2 * sum(layers) + static_cast<std::int64_t>(layers.size()) + 1, dashed(layers), grows->front());
}

std::string transformer(const Names& names) {
  struct Form {
    const char *whose, *patches, *block;
  };
  constexpr std::array<Form, 3> kForms{
      {{"timm's names", "patch_embed.proj.weight", "blocks.*.attn.qkv.weight"},
       {"torchvision's names", "conv_proj.weight", "encoder.layers.encoder_layer_*.self_attention.in_proj_weight"},
       {"CLIP's names", "visual.conv1.weight", "visual.transformer.resblocks.*.attn.in_proj_weight"}}};
  for (const Form& form : kForms) {
    const auto patches = names.shape(form.patches, 4);
    const std::int64_t blocks = names.count(form.block);
    if (!patches || blocks == 0) continue;
    return fmt::format(
        "a ViT of {} blocks, {} wide, on patches of {} x {} ({}); nearfar has vit_b_16: 12 blocks, 768 wide, 16 x 16, "
        "a class token and no more",
        blocks, patches->front(), patches->at(2), patches->at(3), form.whose);
  }
  return "";
}

}  // namespace

std::string family_text(const std::vector<NamedTensor>& tensors) {
  const Names names(tensors);
  for (const auto& family : {resnet, wide_resnet, densenet, transformer}) {
    if (std::string text = family(names); !text.empty()) return text;
  }
  return "";
}

}  // namespace nearfar
