#pragma once
/// From a plugin's classes to the C descriptor of <nearfar/c.h>: what NEARFAR_POSTPROCESSOR and NEARFAR_LOSS are made
/// of in the stable tier. Exceptions stop here and become a status with a text.
#include <nearfar/c.h>
#include <nearfar/loss.h>
#include <nearfar/plugin_text.h>
#include <nearfar/postprocessor.h>
#include <nearfar/stable/tensor.h>

#include <cstring>
#include <new>
#include <vector>

namespace nearfar::stable {

inline std::int32_t fail(nearfar_error* error, std::int32_t status, const char* text) noexcept {
  if (error != nullptr && error->text != nullptr && error->capacity > 0) {
    const std::size_t whole = std::strlen(text), room = error->capacity - 1;
    const std::size_t length = whole < room ? whole : room;
    std::memcpy(error->text, text, length);
    error->text[length] = '\0';
  }
  return status;
}

/// Inside a catch block: what the exception in flight means.
[[gnu::noinline]] inline std::int32_t fail_by_exception(nearfar_error* error) noexcept {
  try {
    throw;
  } catch (const Error& thrown) {
    const ErrorKind kind = thrown.kind();
    return fail(error,
                kind == ErrorKind::config ? NEARFAR_ERROR_CONFIG
                : kind == ErrorKind::data ? NEARFAR_ERROR_DATA
                                          : NEARFAR_ERROR_PLUGIN,
                thrown.what());
  } catch (const std::bad_alloc&) {
    return fail(error, NEARFAR_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& thrown) {
    return fail(error, NEARFAR_ERROR_PLUGIN, thrown.what());
  } catch (...) {
    return fail(error, NEARFAR_ERROR_PLUGIN, "an exception that is not a std::exception");
  }
}

/// Runs `body`; NEARFAR_OK, or what its exception means.
template <class Body>
std::int32_t guarded(nearfar_error* error, Body&& body) noexcept {
  try {
    body();
    return NEARFAR_OK;
  } catch (...) {
    return fail_by_exception(error);
  }
}

/// What the host's function said, as an exception.
class HostCall {
 public:
  HostCall() : error_{sizeof(nearfar_error), sizeof text_, text_} {}
  nearfar_error* error() { return &error_; }
  void check(std::int32_t status) const {
    if (status != NEARFAR_OK) throw Error(status == NEARFAR_ERROR_DATA ? ErrorKind::data : ErrorKind::plugin, text_);
  }

 private:
  char text_[2048] = "";
  nearfar_error error_;
};

inline at::Tensor borrow(const nearfar_tensor& tensor) {
  return tensor.handle == nullptr ? at::Tensor() : own(share(static_cast<Handle>(tensor.handle)));
}
inline void* give(const at::Tensor& tensor) { return tensor.defined() ? share(tensor.get()) : nullptr; }

/// Rows of the two tables are the same bytes, so that a table needs no copy.
static_assert(sizeof(Param) == sizeof(nearfar_param) && offsetof(Param, type) == offsetof(nearfar_param, type) &&
              offsetof(Param, default_number) == offsetof(nearfar_param, default_number) &&
              offsetof(Param, help) == offsetof(nearfar_param, help));

inline FeatureBatch batch_of(const nearfar_batch& batch) {
  return {borrow(batch.features), borrow(batch.normalized), borrow(batch.logits), borrow(batch.labels),
          borrow(batch.observed)};
}

/// nearfar::NetworkBatch over the host's functions. Tensors are asked for when first wanted.
class HostNetwork final : public NetworkBatch {
 public:
  explicit HostNetwork(const nearfar_network& host)
      : host_(&host), pixel_std_(host.pixel_std, host.pixel_std + host.channels) {}
  ~HostNetwork() override { delete exact_; }

  const at::Tensor& images() const override { return get(images_, NEARFAR_GET_IMAGES); }
  const std::vector<double>& pixel_std() const override { return pixel_std_; }
  const at::Tensor& features() const override { return get(features_, NEARFAR_GET_FEATURES); }
  const at::Tensor& logits() const override { return get(logits_, NEARFAR_GET_LOGITS); }
  std::int64_t stages() const override { return host_->stages; }
  const at::Tensor& map(std::int64_t stage) const override {
    if (stage < 0 || stage >= stages()) throw Error(ErrorKind::plugin, "map: there is no such stage");
    maps_.resize(static_cast<std::size_t>(stages()));
    return get(maps_[static_cast<std::size_t>(stage)], NEARFAR_GET_MAP, stage);
  }
  const std::vector<at::Tensor>& layers() const override {
    layers_.resize(host_->layer_count);
    for (std::size_t i = 0; i < layers_.size(); ++i) get(layers_[i], NEARFAR_GET_LAYER, static_cast<std::int64_t>(i));
    return layers_;
  }
  Outputs forward(const at::Tensor& images) override {
    return two([&](void** features, void** logits, nearfar_error* error) {
      return host_->forward(host_->context, handle_of(images), features, logits, error);
    });
  }
  at::Tensor forward_to(std::int64_t stage, const at::Tensor& images) override {
    return one([&](void** made, nearfar_error* error) {
      return host_->forward_to(host_->context, stage, handle_of(images), made, error);
    });
  }
  Outputs forward_from(std::int64_t stage, const at::Tensor& map) override {
    return two([&](void** features, void** logits, nearfar_error* error) {
      return host_->forward_from(host_->context, stage, handle_of(map), features, logits, error);
    });
  }
  at::Tensor logit_gradient(const at::Tensor& direction) override {
    return one([&](void** made, nearfar_error* error) {
      return host_->logit_gradient(host_->context, handle_of(direction), made, error);
    });
  }
  at::Tensor map_gradient(std::int64_t stage, const at::Tensor& direction) override {
    return one([&](void** made, nearfar_error* error) {
      return host_->map_gradient(host_->context, stage, handle_of(direction), made, error);
    });
  }
  NetworkBatch& in_float64() override {
    if (exact_ == nullptr) {
      HostCall call;
      const nearfar_network* made = nullptr;
      call.check(host_->in_float64(host_->context, &made, call.error()));
      exact_ = new HostNetwork(*made);
    }
    return *exact_;
  }

 private:
  template <class Ask>
  static at::Tensor one(Ask&& ask) {
    HostCall call;
    void* made = nullptr;
    call.check(ask(&made, call.error()));
    return made == nullptr ? at::Tensor() : own(static_cast<Handle>(made));
  }
  template <class Ask>
  static Outputs two(Ask&& ask) {
    Outputs outputs;
    void* logits = nullptr;
    outputs.features = one([&](void** features, nearfar_error* error) { return ask(features, &logits, error); });
    if (logits != nullptr) outputs.logits = own(static_cast<Handle>(logits));
    return outputs;
  }
  const at::Tensor& get(at::Tensor& kept, std::int32_t what, std::int64_t index = 0) const {
    if (!kept.defined()) {
      kept =
          one([&](void** made, nearfar_error* error) { return host_->get(host_->context, what, index, made, error); });
    }
    return kept;
  }

  const nearfar_network* host_;
  std::vector<double> pixel_std_;
  mutable at::Tensor images_, features_, logits_;
  mutable std::vector<at::Tensor> maps_, layers_;
  HostNetwork* exact_ = nullptr;  // owned; <memory> would cost every plugin compile time
};

/// The fields that every kind has.
inline nearfar_plugin described(const PluginText& text, std::uint32_t kind, const char* source_hash) {
  nearfar_plugin plugin{};
  plugin.struct_size = sizeof plugin;
  plugin.abi = NEARFAR_ABI;
  plugin.kind = kind;
  plugin.flags = NEARFAR_TORCH;
  if (text.tuned) plugin.flags |= NEARFAR_TUNED;
  if (text.observes_fitted) plugin.flags |= NEARFAR_OBSERVES_FITTED;
  plugin.name = text.name;
  plugin.version = text.version;
  plugin.summary = text.summary;
  plugin.reference = text.reference;
  plugin.needs = text.needs;
  plugin.param_count = static_cast<std::uint32_t>(text.params.size);
  plugin.params = reinterpret_cast<const nearfar_param*>(text.params.rows);
  plugin.sweep = text.sweep;
  plugin.observed_params = text.observed_params;
  plugin.source_hash = source_hash;
  return plugin;
}

template <class Class>
std::int32_t create(const nearfar_value* values, std::uint32_t count, void** self, nearfar_error* error) noexcept {
  return guarded(error, [&] { *self = new Class(Params(values, count)); });
}

/// Does the class, or one between it and Postprocessor, have an observe() of its own?
template <class Class>
inline constexpr bool kObserves =
    !std::is_same_v<decltype(&Class::observe), at::Tensor (Postprocessor::*)(NetworkBatch&) const>;

/// The functions of a postprocessor.
template <class Class>
void fill_postprocessor(nearfar_plugin& plugin) {
  plugin.create = &create<Class>;
  plugin.destroy = [](void* self) { delete static_cast<Class*>(self); };
  plugin.fit = [](void* self, const nearfar_fit* given, nearfar_error* error) {
    return guarded(error, [&] {
      FitContext context;
      context.train = batch_of(*given->train);
      context.val = batch_of(*given->validation);
      context.head = {borrow(given->head_weight), borrow(given->head_bias)};
      context.classes = given->classes;
      static_cast<Postprocessor*>(static_cast<Class*>(self))->fit(context);
    });
  };
  plugin.score = [](const void* self, const nearfar_batch* batch, nearfar_tensor* scores, nearfar_error* error) {
    return guarded(error, [&] {
      const Postprocessor& made = *static_cast<const Class*>(self);
      scores->handle = give(made.score(batch_of(*batch)));
    });
  };
  if constexpr (kObserves<Class>) {
    plugin.observe = [](const void* self, const nearfar_network* batch, std::int32_t fitted, nearfar_tensor* columns,
                        nearfar_error* error) {
      return guarded(error, [&] {
        const Postprocessor& made = *static_cast<const Class*>(self);
        HostNetwork network(*batch);
        columns->handle = give(fitted != 0 ? made.observe_fitted(network) : made.observe(network));
      });
    };
  }
}

inline void fill_traits(const LossTraits& from, nearfar_traits& to) {
  to.views = from.views;
  to.embedding = from.head == HeadKind::embedding ? 1 : 0;
  to.normalized_embedding = from.normalized_embedding ? 1 : 0;
  to.wants_features = from.wants_features ? 1 : 0;
  to.takes_soft_targets = from.takes_soft_targets ? 1 : 0;
  to.wants_auxiliary = from.wants_auxiliary ? 1 : 0;
  to.wants_class_means = from.wants_class_means ? 1 : 0;
  to.feature_temperature = from.feature_temperature;
  to.evaluated_temperature = from.evaluated_temperature;
  to.capturable = from.capturable ? 1 : 0;
}

inline LossInput input_of(const nearfar_loss_input& given) {
  LossInput input;
  input.output = borrow(given.output);
  input.labels = borrow(given.labels);
  input.features = borrow(given.features);
  input.soft_targets = borrow(given.soft_targets);
  input.aux_output = borrow(given.aux_output);
  input.aux_features = borrow(given.aux_features);
  input.epoch = given.epoch;
  input.step = given.step;
  input.most_of_a_label = given.most_of_a_label;
  return input;
}

/// The functions of a loss.
template <class Class>
void fill_loss(nearfar_plugin& plugin) {
  plugin.create = &create<Class>;
  plugin.destroy = [](void* self) { delete static_cast<Class*>(self); };
  plugin.traits = [](const nearfar_value* values, std::uint32_t count, nearfar_traits* traits, nearfar_error* error) {
    return guarded(error, [&] { fill_traits(Class::traits(Params(values, count)), *traits); });
  };
  plugin.prepare = [](void* self, const nearfar_setup* given, nearfar_error* error) {
    return guarded(error, [&] {
      LossSetup setup;
      setup.classes = given->classes;
      setup.output_width = given->output_width;
      setup.feature_width = given->feature_width;
      setup.device = own(share(static_cast<Handle>(given->like))).device();
      setup.seed = given->seed;
      static_cast<Loss*>(static_cast<Class*>(self))->prepare(setup);
    });
  };
  plugin.start = [](void* self, const nearfar_tensor* class_means, nearfar_error* error) {
    return guarded(error, [&] { static_cast<Loss*>(static_cast<Class*>(self))->start(borrow(*class_means)); });
  };
  plugin.loss = [](void* self, const nearfar_loss_input* input, nearfar_loss_output* output, nearfar_error* error) {
    return guarded(
        error, [&] { output->loss = give(static_cast<Loss*>(static_cast<Class*>(self))->forward(input_of(*input))); });
  };
  plugin.state = [](void* self, std::uint32_t index, nearfar_state* state, nearfar_error* error) {
    bool end = false;
    const std::int32_t status = guarded(error, [&] {
      const std::vector<LossTensor> all = static_cast<Loss*>(static_cast<Class*>(self))->state();
      end = index >= all.size();
      if (end) return;
      thread_local std::string name;  // until the next call
      name = all[index].name;
      state->name = name.c_str();
      state->parameter = all[index].parameter ? 1 : 0;
      state->tensor.handle = give(all[index].tensor);
    });
    return status == NEARFAR_OK && end ? std::int32_t{NEARFAR_END} : status;
  };
}

template <class Class>
const nearfar_plugin* offer(const PluginText& text, const char* source_hash, const nearfar_host* host) {
  static_assert(std::is_base_of_v<Postprocessor, Class> || std::is_base_of_v<Loss, Class>);
  static const nearfar_plugin plugin = [&] {
    constexpr bool kIsLoss = std::is_base_of_v<Loss, Class>;
    nearfar_plugin made = described(text, kIsLoss ? NEARFAR_LOSS_KIND : NEARFAR_POSTPROCESSOR_KIND, source_hash);
    if constexpr (kIsLoss)
      fill_loss<Class>(made);
    else
      fill_postprocessor<Class>(made);
    return made;
  }();
  return host != nullptr && host->abi >= NEARFAR_ABI ? &plugin : nullptr;
}

}  // namespace nearfar::stable
