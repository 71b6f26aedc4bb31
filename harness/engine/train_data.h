#pragma once
/// The images of a training: in memory, or streamed from their files while it trains.
#include "engine/job.h"
#include "engine/streamed_batches.h"
#include "features/set_pass.h"
#include "train/trainer.h"
#include "wire/jobs.h"

#include <functional>
#include <memory>
#include <vector>

namespace nearfar {

/// A set of image files is streamed where the recipe says so (`images`, `stream`), and where it would fill more than an
/// eighth of the memory, or half a core's share of it; the same bytes come of it, but for images that cannot be read
/// (data.on_unreadable="skip"): from memory they are missing, and in a stream others stand in for them. One thread.
class TrainData {
 public:
  /// `job` and `images` outlive it. Errors as load_sets() and TrainStream.
  TrainData(const wire::TrainJob& job, const JobImages& images, at::Device device);
  TrainData(const TrainData&) = delete;
  TrainData& operator=(const TrainData&) = delete;

  /// Views and sources of train and validation images, which live as long as this; and, where the job has the set
  /// `ood_val`, the callback that measures against it.
  void give(TrainingTask& task);
  bool is_streamed() const { return train_.streamed; }
  /// Of train and validation images, as far as they have been looked at.
  ImageFaults faults() const;

 private:
  struct Set {
    const wire::SetRef* planned = nullptr;
    bool streamed = false;
    ImageView view = {};
    ImageSet whole = {};      ///< in memory
    SetInfo info = {};        ///< of a streamed one
    ImageFaults passed = {};  ///< of the last pass for features
    FaultyImages seen = {};   ///< by steps
  };
  bool is_streamed(const wire::SetRef& set, const SetInfo& info, bool for_steps) const;
  void describe(Set& set, bool for_steps);
  std::function<FeatureBatch(Network&)> features_of(Set& set, const char* what, bool may_stop) const;
  std::unique_ptr<Batches> batches(const AugmentRecipe& recipe, std::uint64_t seed, std::int64_t batch);

  const wire::TrainJob& job_;
  const JobImages& images_;
  at::Device device_;
  Set train_, val_, ood_val_;
};

}  // namespace nearfar
