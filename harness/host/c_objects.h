#pragma once
/// Private to host/stable_plugin.cpp: objects of a C plugin as nearfar's classes.
#include "host/c_tensors.h"

#include <nearfar/c.h>
#include <nearfar/loss.h>
#include <nearfar/postprocessor.h>

#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// Parameters in the order of the plugin's table. The texts are borrowed from `params`.
class CValues {
 public:
  CValues(const nearfar_plugin& plugin, const Params& params);
  const nearfar_value* data() const { return values_.data(); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(values_.size()); }

 private:
  std::vector<nearfar_value> values_;
};

/// The plugin's object, destroyed by the plugin.
class CObject {
 public:
  CObject(const nearfar_plugin& plugin, const Params& params);
  CObject(const CObject&) = delete;
  CObject& operator=(const CObject&) = delete;
  ~CObject() { plugin_.destroy(self_); }
  const nearfar_plugin& plugin() const { return plugin_; }
  void* self() const { return self_; }
  bool takes_handles() const { return (plugin_.flags & NEARFAR_TORCH) != 0; }

 private:
  const nearfar_plugin& plugin_;
  void* self_ = nullptr;
};

class CPostprocessor final : public Postprocessor {
 public:
  CPostprocessor(const nearfar_plugin& plugin, const Params& params) : object_(plugin, params) {}
  void fit(const FitContext& context) override;
  at::Tensor score(const FeatureBatch& batch) const override;
  at::Tensor observe(NetworkBatch& batch) const override { return observe(batch, false); }
  at::Tensor observe_fitted(NetworkBatch& batch) const override { return observe(batch, true); }

 private:
  at::Tensor observe(NetworkBatch& batch, bool fitted) const;
  std::unique_ptr<CTensors> fitted_;  // which the plugin may keep; so before object_ in destruction's reverse order
  CObject object_;
};

class CLoss final : public Loss {
 public:
  CLoss(const nearfar_plugin& plugin, const Params& params) : object_(plugin, params) {}
  void prepare(const LossSetup& setup) override;
  void start(const at::Tensor& class_means) override;
  at::Tensor forward(const LossInput& input) override;
  std::vector<LossTensor> state() override;

 private:
  at::Tensor forward_with_gradients(const LossInput& input);
  std::vector<LossTensor> read_state();
  std::vector<LossTensor> state_;  // of a plugin without handles: views of its memory
  bool has_state_ = false;
  CObject object_;
};

}  // namespace nearfar
