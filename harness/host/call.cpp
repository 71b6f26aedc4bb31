#include "host/call.h"

#include "base/error.h"
#include "host/stable_plugin.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <exception>
#include <new>

namespace nearfar {
namespace {

/// One tensor of a batch that must be there.
struct Part {
  Need need;
  const char* name;
  const at::Tensor FeatureBatch::*tensor;
};
constexpr Part kParts[] = {{kLogits, "logits", &FeatureBatch::logits},
                           {kFeatures, "features", &FeatureBatch::features},
                           {kNormalizedFeatures, "normalized features", &FeatureBatch::normalized}};

void require_parts(const std::string& label, Needs needs, const FeatureBatch& batch, std::string_view set) {
  for (const Part& part : kParts) {
    if ((needs & part.need) != 0 && !(batch.*part.tensor).defined()) {
      throw Error(ErrorKind::data,
                  fmt::format("{} needs {} of the {} images, which this model's features lack", label, part.name, set));
    }
  }
  if (observes(needs) && !batch.observed.defined()) {
    throw Error(
        ErrorKind::data,
        fmt::format("{} looks inside the network while images pass; features alone do not tell what it needs of "
                    "the {} images. Evaluate the checkpoint: nearfar run with model.checkpoint",
                    label, set));
  }
  rows(batch);
}

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}] {}", fmt::join(tensor.sizes().vec(), ","), c10::toString(tensor.scalar_type()));
}

[[noreturn]] void refuse(const std::string& label, std::string_view call, const std::string& what) {
  throw Error(ErrorKind::plugin, fmt::format("{}, {}: {}", label, call, what));
}

void require_kind(const LoadedPlugin& plugin, PluginKind kind) {
  if (plugin.kind() == kind) return;
  throw Error(ErrorKind::plugin, fmt::format("{} is asked for as a {}", plugin.label(), plugin_kind_name(kind)));
}

/// What a plugin is given is others' too: a tensor that it has changed in place has another version. What lies in
/// mapped files cannot be written at all, and what is written past LibTorch is not seen.
class Unchanged {
 public:
  explicit Unchanged(const FeatureBatch& batch)
      : tensors_{&batch.features, &batch.normalized, &batch.logits, &batch.labels, &batch.observed} {
    for (std::size_t i = 0; i < tensors_.size(); ++i) versions_[i] = version(*tensors_[i]);
  }
  void check(const std::string& label, std::string_view call) const {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (version(*tensors_[i]) != versions_[i])
        refuse(label, call, "changed what it was given; expected that a plugin leaves its inputs as they are");
    }
  }

 private:
  static std::uint32_t version(const at::Tensor& tensor) {
    return tensor.defined() && !tensor.is_inference() ? static_cast<std::uint32_t>(tensor._version()) : 0;
  }
  std::array<const at::Tensor*, 5> tensors_;
  std::array<std::uint32_t, 5> versions_{};
};

/// The handle's owner, made by the plugin's own functions.
template <class T, class Create>
std::unique_ptr<T, void (*)(T*) noexcept> make(const LoadedPlugin& plugin, Create&& create,
                                               void (*destroy)(T*) noexcept) {
  T* made = guard(plugin.label(), "create", create);
  if (made == nullptr) refuse(plugin.label(), "create", "returned nothing; expected an object");
  return {made, destroy};
}
template <class T>
void destroy_adapter(T* made) noexcept {
  delete made;
}

std::unique_ptr<Postprocessor, void (*)(Postprocessor*) noexcept> make_postprocessor(const LoadedPlugin& plugin,
                                                                                     const Params& params) {
  require_kind(plugin, PluginKind::postprocessor);
  if (const nearfar_plugin* c_plugin = plugin.c_plugin()) {
    return make<Postprocessor>(
        plugin, [&] { return make_c_postprocessor(*c_plugin, params); }, destroy_adapter<Postprocessor>);
  }
  return make<Postprocessor>(
      plugin, [&] { return plugin.info()->create_postprocessor(params); }, plugin.info()->destroy_postprocessor);
}

