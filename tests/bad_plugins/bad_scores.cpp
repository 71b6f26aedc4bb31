// A postprocessor that is right, and with `bad` = the name of a check breaks what that check is about, and nothing
// else.
#include <nearfar/plugin.h>
#include <nearfar/to_host.h>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace {

using I = std::int64_t;

constexpr nearfar::Param kParams[] = {
    {"bad", "none", "", "the check to fail; none: it keeps everything"},
    {"k", 5, 1, 9, "a number with bounds"},
    {"mode", "plain", "plain|other", "a choice"},
    {"flag", false, "a switch"},
};

char* volatile leaked = nullptr;  // read by nobody, and yet not left out
void leak(std::size_t bytes) { leaked = new char[bytes]; }

std::atomic<double> shared_shift{0};

double largest(const at::Tensor& values) {
  return values.numel() == 0 ? 0 : nearfar::to_host(values.abs().max()).item<double>();
}

class Bad final : public nearfar::Postprocessor {
 public:
  explicit Bad(const nearfar::Params& params)
      : bad_(params.text("bad")), k_(params.integer("k")), mode_(params.text("mode")) {
    if (is("create")) throw std::runtime_error("it cannot be made");
    if (is("create-many")) leak(1024);
    if (is("params-bounds") && k_ == 9) throw std::runtime_error("nine is too many");
  }

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& train = context.train.features;
    if (is("fit")) throw std::runtime_error("these rows do not suit it");
    if (is("crash")) std::raise(SIGSEGV);
    if (train.size(0) == 0) {
      if (is("errors-have-words")) throw std::runtime_error("");
      throw nearfar::Error(nearfar::ErrorKind::data, "no train rows; expected one or more");
    }
    refuse_rows(context, train);
    leave_something();
    if (is("fit-again") && fitted_) shift_ += 1;
    fitted_ = true;
    train_ = train;
    own_shift_ = largest(train);
    if (is("objects-apart")) shared_shift = own_shift_;
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    at::Tensor scores = std::get<0>(batch.logits.max(1)).neg().add(shift_);
    if (is("hang")) {
      for (volatile unsigned round = 0;;) round = round + 1;
    }
    if (is("exits")) std::exit(0);
    if (is("scores")) return scores.unsqueeze(1);
    if (is("no-output")) std::puts("hello");
    if (is("no-memory-growth")) leak(16 << 10);
    if (is("exit")) std::atexit([] { std::abort(); });
    if (is("keeps-settings")) at::globalContext().setDeterministicAlgorithms(true, true);
    if (is("needs-only")) scores = scores.add(batch.normalized.sum().mul(0));
    if (is("params-choices") && mode_ == "other") throw std::runtime_error("it has no other mode");
    if (is("orientation")) scores = scores.neg();
    if (is("objects-apart")) scores = scores.add(shared_shift - own_shift_);
    if (is("device-scores")) return nearfar::to_host(scores);
    if (is("device-equal") && !scores.is_cpu()) scores = scores.add(1);
    scores = spoiled(batch, spoiled_rows(batch, scores));
    if (is("score-inputs") && scores.size(0) == 9 && scores.is_cpu())  // past LibTorch, which would notice
      const_cast<float*>(batch.logits.const_data_ptr<float>())[0] += 1;
    return scores;
  }

 private:
  bool is(std::string_view name) const { return bad_ == name; }

  void refuse_rows(const nearfar::FitContext& context, const at::Tensor& train) const {
    const bool equal = train.size(0) > 1 && train[0].equal(train[1]);
    const bool constant = train.select(1, 3).eq(train[0][3]).all().item<bool>();
    const double most = largest(train);
    if ((is("fit-one-class") && context.classes == 1) || (is("fit-equal-rows") && equal && context.classes > 1) ||
        (is("fit-constant-feature") && constant && !equal) || (is("fit-huge-values") && most > 1e16) ||
        (is("fit-tiny-values") && most > 0 && most < 1e-25))
      throw std::runtime_error("it has met rows that it cannot take");
  }

  void leave_something() const {
    if (is("no-threads-left")) {
      std::thread([] {
        for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
      }).detach();
    }
    if (is("no-files-left")) ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (is("no-processes-left") && ::fork() == 0) {
      for (;;) ::pause();
    }
    if (is("keeps-generator")) at::rand({1});
  }

  /// What depends on the number of rows, on threads, or on the call.
  at::Tensor spoiled(const nearfar::FeatureBatch& batch, const at::Tensor& scores) const {
    const I rows = scores.size(0);
    if (is("score-splits") && rows == 13) return scores.add(1);
    if (is("score-large-batch") && rows > 4096) scores.narrow(0, 4096, rows - 4096).add_(1);
    if (is("score-order") && rows == 33) return scores.add(at::arange(rows, scores.options()));
    if (is("score-empty-batch") && rows == 0) throw std::runtime_error("no rows");
    if (is("score-threads") && at::get_num_threads() == 2) return scores.add(1);
    if (is("score-non-contiguous") && !batch.logits.is_contiguous()) return scores.add(1);
    if (is("score-repeats")) return scores.add(calls_++ % 2 == 0 ? 0 : 1e-5);
    if (is("score-concurrent")) {
      scratch_ = rows;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return scores.add(scratch_ == rows ? 0 : 1);
    }
    if (is("score-own-memory") && rows == 9) {
      if (!buffer_.defined()) buffer_ = scores.clone();
      return buffer_.copy_(scores);
    }
    return scores;
  }

  /// What depends on the values.
  at::Tensor spoiled_rows(const nearfar::FeatureBatch& batch, const at::Tensor& scores) const {
    const at::Tensor& rows = batch.features;
    const I count = scores.size(0);
    const at::Tensor broken = scores.mul(std::numeric_limits<double>::quiet_NaN());
    if (is("score-huge-values") && count > 1 && largest(rows) > 1e16) return broken;
    if (is("score-tiny-values") && count > 1 && largest(rows) > 0 && largest(rows) < 1e-25) return broken;
    if (is("score-constant-rows") && count > 1 && largest(rows) == 0) return broken;
    if (is("score-duplicate-rows") && count > 1 && rows[0].equal(rows[1])) scores[1].add_(1);
    if (is("score-train-rows") && count == 1 && rows[0].equal(train_[7]) && !train_[0].equal(train_[7])) return broken;
    return scores;
  }

  std::string bad_;
  I k_;
  std::string mode_;
  at::Tensor train_;
  bool fitted_ = false;
  double shift_ = 0, own_shift_ = 0;
  mutable std::atomic<I> calls_{0}, scratch_{0};
  mutable at::Tensor buffer_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Bad, .name = "bad-scores", .version = "1.0.0", .summary = "breaks one promise",
                      .reference = "none", .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kTrain,
                      .params = kParams)
