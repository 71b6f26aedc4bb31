/// Swin-T (Liu et al. 2021) with torchvision's names: attention within windows of 7 x 7, shifted by 3 in every second
/// block. Tensors are [N,H,W,C] inside. Training leaves out torchvision's stochastic depth: a step must depend on its
/// batch and weights alone.
#include "models/backbone.h"
#include "models/layers.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>
#include <vector>

namespace nearfar {
namespace {

constexpr std::int64_t kPatch = 4, kWidth = 96, kWindow = 7, kArea = kWindow * kWindow;
constexpr std::array<std::int64_t, 4> kDepths{2, 2, 6, 2}, kHeads{3, 6, 12, 24};
constexpr double kEpsilon = 1e-5;    // of every layer norm
constexpr double kDeviation = 0.02;  // of every linear layer
constexpr double kForbidden = -100;  // added to the attention between pixels that the shift made neighbours

Linear linear(const Scope& scope, std::int64_t in, std::int64_t out) {
  return {scope, in, out, Fill::normal(kDeviation), Fill::constant(0)};
}

/// Row of the bias table for each pair of pixels of a window: their offset (dy, dx), each from -6 to 6. [49 * 49]
/// int64.
at::Tensor bias_rows() {
  at::Tensor rows = at::empty({kArea * kArea}, at::kLong);
  std::int64_t* out = rows.mutable_data_ptr<std::int64_t>();
  for (std::int64_t a = 0; a < kArea; ++a) {
    for (std::int64_t b = 0; b < kArea; ++b) {
      const std::int64_t dy = a / kWindow - b / kWindow, dx = a % kWindow - b % kWindow;
      *out++ = (dy + kWindow - 1) * (2 * kWindow - 1) + dx + kWindow - 1;
    }
  }
  return rows;
}

/// [N,H,W,C] -> [N * windows, 49, C].
at::Tensor to_windows(const at::Tensor& x) {
  const std::int64_t rows = x.size(1) / kWindow, columns = x.size(2) / kWindow;
  return x.reshape({x.size(0), rows, kWindow, columns, kWindow, x.size(3)})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({-1, kArea, x.size(3)});
}

/// The reverse.
at::Tensor from_windows(const at::Tensor& windows, std::int64_t count, std::int64_t height, std::int64_t width) {
  return windows.view({count, height / kWindow, width / kWindow, kWindow, kWindow, windows.size(2)})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({count, height, width, windows.size(2)});
}

/// After a cyclic shift, windows at the border hold pixels of up to four regions. [windows, 49, 49]: 0 within a region,
/// else kForbidden.
at::Tensor shift_mask(std::int64_t height, std::int64_t width, std::int64_t shift_y, std::int64_t shift_x) {
  at::Tensor region = at::zeros({height, width});
  const auto part = [](std::int64_t at, std::int64_t size, std::int64_t shift) {
    return at < size - kWindow ? 0 : at < size - shift ? 1 : 2;
  };
  float* out = region.mutable_data_ptr<float>();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      *out++ = static_cast<float>(3 * (shift_y > 0 ? part(y, height, shift_y) : 0) +
                                  (shift_x > 0 ? part(x, width, shift_x) : 0));
    }
  }
  const at::Tensor windows = to_windows(region.view({1, height, width, 1})).squeeze(2);
  return windows.unsqueeze(1).ne(windows.unsqueeze(2)).to(at::kFloat).mul(kForbidden);
}

class WindowAttention {
 public:
  WindowAttention(const Scope& scope, std::int64_t width, std::int64_t heads, std::int64_t shift)
      : table_(scope.parameter("relative_position_bias_table", {(2 * kWindow - 1) * (2 * kWindow - 1), heads},
                               Fill::normal(kDeviation))),
        qkv_(linear(scope / "qkv", width, 3 * width)),
        out_(linear(scope / "proj", width, width)),
        bias_rows_(bias_rows().to(scope.device())),
        heads_(heads),
        shift_(shift) {}

  at::Tensor operator()(const at::Tensor& in) const {  // [N,H,W,C] -> [N,H,W,C]
    const std::int64_t count = in.size(0), height = in.size(1), width = in.size(2);
    const auto missing = [](std::int64_t size) { return (kWindow - size % kWindow) % kWindow; };
    at::Tensor x = at::constant_pad_nd(in, {0, 0, 0, missing(width), 0, missing(height)});
    const std::int64_t padded_height = x.size(1), padded_width = x.size(2);
    // One window covers the side: nothing to shift.
    const std::int64_t shift_y = kWindow >= padded_height ? 0 : shift_, shift_x = kWindow >= padded_width ? 0 : shift_;
    const bool shifted = shift_y + shift_x > 0;
    if (shifted) x = x.roll({-shift_y, -shift_x}, {1, 2});
    x = attend(to_windows(x), shifted ? mask_of(padded_height, padded_width, shift_y, shift_x) : at::Tensor());
    x = from_windows(x, count, padded_height, padded_width);
    if (shifted) x = x.roll({shift_y, shift_x}, {1, 2});
    return x.narrow(1, 0, height).narrow(2, 0, width).contiguous();
  }

