#include "engine/bench_fitted.h"
#include "engine/bench_inputs.h"
#include "engine/bench_runs.h"
#include "features/accuracy.h"
#include "features/network_pass.h"

#include <ATen/ops/cat.h>

#include <memory>
#include <string>
#include <utility>

namespace nearfar {
namespace {

constexpr std::int64_t kSide = 32, kChannels = 3;
constexpr std::uint64_t kWeightsSeed = 19;
// CIFAR's, as most checkpoints for 32 x 32 pixels have them: what a step of 1/255 is.
const std::vector<double> kPixelStd{0.247, 0.2435, 0.2616};

/// A network that all passes of both sides go through, seen as deep as either wants.
class SharedNetwork {
 public:
  SharedNetwork(std::int64_t classes, Needs needs, at::Device device)
      : network_(make_network({.architecture = "resnet18_32x32",
                               .in_channels = kChannels,
                               .height = kSide,
                               .width = kSide,
                               .classes = classes},
                              kWeightsSeed, device)),
        head_(network_->head()),
        pass_(*network_, needs & (kMapStatistics | kInputGradients), kPixelStd) {}

  /// A new one: nothing that another call has asked for is remembered in it.
  std::unique_ptr<NetworkBatch> look_at(const at::Tensor& images) { return pass_.run(images); }
  const HeadWeights& head() const { return head_; }

 private:
  std::unique_ptr<Network> network_;
  HeadWeights head_;
  NetworkPass pass_;
};

/// What one side is given of some images: features, logits and the columns that it keeps of them.
FeatureBatch seen_by(const PostprocessorHandle& handle, SharedNetwork& network, const BenchImages& images,
                     bool fitted) {
  std::vector<at::Tensor> features, logits, columns;
  for (const at::Tensor& batch : images.batches) {
    const auto looked = network.look_at(batch);
    features.push_back(looked->features());
    logits.push_back(looked->logits());
    if (observes(handle.needs())) columns.push_back(handle.observe(*looked, fitted));
  }
  FeatureBatch seen{
      .features = at::cat(features), .normalized = {}, .logits = at::cat(logits), .labels = images.labels};
  if ((handle.needs() & kNormalizedFeatures) != 0) seen.normalized = normalized_rows(seen.features);
  if (!columns.empty()) seen.observed = at::cat(columns);
  return only_needed(std::move(seen), handle.needs());
}

class Side {
 public:
  Side(const BenchSide& side, SharedNetwork& network) : fitted(side), network_(network) {}

  void fit_on(const BenchImages& train, const BenchImages& val) {
    const Needs needs = fitted.needs();
    if ((needs & kTrain) != 0) context.train = seen_by(fitted.handle(), network_, train, false);
    if ((needs & kValidation) != 0) context.val = seen_by(fitted.handle(), network_, val, false);
    if ((needs & kHeadWeights) != 0) context.head = network_.head();
    context.classes = network_.head().weight.size(0);
    fitted.handle_to_fit().fit(context);
  }

  /// All images are looked at, batch by batch; the clean passes are made before the clock runs.
  BenchWork observe(const BenchImages& images) {
    if (!observes(fitted.needs())) return {};
    return {.prepare =
                [this, &images] {
                  looked_.clear();
                  for (const at::Tensor& batch : images.batches) looked_.push_back(network_.look_at(batch));
                },
            .run =
                [this] {
                  for (const auto& batch : looked_) fitted.handle().observe(*batch, fitted.handle().observes_fitted());
                }};
  }
  void forget() { looked_.clear(); }

  void look_at_scored(const BenchImages& images) {
    scored = seen_by(fitted.handle(), network_, images, fitted.handle().observes_fitted());
    scored.labels = at::Tensor();
  }

  BenchFitted fitted;
  FitContext context;
  FeatureBatch scored;

 private:
  SharedNetwork& network_;
  std::vector<std::unique_ptr<NetworkBatch>> looked_;
};

}  // namespace

std::vector<wire::BenchMeasure> bench_in_network(const BenchSide& subject, const BenchSide& reference,
                                                 const wire::BenchSize& size, const BenchClock& clock,
                                                 at::Device device) {
  SharedNetwork network(size.classes, subject.plugin.needs() | reference.plugin.needs(), device);
  const BenchImages train = bench_images(size.train, size.classes, 0, device);
  const BenchImages val = bench_images(std::max(size.train / 10, size.classes), size.classes, 1, device);
  const BenchImages scored = bench_images(size.rows, size.classes, 2, device);
  Side a(subject, network), b(reference, network);
  a.fit_on(train, val);
  b.fit_on(train, val);
  std::vector<wire::BenchMeasure> measures;
  if (a.fitted.has_fit()) {
    measures.push_back(clock.measure("fit", size.train, a.fitted.fit(a.context),
                                     b.fitted.has_fit() ? b.fitted.fit(b.context) : BenchWork{}));
  }
  measures.push_back(clock.measure("observe", size.rows, a.observe(scored), b.observe(scored)));
  a.forget();
  b.forget();
  a.look_at_scored(scored);
  b.look_at_scored(scored);
  measures.push_back(clock.measure("score", size.rows, a.fitted.score(a.scored), b.fitted.score(b.scored)));
  return measures;
}

}  // namespace nearfar
