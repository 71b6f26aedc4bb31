#include "host/c_objects.h"

#include "host/c_network.h"
#include "kernels/explicit_gradient.h"
#include "kernels/tensor_handle.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <array>

namespace nearfar {
namespace {

nearfar_batch c_batch(CTensors& tensors, const FeatureBatch& batch) {
  return {.struct_size = sizeof(nearfar_batch),
          .reserved = 0,
          .features = tensors.give(batch.features),
          .normalized = tensors.give(batch.normalized),
          .logits = tensors.give(batch.logits),
          .labels = tensors.give(batch.labels),
          .observed = tensors.give(batch.observed)};
}

/// The first tensor of a batch that there is: its rows, its device.
const at::Tensor& some(const FeatureBatch& batch) {
  for (const at::Tensor* tensor : {&batch.features, &batch.normalized, &batch.logits, &batch.observed}) {
    if (tensor->defined()) return *tensor;
  }
  throw Error(ErrorKind::data, "a feature batch without features and logits");
}

bool on_device(const at::Tensor& tensor) { return tensor.defined() && !tensor.is_cpu(); }

}  // namespace

CValues::CValues(const nearfar_plugin& plugin, const Params& params) {
  for (std::uint32_t i = 0; i < plugin.param_count; ++i) {
    const nearfar_param& row = plugin.params[i];
    nearfar_value value{.name = row.name, .type = row.type, .reserved = 0, .integer = 0, .number = 0, .text = nullptr};
    switch (row.type) {
      case NEARFAR_BOOLEAN:
        value.integer = params.boolean(row.name) ? 1 : 0;
        break;
      case NEARFAR_INTEGER:
        value.integer = params.integer(row.name);
        value.number = static_cast<double>(value.integer);
        break;
      case NEARFAR_NUMBER:
        value.number = params.number(row.name);
        break;
      default:
        value.text = params.text(row.name).c_str();
        break;
    }
    values_.push_back(value);
  }
}

CObject::CObject(const nearfar_plugin& plugin, const Params& params) : plugin_(plugin) {
  const CValues values(plugin, params);
  CCall call;
  call.check(plugin.create(values.data(), values.size(), &self_, call.error()));
  if (self_ == nullptr) throw Error(ErrorKind::plugin, "returned nothing; expected an object");
}

void CPostprocessor::fit(const FitContext& context) {
  if (object_.plugin().fit == nullptr) return;
  auto tensors = std::make_unique<CTensors>(object_.takes_handles());
  const nearfar_batch train = c_batch(*tensors, context.train), val = c_batch(*tensors, context.val);
  const nearfar_fit given{.struct_size = sizeof(nearfar_fit),
                          .reserved = 0,
                          .train = &train,
                          .validation = &val,
                          .head_weight = tensors->give(context.head.weight),
                          .head_bias = tensors->give(context.head.bias),
                          .classes = context.classes};
  CCall call;
  call.check(object_.plugin().fit(object_.self(), &given, call.error()),
             on_device(context.train.features) || on_device(context.train.logits));
  fitted_ = std::move(tensors);
}

at::Tensor CPostprocessor::score(const FeatureBatch& batch) const {
  const at::Tensor& like = some(batch);
  CTensors tensors(object_.takes_handles());
  const nearfar_batch given = c_batch(tensors, batch);
  nearfar_tensor scores{};
  if (!object_.takes_handles()) scores = tensors.give_buffer({like.size(0)});
  CCall call;
  call.check(object_.plugin().score(object_.self(), &given, &scores, call.error()), on_device(like));
  if (object_.takes_handles()) return take_handle(scores.handle);
  return tensors.buffer(0).to(like.device());
}

at::Tensor CPostprocessor::observe(NetworkBatch& batch, bool fitted) const {
  CNetwork network(batch, object_.plugin().needs);
  nearfar_tensor columns{};
  CCall call;
  call.check(object_.plugin().observe(object_.self(), &network.given(), fitted ? 1 : 0, &columns, call.error()),
             on_device(batch.images()));
  return take_handle(columns.handle);
}

void CLoss::prepare(const LossSetup& setup) {
  if (object_.plugin().prepare == nullptr) return;
  const bool handles = object_.takes_handles();
  const at::Tensor like = at::empty({0}, at::TensorOptions(at::kFloat).device(handles ? setup.device : at::kCPU));
  const nearfar_setup given{.struct_size = sizeof(nearfar_setup),
                            .device = like.is_cpu()    ? NEARFAR_CPU
                                      : like.is_cuda() ? NEARFAR_CUDA
                                                       : NEARFAR_OTHER_DEVICE,
                            .device_index = like.is_cpu() ? 0 : like.device().index(),
                            .reserved = 0,
                            .classes = setup.classes,
                            .output_width = setup.output_width,
                            .feature_width = setup.feature_width,
                            .seed = setup.seed,
                            .like = handles ? borrow_handle(like) : nullptr};
  CCall call;
  call.check(object_.plugin().prepare(object_.self(), &given, call.error()), !like.is_cpu());
}

void CLoss::start(const at::Tensor& class_means) {
  if (object_.plugin().start == nullptr) return;
  CTensors tensors(object_.takes_handles());
  const nearfar_tensor given = tensors.give(class_means);
  CCall call;
  call.check(object_.plugin().start(object_.self(), &given, call.error()), on_device(class_means));
}

at::Tensor CLoss::forward(const LossInput& input) {
  if (!object_.takes_handles()) return forward_with_gradients(input);
  CTensors tensors(true);
  const nearfar_loss_input given{.struct_size = sizeof(nearfar_loss_input),
                                 .reserved = 0,
                                 .output = tensors.give(input.output),
                                 .labels = tensors.give(input.labels),
                                 .features = tensors.give(input.features),
                                 .soft_targets = tensors.give(input.soft_targets),
                                 .aux_output = tensors.give(input.aux_output),
                                 .aux_features = tensors.give(input.aux_features),
                                 .epoch = input.epoch,
                                 .step = input.step,
                                 .most_of_a_label = input.most_of_a_label};
  nearfar_loss_output output{};
  output.struct_size = sizeof output;
  CCall call;
  call.check(object_.plugin().loss(object_.self(), &given, &output, call.error()), on_device(input.output));
  return take_handle(output.loss);
}

at::Tensor CLoss::forward_with_gradients(const LossInput& input) {
  CTensors tensors(false), buffers(false);
  std::vector<at::Tensor> inputs;
  const auto gradient = [&](const at::Tensor& of) -> nearfar_tensor {
    if (!of.defined() || !of.requires_grad()) return {};
    inputs.push_back(of);
    return buffers.give_buffer(of.sizes());
  };
  const nearfar_loss_input given{.struct_size = sizeof(nearfar_loss_input),
                                 .reserved = 0,
                                 .output = tensors.give(input.output),
                                 .labels = tensors.give(input.labels),
                                 .features = tensors.give(input.features),
                                 .soft_targets = tensors.give(input.soft_targets),
                                 .aux_output = tensors.give(input.aux_output),
                                 .aux_features = tensors.give(input.aux_features),
                                 .epoch = input.epoch,
                                 .step = input.step,
                                 .most_of_a_label = input.most_of_a_label};
  nearfar_loss_output output{.struct_size = sizeof(nearfar_loss_output),
                             .parameters = 0,
                             .value = 0,
                             .loss = nullptr,
                             .output_gradient = gradient(input.output),
                             .features_gradient = gradient(input.features),
                             .aux_output_gradient = gradient(input.aux_output),
                             .aux_features_gradient = gradient(input.aux_features),
                             .parameter_gradients = nullptr};
  std::vector<nearfar_tensor> of_parameters;
  for (const LossTensor& one : state()) {
    if (one.parameter) of_parameters.push_back(gradient(one.tensor));
  }
  output.parameters = static_cast<std::uint32_t>(of_parameters.size());
  output.parameter_gradients = of_parameters.data();
  CCall call;
  call.check(object_.plugin().loss(object_.self(), &given, &output, call.error()));
  std::vector<at::Tensor> gradients;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    gradients.push_back(buffers.buffer(i).to(inputs[i].device(), inputs[i].scalar_type()));
  return with_gradients(at::scalar_tensor(output.value, at::TensorOptions(at::kFloat).device(input.output.device())),
                        inputs, gradients);
}

std::vector<LossTensor> CLoss::state() {
  if (object_.takes_handles()) return read_state();
  if (!has_state_) {
    state_ = read_state();
    has_state_ = true;
  }
  return state_;
}

std::vector<LossTensor> CLoss::read_state() {
  std::vector<LossTensor> all;
  if (object_.plugin().state == nullptr) return all;
  for (std::uint32_t index = 0; index < 4096; ++index) {
    nearfar_state one{};
    one.struct_size = sizeof one;
    CCall call;
    const std::int32_t status = object_.plugin().state(object_.self(), index, &one, call.error());
    if (status == NEARFAR_END) return all;
    call.check(status);
    const std::string name = one.name == nullptr ? fmt::format("state{}", index) : one.name;
    if (object_.takes_handles()) {
      all.push_back({name, take_handle(one.tensor.handle), one.parameter != 0});
      continue;
    }
    const nearfar_tensor& memory = one.tensor;
    if (memory.data == nullptr || memory.shape == nullptr || memory.dims < 0 || memory.dtype != NEARFAR_FLOAT32)
      throw Error(ErrorKind::plugin,
                  fmt::format("state '{}' is no float32 memory; expected data, shape and dims", name));
    at::Tensor view = at::from_blob(memory.data, at::IntArrayRef(memory.shape, static_cast<std::size_t>(memory.dims)),
                                    at::TensorOptions(at::kFloat));
    if (one.parameter != 0) view.set_requires_grad(true);
    all.push_back({name, view, one.parameter != 0});
  }
  throw Error(ErrorKind::plugin, "state() has more than 4096 tensors; expected NEARFAR_END after the last");
}

}  // namespace nearfar
