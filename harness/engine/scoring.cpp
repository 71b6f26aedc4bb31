#include "engine/scoring.h"

#include "base/error.h"
#include "base/log.h"
#include "base/npy.h"
#include "base/stopwatch.h"
#include "device/device.h"
#include "device/transfer.h"
#include "engine/messages.h"
#include "features/accuracy.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {
// Large enough that GEMMs run at full speed, small enough that an N x block intermediate stays in cache-friendly
// memory. On a device, where even that does not fit, less is tried down to the smaller number.
constexpr std::int64_t kBlockRows = 4096, kSmallestBlock = 64;

/// The normalised rows are made where they are used: the folder would make them on the host.
Needs read_needs(Needs needs, at::Device device) {
  const bool here = !device.is_cpu() && (needs & kNormalizedFeatures) != 0;
  return here ? (needs & ~Needs{kNormalizedFeatures}) | kFeatures : needs;
}

/// Rows of a set on the device, with what the method needs and no more.
FeatureBatch rows_on(const FeatureBatch& whole, std::int64_t first, std::int64_t count, Needs needs,
                     at::Device device) {
  const auto part = [&](const at::Tensor& tensor) {
    return tensor.defined() ? upload(tensor.narrow(0, first, count), device) : tensor;
  };
  FeatureBatch batch{part(whole.features), part(whole.normalized), part(whole.logits), part(whole.labels),
                     part(whole.observed)};
  if ((needs & kNormalizedFeatures) != 0 && !batch.normalized.defined())
    batch.normalized = normalized_rows(batch.features);
  if ((needs & kFeatures) == 0) batch.features = at::Tensor();
  return batch;
}

FeatureBatch read(const FeatureFolder& folder, const std::string& set, Needs needs, at::Device device) {
  return folder.set(set, read_needs(needs, device));
}

class SetScorer {
 public:
  SetScorer(const PostprocessorHandle& postprocessor, FeatureBatch whole, at::Device device)
      : postprocessor_(postprocessor),
        whole_(std::move(whole)),
        device_(device),
        count_(rows(whole_)),
        arriving_(device) {
    whole_.labels = at::Tensor();  // a score knows no label
  }

  at::Tensor run() {
    std::int64_t block = kBlockRows;
    for (std::int64_t first = 0; first < count_;) {
      if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between blocks of scores");
      send_alive();
      const std::int64_t n = std::min(block, count_ - first);
      try {
        keep(postprocessor_.score(rows_on(whole_, first, n, postprocessor_.needs(), device_)), first);
        first += n;
      } catch (const std::exception& error) {
        if (!is_out_of_memory(error) || block <= kSmallestBlock) throw;
        block /= 2;
      }
    }
    arriving_.finish();
    if (!scores_.defined()) return at::empty({0}, at::TensorOptions().dtype(at::kFloat));
    if (!device_.is_cpu()) postprocessor_.require_finite(scores_);
    return scores_;
  }

 private:
  void keep(const at::Tensor& part, std::int64_t first) {
    if (!scores_.defined()) scores_ = at::empty({count_}, at::TensorOptions().dtype(part.scalar_type()));
    arriving_.fetch({part}, [this, first](const std::vector<at::Tensor>& host) {
      scores_.narrow(0, first, host[0].size(0)).copy_(host[0]);
    });
  }

  const PostprocessorHandle& postprocessor_;
  FeatureBatch whole_;
  at::Device device_;
  std::int64_t count_;
  Downloader arriving_;
  at::Tensor scores_;
};

}  // namespace

double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder, at::Device device, const Columns& columns) {
  const Stopwatch watch;
  const Needs needs = postprocessor.needs();
  const auto set = [&](const std::string& name) {
    FeatureBatch batch = read(folder, name, needs, device);
    if (observes(needs) && columns) batch.observed = columns(name, false);
    return device.is_cpu() ? batch : rows_on(batch, 0, rows(batch), needs, device);
  };
  FitContext context;
  if ((needs & kTrain) != 0) context.train = set("train");
  if ((needs & kValidation) != 0) context.val = set("val");
  if ((needs & kHeadWeights) != 0) {
    const HeadWeights head = folder.head();
    context.head = {upload(head.weight, device), upload(head.bias, device)};
  }
  context.classes = folder.classes();
  postprocessor.fit(context);
  return watch.seconds();
}

at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set,
                     at::Device device, const Columns& columns) {
  const Needs needs = postprocessor.needs();
  FeatureBatch whole = read(folder, set, needs, device);
  if (observes(needs) && columns) whole.observed = columns(set, postprocessor.observes_fitted());
  return SetScorer(postprocessor, std::move(whole), device).run();
}

void save_scores(const std::filesystem::path& file, const at::Tensor& scores) {
  const std::array<std::int64_t, 1> shape{scores.size(0)};
  const auto write = [&]<class T>(const T* data) {
    write_npy<T>(file, shape, std::span<const T>(data, static_cast<std::size_t>(scores.numel())));
  };
  scores.scalar_type() == at::kDouble ? write(scores.const_data_ptr<double>()) : write(scores.const_data_ptr<float>());
}

}  // namespace nearfar
