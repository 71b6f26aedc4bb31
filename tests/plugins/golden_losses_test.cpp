// Losses and gradients of the reference code (ReweightOOD's own trainer; SupCon and CE by a float64 oracle):
// golden/losses.
#include "common.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <functional>

namespace nearfar::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// The cases of one kind, or nothing where the data are not there.
std::optional<Json> cases(const char* kind) {
  const auto file = golden("losses/losses.json");
  if (!file) return std::nullopt;
  std::ifstream stream(*file);
  return Json::parse(stream).at(kind);
}

/// Of the case's own arrays, else nothing: the copy in the source tree holds the small cases only.
std::optional<at::Tensor> array(const std::string& name) {
  const auto file = golden("losses/" + name + ".npy");
  if (!file) return std::nullopt;
  return tensor(*file);
}

/// Value and gradient of `rows`, which `input` makes the loss's output of, in float64 within 1e-6 and in float32 within
/// 1e-5: of the value, and of the gradient's largest entry, or of 0.1 where terms of size 1 cancel to nearly 0
/// (identical and antipodal rows). Stored gradients are float64's, rounded.
void expect_loss(LossHandle& plugin, const at::Tensor& rows, const std::function<at::Tensor(const at::Tensor&)>& input,
                 const at::Tensor& labels, double wanted, const at::Tensor& gradient, const std::string& name) {
  for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-6}, {at::kFloat, 1e-5}}) {
    const at::Tensor leaf = rows.to(type, false, /*copy=*/true).set_requires_grad(true);
    const at::Tensor value = plugin.forward({input(leaf), labels});
    value.backward();
    EXPECT_NEAR(value.item<double>(), wanted, tolerance * std::max(1.0, std::abs(wanted))) << name << " " << type;
    const double scale = std::max(gradient.abs().max().item<double>(), 0.1);
    EXPECT_LE(leaf.grad().sub(gradient).abs().max().item<double>(), tolerance * scale) << name << " " << type;
  }
}

at::Tensor itself(const at::Tensor& rows) { return rows; }

TEST(GoldenLosses, ReweightOod) {
  const auto all = cases("contrastive");
  if (!all) GTEST_SKIP() << "no golden losses; set NEARFAR_GOLDEN";
  LossHandle reweight = loss("reweightood");
  int compared = 0;
  for (const auto& [name, one] : all->items()) {
    const auto raw = array("loss_" + name + "_raw"), y = array("loss_" + name + "_y"),
               gradient = array("loss_" + name + "_reweight_grad_raw");
    if (!raw || !y || !gradient) continue;
    ++compared;
    // The stored gradient goes through the normalisation.
    expect_loss(reweight, *raw, normalized, *y, one.at("reweight").at("loss_f64").get<double>(), *gradient, name);
  }
  EXPECT_GT(compared, 0) << "losses.json without its arrays";
}

TEST(GoldenLosses, SupCon) {
  const auto all = cases("contrastive");
  if (!all) GTEST_SKIP() << "no golden losses; set NEARFAR_GOLDEN";
  int compared = 0;
  for (const char* temperature : {"0.1", "0.07"}) {
    LossHandle supcon = loss("supcon", {{"temperature", std::stod(temperature)}});
    const std::string key = std::string("supcon_t") + temperature;
    for (const auto& [name, one] : all->items()) {
      const auto z = array("loss_" + name + "_z"), y = array("loss_" + name + "_y"),
                 gradient = array("loss_" + name + "_" + key + "_grad_z");
      if (!z || !y || !gradient) continue;
      ++compared;
      expect_loss(supcon, *z, itself, *y, one.at(key).at("loss_f64").get<double>(), *gradient, name + " " + key);
    }
  }
  EXPECT_GT(compared, 0) << "losses.json without its arrays";
}

TEST(GoldenLosses, CrossEntropy) {
  const auto all = cases("ce");
  if (!all) GTEST_SKIP() << "no golden losses; set NEARFAR_GOLDEN";
  LossHandle ce = loss("ce");
  int compared = 0;
  for (const auto& [name, one] : all->items()) {
    const auto logits = array("ce_" + name + "_logits"), y = array("ce_" + name + "_y"),
               gradient = array("ce_" + name + "_grad_logits");
    if (!logits || !y || !gradient) continue;
    ++compared;
    expect_loss(ce, *logits, itself, *y, one.at("loss_f64").get<double>(), *gradient, name);
  }
  EXPECT_GT(compared, 0) << "losses.json without its arrays";
}

}  // namespace
}  // namespace nearfar::testing
