/// Losses of pairs on the fake device: what a GPU computes never waits and can be captured; a plugin's call gives the
/// CPU's bytes there.
#include "fake_device/fake_device.h"
#include "kernels/contrastive.h"

#include <nearfar/contrastive.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <functional>

namespace nearfar {
namespace {

using contrastive::LossAndGradient;

using Way = std::function<LossAndGradient(const at::Tensor&, const at::Tensor&)>;
const Way kWays[] = {[](const at::Tensor& z, const at::Tensor& y) {
                       return contrastive::supervised_by_tiles(z, y, 50, {0.1, 0.07});
                     },
                     [](const at::Tensor& z, const at::Tensor& y) {
                       return contrastive::supervised_by_rows(z, y, {0.1, 0.07});
                     },
                     [](const at::Tensor& z, const at::Tensor& y) {
                       return contrastive::reweighted_by_tiles(z, y, {0.1, 5, 4, 2, 1});
                     },
                     [](const at::Tensor& z, const at::Tensor& y) {
                       return contrastive::reweighted_by_rows(z, y, {0.1, 5, 4, 2, 1});
                     }};

at::Tensor rows() {
  const at::Tensor raw = at::randn({50, 8});
  return raw.div(raw.norm(2, {1}, true));
}
at::Tensor there(const at::Tensor& tensor) { return tensor.to(fake::device()); }

TEST(ContrastiveOnADevice, NeverWaits) {
  const at::Tensor z = rows(), y = at::arange(50).remainder(7);
  for (const Way& way : kWays) {
    const LossAndGradient wanted = way(z, y);
    const at::Tensor device_z = there(z), device_y = there(y);
    const LossAndGradient found = [&] {
      const fake::ForbidSyncs none;
      return way(device_z, device_y);
    }();
    EXPECT_TRUE(found.value.cpu().equal(wanted.value));
    EXPECT_TRUE(found.gradient.cpu().equal(wanted.gradient));
  }
}

TEST(ContrastiveOnADevice, CanBeCaptured) {
  for (const Way& way : kWays) {
    const at::Tensor z = there(rows()), y = there(at::arange(50).remainder(7));
    const auto graph = fake::make_graph();
    graph->begin();
    const LossAndGradient found = way(z, y);
    graph->end();
    for (const std::int64_t classes : {3, 50, 1}) {  // also a batch without a pair of one kind
      const at::Tensor next = rows(), its = at::arange(50).remainder(classes);
      z.copy_(next);
      y.copy_(its);
      graph->replay();
      const LossAndGradient wanted = way(next, its);
      EXPECT_TRUE(found.value.cpu().equal(wanted.value)) << classes;
      EXPECT_TRUE(found.gradient.cpu().equal(wanted.gradient)) << classes;
    }
  }
}

TEST(ContrastiveOnADevice, OperatorsGiveTheCpusBytesWithoutAWait) {
  register_contrastive();
  const at::Tensor z = rows(), y = at::arange(50).remainder(7), device_y = there(y);
  for (const bool reweight : {false, true}) {
    const auto loss = [&](const at::Tensor& leaf, const at::Tensor& labels) {
      return reweight ? reweighted_pairs(leaf, labels, 0.1, 5, 4, 2, 1)
                      : supervised_contrastive(leaf, labels, 0.1, 0.07);
    };
    const at::Tensor here = z.clone().set_requires_grad(true), device_z = there(z).set_requires_grad(true);
    loss(here, y).backward();
    {
      const fake::ForbidSyncs none;
      loss(device_z, device_y).backward();
    }
    EXPECT_TRUE(device_z.grad().cpu().equal(here.grad()));
  }
}

}  // namespace
}  // namespace nearfar