 private:
  at::Tensor attend(const at::Tensor& windows, const at::Tensor& mask) const {  // [B,49,C] -> [B,49,C]
    const std::int64_t count = windows.size(0), width = windows.size(2), head = width / heads_;
    const at::Tensor qkv = qkv_(windows).view({count, kArea, 3, heads_, head}).permute({2, 0, 3, 1, 4});
    const at::Tensor query = qkv.select(0, 0).mul(1 / std::sqrt(static_cast<double>(head)));
    const at::Tensor bias = table_.index_select(0, bias_rows_).view({kArea, kArea, heads_}).permute({2, 0, 1});
    at::Tensor weights = query.matmul(qkv.select(0, 1).transpose(2, 3)).add(bias.unsqueeze(0));  // [B,heads,49,49]
    if (mask.defined()) {
      const std::int64_t per_image = mask.size(0);
      weights = weights.view({count / per_image, per_image, heads_, kArea, kArea}).add(mask.unsqueeze(1).unsqueeze(0));
      weights = weights.view({count, heads_, kArea, kArea});
    }
    return out_(weights.softmax(-1).matmul(qkv.select(0, 2)).transpose(1, 2).reshape({count, kArea, width}));
  }

  /// Made where it is used, and kept: images of a network are nearly always of one size.
  at::Tensor mask_of(std::int64_t height, std::int64_t width, std::int64_t shift_y, std::int64_t shift_x) const {
    const std::array wanted{height, width, shift_y, shift_x};
    if (!mask_.defined() || wanted != mask_is_of_) {
      mask_ = shift_mask(height, width, shift_y, shift_x).to(table_.device());
      mask_is_of_ = wanted;
    }
    return mask_;
  }

  at::Tensor table_;
  Linear qkv_, out_;
  at::Tensor bias_rows_;
  std::int64_t heads_, shift_;
  mutable at::Tensor mask_;
  mutable std::array<std::int64_t, 4> mask_is_of_{};
};

class SwinBlock {
 public:
  SwinBlock(const Scope& scope, std::int64_t width, std::int64_t heads, std::int64_t shift)
      : norm1_(scope / "norm1", width, kEpsilon),
        attention_(scope / "attn", width, heads, shift),
        norm2_(scope / "norm2", width, kEpsilon),
        widen_(linear(scope / "mlp" / 0, width, 4 * width)),
        narrow_(linear(scope / "mlp" / 3, 4 * width, width)) {}

  at::Tensor operator()(const at::Tensor& in) const {
    const at::Tensor x = in.add(attention_(norm1_(in)));
    return x.add(narrow_(at::gelu(widen_(norm2_(x)))));
  }

 private:
  LayerNorm norm1_;
  WindowAttention attention_;
  LayerNorm norm2_;
  Linear widen_, narrow_;
};

/// Four neighbours become one pixel of twice the width.
class PatchMerging {
 public:
  PatchMerging(const Scope& scope, std::int64_t width)
      : reduction_(scope / "reduction", 4 * width, 2 * width, Fill::normal(kDeviation)),
        norm_(scope / "norm", 4 * width, kEpsilon) {}

  at::Tensor operator()(const at::Tensor& in) const {
    const at::Tensor x = at::constant_pad_nd(in, {0, 0, 0, in.size(2) % 2, 0, in.size(1) % 2});
    const auto every_second = [&](std::int64_t y, std::int64_t xx) {
      return x.slice(1, y, std::nullopt, 2).slice(2, xx, std::nullopt, 2);
    };
    return reduction_(
        norm_(at::cat({every_second(0, 0), every_second(1, 0), every_second(0, 1), every_second(1, 1)}, -1)));
  }

 private:
  Linear reduction_;
  LayerNorm norm_;
};

class SwinTransformer final : public Backbone {
 public:
  SwinTransformer(const Scope& scope, std::int64_t in_channels) {
    const Scope features = scope / "features";
    const Convolution::Shape patches{in_channels, kWidth, kPatch, kPatch, 0};
    const Fill initial = Fill::layer_default(patches.fan_in());
    patches_ = Convolution(features / 0 / 0, patches, initial, initial);
    patch_norm_ = LayerNorm(features / 0 / 2, kWidth, kEpsilon);
    std::int64_t index = 1, width = kWidth;
    for (std::size_t stage = 0; stage < kDepths.size(); ++stage) {
      std::vector<SwinBlock> blocks;
      for (std::int64_t b = 0; b < kDepths[stage]; ++b) {
        blocks.emplace_back(features / index / b, width, kHeads[stage], b % 2 == 0 ? 0 : kWindow / 2);
      }
      stages_.push_back(std::move(blocks));
      ++index;
      if (stage + 1 < kDepths.size()) {
        merging_.emplace_back(features / index, width);
        width *= 2;
        ++index;
      }
    }
    norm_ = LayerNorm(scope / "norm", width, kEpsilon);
    width_ = width;
  }

  at::Tensor forward(const at::Tensor& images, bool /*training*/) const override {
    at::Tensor x = patch_norm_(patches_(images).permute({0, 2, 3, 1}).contiguous());
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      for (const SwinBlock& block : stages_[stage]) x = block(x);
      if (stage < merging_.size()) x = merging_[stage](x);
    }
    return norm_(x).mean({1, 2});
  }

  std::int64_t width() const override { return width_; }

 private:
  Convolution patches_;
  LayerNorm patch_norm_, norm_;
  std::vector<std::vector<SwinBlock>> stages_;
  std::vector<PatchMerging> merging_;
  std::int64_t width_ = 0;
};

}  // namespace

std::unique_ptr<Backbone> build_swin_t(const Scope& scope, std::int64_t in_channels) {
  return std::make_unique<SwinTransformer>(scope, in_channels);
}

}  // namespace nearfar
