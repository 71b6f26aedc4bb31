#pragma once
/// Columns: what a method that looks inside the network keeps of every image, [N,K] float32 beside the features of the
/// set. The engine brings observers; the pass over the set (features/set_pass.h) shows them every batch. One thread.
#include "base/npy.h"

#include <nearfar/features.h>
#include <nearfar/network_batch.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace nearfar {

/// A method that looks at every image inside the network, and where it is told of a failure: it is asked no more, the
/// others go on.
struct Observer {
  std::string key;                                   ///< everything that decides the columns besides FeatureKey
  Needs needs = 0;                                   ///< kMapStatistics, kInputGradients
  std::function<at::Tensor(NetworkBatch&)> observe;  ///< [B,K] float32, K the same for every batch
  std::function<void(const std::exception_ptr& why)> failed;  ///< may throw to end the pass
};

/// [N,K] of a cached set, mapped. Error(data) if they are not there.
at::Tensor map_columns(const std::filesystem::path& folder, const std::string& columns);

/// The columns of one observer while they grow; K is known with the first batch. `observer` must outlive it.
class ColumnWriter {
 public:
  /// Into columns_file() of `folder`, whose subfolder must be there.
  ColumnWriter(const Observer& observer, const std::filesystem::path& folder);

  /// What the observer makes of a batch; undefined once it has failed. `may_be_less`: DeviceOutOfMemory is thrown and
  /// no failure yet, for fewer images may fit.
  at::Tensor look(NetworkBatch& batch, bool may_be_less = false);
  /// The observer is told why, and not asked any more.
  void fail(const std::exception_ptr& why);
  /// Some rows of that, in order.
  void append(const at::Tensor& rows);
  /// False, and no file, if the observer failed.
  bool finish();
  const Observer& observer() const { return observer_; }

 private:
  const Observer& observer_;
  std::filesystem::path file_;
  std::int64_t width_ = 0;
  std::optional<NpyWriter> writer_;
  bool failed_ = false;
};

/// Appends rows of a tensor on the host to a float32 array.
void append_rows(NpyWriter& writer, const at::Tensor& rows);

}  // namespace nearfar
