#pragma once
/// Private to `plugin bench`: one postprocessor that is fitted again and again, and scores.
#include "engine/bench_runs.h"
#include "host/call.h"

#include <memory>

namespace nearfar {

class BenchFitted {
 public:
  explicit BenchFitted(const BenchSide& side) : side_(side) { renew(); }

  const PostprocessorHandle& handle() const { return *handle_; }
  PostprocessorHandle& handle_to_fit() { return *handle_; }
  Needs needs() const { return handle_->needs(); }
  bool has_fit() const { return (needs() & (kTrain | kValidation | kHeadWeights)) != 0; }

  /// A new one for every call, made before the clock runs. `context` outlives the work.
  BenchWork fit(const FitContext& context) {
    return {.prepare = [this] { renew(); }, .run = [this, &context] { handle_->fit(context); }};
  }
  /// In blocks, as the runner has them. Likewise.
  BenchWork score(const FeatureBatch& batch) const;

 private:
  void renew() {
    handle_.reset();  // first: two of them would be twice the memory
    handle_ = std::make_unique<PostprocessorHandle>(side_.plugin, side_.params, side_.plugin.label());
  }

  const BenchSide& side_;
  std::unique_ptr<PostprocessorHandle> handle_;
};

}  // namespace nearfar
