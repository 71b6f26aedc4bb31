// observe(): what a postprocessor keeps of images inside the network.
#include "conformance/check.h"
#include "conformance/formula_network.h"
#include "conformance/subject.h"
#include "device/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {

using I = std::int64_t;

HeadWeights head(const Subject& subject) {
  const HeadWeights made = usual_problem().head;
  return {upload(made.weight, subject.device()), upload(made.bias, subject.device())};
}

at::Tensor observed(const Subject& subject, const PostprocessorHandle& scorer, const at::Tensor& pixels) {
  FormulaNetwork network(upload(pixels, subject.device()), head(subject));
  return download(scorer.observe(network, /*fitted=*/false));
}

at::Tensor pixels(I count) { return images_of_classes(count, 0.3).pixels; }

void observes_rows(const Subject& subject) {
  const at::Tensor columns = observed(subject, subject.postprocessor(), pixels(7));  // the handle looks at its shape
  expect(columns.isfinite().all().item<bool>(), "finite columns", "NaN or infinity");
}

void splits(const Subject& subject) {
  const PostprocessorHandle scorer = subject.postprocessor();
  const at::Tensor images = pixels(11), whole = observed(subject, scorer, images);
  for (const I step : {1, 4}) {
    for (I first = 0; first < 11; first += step) {
      const I here = std::min<I>(step, 11 - first);
      const at::Tensor found = observed(subject, scorer, images.narrow(0, first, here));
      expect(found.size(1) == whole.size(1), fmt::format("{} columns of every batch", whole.size(1)),
             fmt::format("{} of {} images", found.size(1), here));
      const double difference =
          relative_difference(found, whole.narrow(0, first, here), whole.abs().max().item<double>());
      expect(difference <= subject.tolerance(),
             fmt::format("the same columns of images {} to {} alone, within {:g}", first, first + here,
                         subject.tolerance()),
             fmt::format("a difference of {:.3g}", difference));
    }
  }
}

void repeats(const Subject& subject) {
  const PostprocessorHandle scorer = subject.postprocessor();
  const at::Tensor first = observed(subject, scorer, pixels(6)), second = observed(subject, scorer, pixels(6));
  expect(first.equal(second), "the same bits of the same images, twice",
         fmt::format("a difference of {:.3g}", relative_difference(second, first)));
}

void inputs(const Subject& subject) {
  const PostprocessorHandle scorer = subject.postprocessor();
  FormulaNetwork network(upload(pixels(6), subject.device()), head(subject));
  std::vector<at::Tensor> given{network.images(), network.features(), network.logits()}, before;
  for (const at::Tensor& map : network.layers()) given.push_back(map);
  for (const at::Tensor& tensor : given) before.push_back(tensor.clone());
  scorer.observe(network, /*fitted=*/false);
  for (std::size_t i = 0; i < given.size(); ++i) {
    expect(given[i].equal(before[i]), "observe() leaves images, features, logits and maps as they are",
           fmt::format("tensor {} of them changed", i + 1));
  }
}

constexpr std::array kChecks{
    Check{.name = "observe",
          .promise = "observe() gives a finite float32 row an image",
          .concerns = kOfNetworks,
          .after = "create",
          .run = observes_rows},
    Check{.name = "observe-splits",
          .promise = "observe() of parts of a batch gives the rows of the whole, with as many columns",
          .concerns = kOfNetworks,
          .after = "observe",
          .run = splits},
    Check{.name = "observe-repeats",
          .promise = "observe() of the same images gives the same bits again",
          .concerns = kOfNetworks,
          .after = "observe",
          .run = repeats},
    Check{.name = "observe-inputs",
          .promise = "observe() leaves images, features, logits and maps as they are",
          .concerns = kOfNetworks,
          .after = "observe",
          .run = inputs},
};

}  // namespace

std::span<const Check> observe_checks() { return kChecks; }

}  // namespace nearfar
