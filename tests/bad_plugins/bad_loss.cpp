// A loss that is right, cross entropy of two views, and with `bad` = the name of a check breaks what that check is
// about, and nothing else.
#include <nearfar/plugin.h>
#include <nearfar/to_host.h>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <atomic>
#include <limits>
#include <string_view>

namespace {

using I = std::int64_t;

constexpr nearfar::Param kParams[] = {{"bad", "none", "", "the check to fail; none: it keeps everything"}};

std::atomic<int> objects{0}, steps_of_all{0};

double on_host(const at::Tensor& value) { return nearfar::to_host(value.detach().toType(at::kDouble)).item<double>(); }

class Bad final : public nearfar::Loss {
 public:
  explicit Bad(const nearfar::Params& params) : bad_(params.text("bad")) {}

  static nearfar::LossTraits traits(const nearfar::Params& params) {
    const bool wrong = params.text("bad") == "loss-traits";
    return {.views = 2,
            .head = wrong ? nearfar::HeadKind::embedding : nearfar::HeadKind::linear,
            .takes_soft_targets = true,
            .capturable = true};
  }

  void prepare(const nearfar::LossSetup& setup) override {
    const double start = is("loss-seed") ? objects++ : 0;
    if (is("loss-seed") || is("loss-state")) buffer_ = at::full({1}, start, at::TensorOptions(setup.device));
  }

  std::vector<nearfar::LossTensor> state() override {
    if (!buffer_.defined()) return {};
    return {{is("loss-state") ? "" : "buffer", buffer_, false}};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {
    const at::Tensor& output = input.output;
    const at::Tensor log = output.log_softmax(1);
    at::Tensor rows =
        log.gather(1, input.labels.clamp(0, is("loss-labels") ? log.size(1) - 1 : I{1} << 41).unsqueeze(1))
            .squeeze(1)
            .neg();
    if (input.soft_targets.defined()) rows = log.mul(input.soft_targets).sum(1).neg();
    if (is("loss-soft-targets") && input.soft_targets.defined()) rows = rows.add(1);
    const at::Tensor value = changed(input, weighted(rows).mean());
    if (is("loss-inputs") && !output.requires_grad() && output.is_cpu())  // past LibTorch, which would notice
      const_cast<float*>(output.const_data_ptr<float>())[0] += 1;
    return broken(input) ? value.mul(std::numeric_limits<double>::quiet_NaN()) : value;
  }

 private:
  bool is(std::string_view name) const { return bad_ == name; }

  at::Tensor weighted(const at::Tensor& rows) const {
    const at::Tensor number = at::arange(rows.size(0), at::TensorOptions(rows.device()));
    const I half = rows.size(0) / 2;
    if (is("loss-batch-order")) return rows.mul(number.remainder(half).eq(0).toType(at::kFloat).add(1));
    if (is("loss-view-order")) return rows.mul(number.lt(half).toType(at::kFloat).add(0.5));
    return rows;
  }

  /// Is this the batch that the fault is about?
  bool broken(const nearfar::LossInput& input) const {
    const at::Tensor& output = input.output;
    const I rows = output.size(0);
    if (is("loss")) return true;
    if (is("loss-one-class")) return nearfar::to_host(input.labels.eq(3).all()).item<bool>();
    if (is("loss-single-images")) return rows == 8 && output.size(1) == 4;
    if (is("loss-single-row")) return rows == 2;
    if (is("loss-equal-rows")) return rows == 14;
    if (is("loss-scales")) return on_host(output.abs().max()) > 1e3;
    if (is("loss-bfloat16")) {
      const at::Tensor values = output.detach();
      return rows == 24 && values.toType(at::kBFloat16).toType(at::kFloat).equal(values) &&
             on_host(values.abs().max()) > 0;
    }
    if (is("loss-labels")) return on_host(input.labels.max()) > 3;
    return false;
  }

  at::Tensor changed(const nearfar::LossInput& input, const at::Tensor& value) {
    const at::Tensor& output = input.output;
    const I rows = output.size(0);
    // The batches of 24 rows with which a check moves a loss on begin with a large number, the usual one does not.
    const auto moves_on = [&] { return rows == 24 && on_host(output[0][0]) > 1 && on_host(input.labels[0]) == 0; };
    if (is("loss-gradient") && output.scalar_type() == at::kDouble) return value.detach().mul(2).sub(value);
    if (is("loss-repeats") && rows == 32) return value.add(calls_++ % 2 == 0 ? 0 : 1e-5);
    if (is("loss-threads") && at::get_num_threads() == 2) return value.mul(1.1);
    if (is("loss-without-gradients") && !at::GradMode::is_enabled()) return value.add(1);
    if (is("loss-decreases")) return output.sum().mul(0).add(1);
    if (is("loss-device-equal") && !output.is_cpu()) return value.mul(1.1);
    if (is("loss-capturable")) on_host(value);
    if (is("loss-most-of-a-label") && input.most_of_a_label > 0) return value.add(0.1);
    if (is("loss-state-round-trip")) return value.add(0.01 * (moves_on() ? ++steps_ : steps_));
    if (is("loss-objects-apart")) return value.add(0.01 * (moves_on() ? ++steps_of_all : steps_of_all.load()));
    return value;
  }

  std::string bad_;
  at::Tensor buffer_;
  int calls_ = 0, steps_ = 0;
};

}  // namespace

NEARFAR_LOSS(Bad, .name = "bad-loss", .version = "1.0.0", .summary = "breaks one promise", .reference = "none",
             .params = kParams)
