// What a loss keeps: named, whole, its own, and the same of the same seed.
#include "conformance/check.h"
#include "conformance/loss_subject.h"

#include <fmt/format.h>

#include <array>
#include <set>

namespace nearfar {
namespace {

void named(const Subject& subject) {
  LossSubject made(subject);
  // A plugin of tier c keeps its memory itself, on the CPU.
  const at::Device wanted = subject.plugin().description().tier == "c" ? at::Device(at::kCPU) : subject.device();
  std::set<std::string> names;
  for (const LossTensor& own : made.loss().state()) {
    expect(!own.name.empty() && names.insert(own.name).second, "state() with a name of its own for each tensor",
           "'" + own.name + "'");
    expect(own.tensor.defined(), "state() of defined tensors", "'" + own.name + "' is undefined");
    expect(own.tensor.device() == wanted, "state on the device of LossSetup, " + wanted.str(),
           fmt::format("'{}' on {}", own.name, own.tensor.device().str()));
    expect(!own.parameter || (own.tensor.is_leaf() && own.tensor.requires_grad()),
           "parameters that are leaves and require gradients", "'" + own.name + "' does not");
  }
}

std::vector<at::Tensor> copies(LossSubject& made) {
  std::vector<at::Tensor> all;
  for (const LossTensor& own : made.loss().state()) all.push_back(own.tensor.detach().clone());
  return all;
}

void copy_back(LossSubject& made, const std::vector<at::Tensor>& saved) {
  const std::vector<LossTensor> state = made.loss().state();
  expect(state.size() == saved.size(), fmt::format("as many tensors in state(), {}", saved.size()),
         fmt::format("{}", state.size()));
  const NoGradScope scope;
  for (std::size_t i = 0; i < state.size(); ++i) at::Tensor(state[i].tensor).copy_(saved[i]);
}

/// As a training that is stopped between steps, and another object that goes on from what was saved.
void round_trip(const Subject& subject) {
  LossSubject first(subject);
  const LossBatch before = first.batch(class_labels(12, kProblemClasses), 0.7), batch = first.usual_batch();
  for (int i = 0; i < 3; ++i) first.step(before);
  const std::vector<at::Tensor> saved = copies(first);
  const LossResult wanted = first.step(batch);
  LossSubject second(subject);
  copy_back(second, saved);
  const LossResult found = second.step(batch);
  expect(found.value == wanted.value && found.gradient.equal(wanted.gradient),
         fmt::format("a new object with the state of the first goes on with its bits, {:.9g}", wanted.value),
         fmt::format("{:.9g}; is everything that changes in state()?", found.value));
  copy_back(first, saved);
  const LossResult again = first.step(batch);
  expect(again.value == wanted.value && again.gradient.equal(wanted.gradient),
         fmt::format("the first object goes back to its saved state, {:.9g}", wanted.value),
         fmt::format("{:.9g}; is everything that changes in state(), by reference?", again.value));
}

void seeds(const Subject& subject) {
  LossSubject first(subject), second(subject);
  const std::vector<at::Tensor> a = copies(first), b = copies(second);
  expect(a.size() == b.size(), "as many tensors of the same seed", fmt::format("{} and {}", a.size(), b.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    expect(a[i].equal(b[i]), "the same state of the same seed, to the bit", fmt::format("tensor {} differs", i + 1));
  const LossBatch batch = first.usual_batch();
  const double one = first.run(batch).value, other = second.run(batch).value;
  expect(one == other, fmt::format("the same loss of two objects of the same seed, {:.9g}", one),
         fmt::format("{:.9g}", other));
}

void objects(const Subject& subject) {
  LossSubject first(subject);
  const LossBatch batch = first.usual_batch();
  const LossResult alone = first.run(batch);
  first.restore();
  LossSubject second(subject);
  for (int i = 0; i < 3; ++i) second.step(second.batch(class_labels(12, kProblemClasses), 0.7));
  const LossResult beside = first.step(batch);
  expect(beside.value == alone.value && beside.gradient.equal(alone.gradient),
         fmt::format("a loss that does not change when another object is used, {:.9g}", alone.value),
         fmt::format("{:.9g}", beside.value));
}

constexpr std::array kChecks{
    Check{.name = "loss-state",
          .promise = "state() names each tensor, on the device of LossSetup; parameters require gradients",
          .concerns = kOfLosses,
          .after = "loss",
          .run = named},
    Check{.name = "loss-state-round-trip",
          .promise = "with saved state, a new object and the old one go on with the same bits",
          .concerns = kOfLosses,
          .after = "loss loss-state",
          .run = round_trip},
    Check{.name = "loss-seed",
          .promise = "the same seed gives the same state",
          .concerns = kOfLosses,
          .after = "loss",
          .run = seeds},
    Check{.name = "loss-objects-apart",
          .promise = "two objects share no state",
          .concerns = kOfLosses,
          .after = "loss",
          .run = objects,
          .on_devices = false},
};

}  // namespace

std::span<const Check> loss_state_checks() { return kChecks; }

}  // namespace nearfar
