// What runs on the fake device gives the CPU's numbers, bit by bit: its kernels are the CPU's.
#include "fake_device/fake_device.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

namespace nearfar::fake {
namespace {

using Tensors = std::vector<at::Tensor>;

/// f of the same arguments on the CPU and on the device.
void same(const Tensors& in, const std::function<Tensors(const Tensors&)>& f) {
  Tensors moved;
  for (const at::Tensor& one : in) moved.push_back(one.to(device()));
  const Tensors wanted = f(in), found = f(moved);
  ASSERT_EQ(wanted.size(), found.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(found[i].device(), device()) << "result " << i;
    EXPECT_TRUE(at::equal(found[i].cpu(), wanted[i])) << "result " << i;
  }
}

at::Generator chance() { return at::make_generator<at::CPUGeneratorImpl>(3); }
at::Tensor normal(at::IntArrayRef sizes) { return at::randn(sizes, chance()); }

TEST(FakeEqualsCpu, InReductionsAndSorting) {
  same({normal({12, 8})}, [](const Tensors& x) {
    const auto [top, which] = x[0].topk(3, 1);
    const auto [sorted, order] = x[0].sort(1);
    return Tensors{top, which, sorted, order, at::softmax(x[0], 1), x[0].logsumexp(1), at::layer_norm(x[0], {8})};
  });
}

TEST(FakeEqualsCpu, InLinearAlgebra) {
  same({normal({12, 8}), normal({20, 8})}, [](const Tensors& x) {
    const at::Tensor square = x[0].t().mm(x[0]).add(at::eye(8, x[0].options()));
    const auto [values, vectors] = at::linalg_eigh(square);
    return Tensors{at::cdist(x[0], x[1]),
                   values,
                   vectors,
                   at::linalg_cholesky(square),
                   at::linalg_pinv(x[0], 1e-6),
                   std::get<1>(at::linalg_svd(x[0], false))};
  });
}

TEST(FakeEqualsCpu, InIndexing) {
  const at::Tensor index = at::randint(12, {5}, chance(), at::kLong);
  same({normal({12, 8}), index}, [](const Tensors& x) {
    const at::Tensor best = x[0].argmax(1, true);
    return Tensors{x[0].index_select(0, x[1]),
                   x[0].gather(1, best),
                   at::zeros_like(x[0]).scatter_(1, best, 1),
                   x[0].index({x[1]}),
                   x[0].index({x[0].gt(0)}),
                   x[0].masked_select(x[0].gt(0)),
                   x[1].bincount({}, 12),
                   at::zeros({12, 8}, x[0].options()).index_add_(0, x[1], x[0].narrow(0, 0, 5))};
  });
}

TEST(FakeEqualsCpu, InViewsAndWritesThroughThem) {
  same({normal({12, 8})}, [](const Tensors& x) {
    at::Tensor copy = x[0].clone();
    copy.unfold(0, 4, 4).select(0, 1).zero_();
    copy.narrow(1, 0, 2).copy_(x[0].narrow(1, 4, 2));
    copy.select(0, 1).add_(1);
    return Tensors{copy, x[0].narrow(0, 2, 4).t(), x[0].view(at::kInt), x[0].diagonal(),
                   x[0].unsqueeze(0).expand({3, 12, 8})};
  });
}

TEST(FakeEqualsCpu, InOutArguments) {
  same({normal({12, 8}), normal({20, 8})}, [](const Tensors& x) {
    at::Tensor right = at::empty({12, 20}, x[0].options()), empty = at::empty({0}, x[0].options());
    at::mm_out(right, x[0], x[1].t());
    at::mm_out(empty, x[0], x[1].t());  // the operator resizes it
    return Tensors{right, empty, empty.mul(2), at::where(right.gt(0), right, right.neg()), at::cat({right, empty}, 1)};
  });
}

TEST(FakeEqualsCpu, InConversions) {
  same({normal({12, 8})}, [](const Tensors& x) {
    return Tensors{x[0].to(at::kDouble),
                   x[0].to(at::kBFloat16),
                   x[0].view({1, 12, 4, 2}).contiguous(at::MemoryFormat::ChannelsLast),
                   x[0].add(2),
                   x[0].lt(0.5),
                   at::arange(5, x[0].options()),
                   at::constant_pad_nd(x[0], {1, 1, 0, 2})};
  });
}

TEST(FakeEqualsCpu, InChance) {
  at::manual_seed(11);
  const at::Tensor there = at::randn({5}, device());
  at::manual_seed(11);
  EXPECT_TRUE(at::equal(there.cpu(), at::randn({5})));
}

TEST(FakeEqualsCpu, InGradientsOfGradients) {
  same({normal({4, 3})}, [](const Tensors& x) {
    const at::Tensor leaf = x[0].detach().clone().set_requires_grad(true);
    leaf.square().sum().mul(leaf.sum()).backward({}, /*retain_graph=*/std::nullopt, /*create_graph=*/true);
    const at::Tensor first = std::exchange(leaf.mutable_grad(), at::Tensor());
    first.square().sum().backward();
    return Tensors{first.detach(), leaf.grad()};
  });
}

TEST(FakeAutocast, LowersWhatAnAcceleratorLowers) {
  const at::Tensor there = normal({4, 4}).to(device());
  at::autocast::set_autocast_enabled(kType, true);
  at::autocast::set_autocast_dtype(kType, at::kBFloat16);
  const at::Tensor product = at::mm(there, there), sum = product.softmax(1);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(kType, false);
  EXPECT_EQ(product.scalar_type(), at::kBFloat16);
  EXPECT_EQ(sum.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace nearfar::fake
