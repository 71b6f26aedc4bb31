#include "models/network.h"

#include "base/error.h"
#include "base/text.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

std::string shape_text(const at::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : tensor.sizes()) sizes.push_back(std::to_string(size));
  return "[" + join(sizes, ",") + "]";
}

/// A few names and how many there are.
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  const std::vector<std::string> shown(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
  return fmt::format("{} ({}{})", names.size(), join(shown, ", "), names.size() > kShown ? ", …" : "");
}

}  // namespace

std::int64_t Network::output_dim() const { return has_classifier() ? spec().classes : spec().embedding_dim; }

HeadWeights Network::head() {
  NEARFAR_ASSERT(has_classifier());
  HeadWeights head;
  for (const NamedTensor& named : named_tensors()) {
    if (named.name == "head.weight") head.weight = named.tensor.detach().clone();
    if (named.name == "head.bias") head.bias = named.tensor.detach().clone();
  }
  NEARFAR_ASSERT(head.weight.defined() && head.bias.defined());
  return head;
}

void load_tensors(Network& network, const std::vector<NamedTensor>& tensors, const std::string& source) {
  std::map<std::string, at::Tensor> given;
  for (const NamedTensor& named : tensors) given[named.name] = named.tensor;
  std::vector<std::string> missing, unexpected, wrong;
  std::vector<NamedTensor> own = network.named_tensors();
  for (const NamedTensor& named : own) {
    const auto found = given.find(named.name);
    if (found == given.end()) {
      missing.push_back(named.name);
    } else if (found->second.sizes() != named.tensor.sizes() || found->second.scalar_type() != named.tensor.scalar_type()) {
      wrong.push_back(fmt::format("{} is {} {}, expected {} {}", named.name, c10::toString(found->second.scalar_type()),
                                  shape_text(found->second), c10::toString(named.tensor.scalar_type()), shape_text(named.tensor)));
    }
  }
  std::map<std::string, bool> known;
  for (const NamedTensor& named : own) known[named.name] = true;
  for (const auto& [name, tensor] : given) {
    if (!known.contains(name)) unexpected.push_back(name);
  }
  if (!missing.empty() || !unexpected.empty() || !wrong.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: does not fit a {}: missing {}; unexpected {}; wrong {}", source,
                                             network.spec().architecture, some_names(missing), some_names(unexpected), some_names(wrong)));
  }
  const c10::AutoGradMode no_gradients(false);
  for (NamedTensor& named : own) named.tensor.copy_(given.at(named.name));
}

EvalScope::EvalScope(Network& network)
    : network_(network), was_training_(network.is_training()), had_gradients_(c10::GradMode::is_enabled()) {
  network_.train(false);
  c10::GradMode::set_enabled(false);
}

EvalScope::~EvalScope() {
  network_.train(was_training_);
  c10::GradMode::set_enabled(had_gradients_);
}

}  // namespace nearfar
