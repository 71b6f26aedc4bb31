#include "base/error.h"
#include "base/npy.h"
#include "cli/verbs.h"
#include "metrics/ranking.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nearfar {
namespace {
template <class T>
OodMetrics compute(const NpyArray& id, const NpyArray& ood) {
  return ood_metrics(id.values<T>(1), ood.values<T>(1));
}

OodMetrics metrics_of(const NpyArray& id, const NpyArray& ood) {
  for (const NpyArray* array : {&id, &ood}) {
    if (!array->is_column()) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: has the shape ({}), expected one score an image: (N,) or (N, 1); save one with "
                              "np.save(file, scores.reshape(-1)) if it holds nothing else",
                              array->file().string(), fmt::join(array->shape(), ", ")));
    }
  }
  if (id.type() == NpyType::float32 && ood.type() == NpyType::float32) return compute<float>(id, ood);
  if (id.type() == NpyType::float64 && ood.type() == NpyType::float64) return compute<double>(id, ood);
  return ood_metrics(converted<double>(id), converted<double>(ood));  // widened, never the other way
}
}  // namespace

int metrics_verb(const std::filesystem::path& id, const std::filesystem::path& ood, bool json) {
  const OodMetrics m = metrics_of(NpyArray(id), NpyArray(ood));
  if (json) {
    fmt::print(
        "{{\"n_id\":{},\"n_ood\":{},\"auroc\":{:.17g},\"fpr95\":{:.17g},\"aupr_in\":{:.17g},\"aupr_out\":{:.17g}}}\n",
        m.n_id, m.n_ood, m.auroc, m.fpr95, m.aupr_in, m.aupr_out);
  } else {
    fmt::print(
        "{} ID and {} OOD scores\nAUROC     {:8.4f} %\nFPR@95    {:8.4f} %\nAUPR-in   {:8.4f} %\nAUPR-out  {:8.4f} %\n",
        m.n_id, m.n_ood, 100 * m.auroc, 100 * m.fpr95, 100 * m.aupr_in, 100 * m.aupr_out);
  }
  return 0;
}

}  // namespace nearfar
