// A postprocessor that looks inside the network and is right, and with `bad` = the name of a check breaks that.
#include <nearfar/plugin.h>

#include <atomic>
#include <string_view>

namespace {

constexpr nearfar::Param kParams[] = {{"bad", "none", "", "the check to fail; none: it keeps everything"}};

class Bad final : public nearfar::Postprocessor {
 public:
  explicit Bad(const nearfar::Params& params) : bad_(params.text("bad")) {}

  at::Tensor observe(nearfar::NetworkBatch& batch) const override {
    const at::Tensor columns = batch.map(batch.stages() - 1).flatten(1).mean({1}).unsqueeze(1);
    const std::int64_t images = columns.size(0);
    if (is("observe")) return columns.squeeze(1);
    if (is("observe-splits") && images == 11) return columns.add(1);
    if (is("observe-repeats")) return columns.add(calls_++ % 2 == 0 ? 0 : 1e-6);
    if (is("observe-inputs")) batch.logits().mul_(2);
    return columns;
  }
  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.observed.select(1, 0).neg(); }

 private:
  bool is(std::string_view name) const { return bad_ == name; }

  std::string bad_;
  mutable std::atomic<int> calls_{0};
};

}  // namespace

NEARFAR_POSTPROCESSOR(Bad, .name = "bad-observe", .version = "1.0.0", .summary = "breaks one promise",
                      .reference = "none", .needs = nearfar::kLogits | nearfar::kMapStatistics, .params = kParams,
                      .observed_params = "bad")