std::unique_ptr<Loss, void (*)(Loss*) noexcept> make_loss(const LoadedPlugin& plugin, const Params& params) {
  require_kind(plugin, PluginKind::loss);
  if (const nearfar_plugin* c_plugin = plugin.c_plugin())
    return make<Loss>(
        plugin, [&] { return make_c_loss(*c_plugin, params); }, destroy_adapter<Loss>);
  return make<Loss>(
      plugin, [&] { return plugin.info()->create_loss(params); }, plugin.info()->destroy_loss);
}

}  // namespace

void rethrow_plugin_error(std::string_view plugin, std::string_view call) {
  const auto message = [&](std::string_view what) { return fmt::format("{}, {}: {}", plugin, call, what); };
  try {
    throw;
  } catch (const DeviceOutOfMemory& error) {
    throw DeviceOutOfMemory(message(error.what()));
  } catch (const HostOutOfMemory& error) {
    throw HostOutOfMemory(message(error.what()));
  } catch (const Error& error) {
    throw Error(error.kind() == ErrorKind::internal ? ErrorKind::plugin : error.kind(), message(error.what()));
  } catch (const c10::OutOfMemoryError& error) {
    throw DeviceOutOfMemory(message(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    if (is_host_out_of_memory(error)) throw HostOutOfMemory(message(error.what_without_backtrace()));
    throw Error(ErrorKind::plugin, message(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    throw HostOutOfMemory(message("out of memory"));
  } catch (const std::exception& error) {
    throw Error(ErrorKind::plugin, message(error.what()));
  } catch (...) {
    throw Error(ErrorKind::plugin, message("an exception that is not a std::exception"));
  }
}

std::int64_t rows(const FeatureBatch& batch) {
  std::int64_t count = -1;
  for (const at::Tensor* tensor : {&batch.features, &batch.normalized, &batch.logits, &batch.observed}) {
    if (!tensor->defined()) continue;
    if (tensor->dim() != 2 || (count >= 0 && tensor->size(0) != count)) {
      throw Error(ErrorKind::data,
                  fmt::format("a feature batch with a tensor {}; expected {}", shape_text(*tensor),
                              count < 0 ? "two dimensions" : fmt::format("two dimensions and {} rows", count)));
    }
    count = tensor->size(0);
  }
  if (count < 0) throw Error(ErrorKind::data, "a feature batch without features and logits");
  if (batch.labels.defined() && (batch.labels.dim() != 1 || batch.labels.size(0) != count)) {
    throw Error(ErrorKind::data, fmt::format("a feature batch of {} rows with labels {}; expected one label a row",
                                             count, shape_text(batch.labels)));
  }
  return count;
}

PostprocessorHandle::PostprocessorHandle(const LoadedPlugin& plugin, const ParamMap& params, std::string_view where)
    : label_(plugin.label()),
      needs_(plugin.needs()),
      observes_fitted_(plugin.description().observes_fitted),
      params_(validate(plugin.params(), params, where)),
      made_(make_postprocessor(plugin, params_)) {}

void PostprocessorHandle::fit(const FitContext& context) {
  if ((needs_ & kTrain) != 0) require_parts(label_, needs_, context.train, "train");
  if ((needs_ & kValidation) != 0) require_parts(label_, needs_, context.val, "validation");
  if ((needs_ & kHeadWeights) != 0 && !(context.head.weight.defined() && context.head.bias.defined())) {
    throw Error(ErrorKind::data, fmt::format("{} needs the weights of a linear head, which this model lacks", label_));
  }
  const NoGradScope scope;
  const Unchanged train(context.train), val(context.val);
  guard(label_, "fit", [&] { made_->fit(context); });
  train.check(label_, "fit");
  val.check(label_, "fit");
}

at::Tensor PostprocessorHandle::score(const FeatureBatch& batch) const {
  require_parts(label_, needs_, batch, "scored");
  const std::int64_t count = rows(batch);
  const NoGradScope scope;
  const Unchanged given(batch);
  const at::Tensor scores = guard(label_, "score", [&] { return std::as_const(*made_).score(batch); });
  given.check(label_, "score");
  if (!scores.defined()) refuse(label_, "score", fmt::format("returned no tensor; expected [{}] Float", count));
  if (scores.dim() != 1 || scores.size(0) != count ||
      (scores.scalar_type() != at::kFloat && scores.scalar_type() != at::kDouble)) {
    refuse(label_, "score", fmt::format("returned {}; expected [{}] Float", shape_text(scores), count));
  }
  if (scores.is_cpu()) require_finite(scores);
  return scores.detach().contiguous();
}

void PostprocessorHandle::require_finite(const at::Tensor& scores) const {
  const at::Tensor finite = scores.isfinite();
  if (finite.all().item<bool>()) return;
  const auto row = finite.logical_not().nonzero()[0].item<std::int64_t>();
  refuse(label_, "score",
         fmt::format("row {} of {} is {}; expected finite scores", row, scores.size(0), scores[row].item<double>()));
}

at::Tensor PostprocessorHandle::observe(NetworkBatch& batch, bool fitted) const {
  const char* call = fitted ? "observe_fitted" : "observe";
  const std::int64_t count = batch.images().size(0);
  const NoGradScope scope;
  const at::Tensor columns = guard(label_, call, [&] {
    const Postprocessor& made = *made_;
    return fitted ? made.observe_fitted(batch) : made.observe(batch);
  });
  if (!columns.defined()) refuse(label_, call, fmt::format("returned no tensor; expected [{},K] Float", count));
  if (columns.dim() != 2 || columns.size(0) != count || columns.size(1) < 1 || columns.scalar_type() != at::kFloat) {
    refuse(label_, call, fmt::format("returned {}; expected [{},K] Float", shape_text(columns), count));
  }
  return columns.detach().contiguous();
}

LossTraits loss_traits(const LoadedPlugin& plugin, const Params& params) {
  require_kind(plugin, PluginKind::loss);
  const std::string label = plugin.label();
  const LossTraits traits = guard(label, "traits", [&] {
    return plugin.c_plugin() != nullptr ? c_loss_traits(*plugin.c_plugin(), params)
                                        : plugin.info()->loss_traits(params);
  });
  if (traits.views != 1 && traits.views != 2)
    refuse(label, "traits", fmt::format("views is {}; expected 1 or 2", traits.views));
  if (traits.head != HeadKind::linear && traits.head != HeadKind::embedding)
    refuse(label, "traits", "unknown head kind");
  if (traits.normalized_embedding && traits.head != HeadKind::embedding)
    refuse(label, "traits", "normalized_embedding with a linear head; expected head = embedding");
  const double trained = traits.feature_temperature, evaluated = traits.evaluated_temperature;
  if (!(trained >= 0 && std::isfinite(trained) && evaluated > 0 && std::isfinite(evaluated))) {
    refuse(label, "traits",
           fmt::format("feature_temperature is {} and evaluated_temperature {}; expected at least 0, and above 0",
                       trained, evaluated));
  }
  if (trained > 0 && traits.head != HeadKind::linear)
    refuse(label, "traits", "feature_temperature with an embedding; expected head = linear");
  return traits;
}

LossHandle::LossHandle(const LoadedPlugin& plugin, const ParamMap& params, std::string_view where)
    : label_(plugin.label()),
      params_(validate(plugin.params(), params, where)),
      traits_(loss_traits(plugin, params_)),
      made_(make_loss(plugin, params_)) {}

void LossHandle::prepare(const LossSetup& setup) {
  guard(label_, "prepare", [&] { made_->prepare(setup); });
}

void LossHandle::start(const at::Tensor& class_means) {
  guard(label_, "start", [&] { made_->start(class_means); });
}

at::Tensor LossHandle::forward(const LossInput& input) {
  at::Tensor loss = guard(label_, "forward", [&] { return made_->forward(input); });
  if (!loss.defined()) refuse(label_, "forward", "returned no tensor; expected a scalar");
  if (loss.dim() != 0 || !loss.is_floating_point()) {
    refuse(label_, "forward", fmt::format("returned {}; expected a scalar: [] Float", shape_text(loss)));
  }
  if (at::GradMode::is_enabled() && input.output.requires_grad() && !loss.requires_grad()) {
    refuse(label_, "forward", "the loss does not depend on its input by autograd; expected a differentiable scalar");
  }
  return loss;
}

std::vector<LossTensor> LossHandle::state() {
  return guard(label_, "state", [&] { return made_->state(); });
}

}  // namespace nearfar
