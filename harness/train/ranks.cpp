#include "train/ranks.h"

#include "base/error.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string_view>

namespace nearfar {
namespace {

// Rank 0 alone validates and saves: the others wait for it that long. A rank that is gone is noticed at once.
constexpr std::chrono::hours kPatience{2};
constexpr std::chrono::minutes kMeeting{5};

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

int number(const char* name, int smallest) {
  const char* value = variable(name);
  if (value == nullptr) throw Error(ErrorKind::config, fmt::format("{} is not set, and others of its kind are", name));
  const std::string_view text = value;
  int result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc() || end != text.data() + text.size() || result < smallest)
    throw Error(ErrorKind::config, fmt::format("{} is '{}', expected a number of at least {}", name, text, smallest));
  return result;
}

std::string first_line(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::optional<RankPlace> rank_of_environment() {
  const bool torchrun = variable("RANK") != nullptr || variable("WORLD_SIZE") != nullptr;
  if (!torchrun && variable("SLURM_PROCID") == nullptr) return std::nullopt;
  RankPlace place;
  place.rank = number(torchrun ? "RANK" : "SLURM_PROCID", 0);
  place.size = number(torchrun ? "WORLD_SIZE" : "SLURM_NTASKS", 1);
  if (place.rank >= place.size) {
    throw Error(ErrorKind::config, fmt::format("rank {} of {} processes: ranks count from 0", place.rank, place.size));
  }
  if (place.size == 1) return place;
  const char* address = variable("MASTER_ADDR");
  if (address == nullptr)
    throw Error(ErrorKind::config, "MASTER_ADDR is not set: the host of rank 0, as torchrun sets it");
  place.address = address;
  const int port = number("MASTER_PORT", 1);
  if (port > 65535) throw Error(ErrorKind::config, fmt::format("MASTER_PORT is {}, expected at most 65535", port));
  place.port = static_cast<std::uint16_t>(port);
  return place;
}

RankShare rank_share(std::int64_t rows, int rank, int size) {
  const std::int64_t first = rows * rank / size;
  return {first, rows * (rank + 1) / size - first};
}

struct RankGroup::Connection {
  c10::intrusive_ptr<c10d::TCPStore> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  std::vector<c10::intrusive_ptr<c10d::Work>> sums;
};

template <class Call>
void RankGroup::guarded(const Call& call) const {
  try {
    call();
  } catch (const std::exception& error) {
    throw Error(ErrorKind::plugin,
                fmt::format("rank {} of {}: the others are gone: {}", place_.rank, place_.size, first_line(error)));
  }
}

RankGroup::RankGroup(const RankPlace& place) : place_(place), connection_(std::make_unique<Connection>()) {
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = place.rank == 0;
  options.waitWorkers = false;
  options.timeout = kMeeting;
  guarded([&] { connection_->store = c10::make_intrusive<c10d::TCPStore>(place.address, options); });
}

RankGroup::~RankGroup() = default;

std::uint16_t RankGroup::port() const { return connection_->store->getPort(); }

void RankGroup::join() {
  guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(kMeeting);
    const bool local = place_.address == "127.0.0.1" || place_.address == "localhost";
    options->devices.push_back(local ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                     : c10d::ProcessGroupGloo::createDefaultDevice());
    connection_->gloo =
        c10::make_intrusive<c10d::ProcessGroupGloo>(connection_->store, place_.rank, place_.size, options);
    options->timeout = kPatience;
  });
}

void RankGroup::sum(const at::Tensor& tensor) {
  guarded([&] {
    std::vector<at::Tensor> one{tensor.detach().cpu().contiguous()};
    c10d::AllreduceOptions options;
    options.timeout = kPatience;
    connection_->gloo->allreduce(one, options)->wait(kPatience);
    if (!one[0].is_same(tensor)) tensor.detach().copy_(one[0]);
  });
}

void RankGroup::begin_sum(const at::Tensor& tensor) {
  NEARFAR_ASSERT(tensor.device().is_cpu() && tensor.is_contiguous());
  guarded([&] {
    std::vector<at::Tensor> one{tensor};
    c10d::AllreduceOptions options;
    options.timeout = kPatience;
    connection_->sums.push_back(connection_->gloo->allreduce(one, options));
  });
}

void RankGroup::finish_sums() {
  guarded([&] {
    for (const auto& work : connection_->sums) work->wait(kPatience);
    connection_->sums.clear();
  });
}

void RankGroup::broadcast(const at::Tensor& tensor) {
  guarded([&] {
    std::vector<at::Tensor> one{tensor.detach().cpu().contiguous()};
    c10d::BroadcastOptions options;
    options.timeout = kPatience;
    connection_->gloo->broadcast(one, options)->wait(kPatience);
    tensor.detach().copy_(one[0]);
  });
}

at::Tensor RankGroup::gather(const at::Tensor& own, const std::vector<std::int64_t>& counts) {
  const std::int64_t most = *std::max_element(counts.begin(), counts.end());
  at::Tensor sent = own.detach().cpu().contiguous();
  if (sent.size(0) < most) {  // Gloo wants equal ones
    std::vector<std::int64_t> shape = sent.sizes().vec();
    shape[0] = most - sent.size(0);
    sent = at::cat({sent, at::zeros(shape, sent.options())});
  }
  std::vector<std::vector<at::Tensor>> got(1);
  for (int rank = 0; rank < size(); ++rank) got[0].push_back(at::empty_like(sent));
  guarded([&] {
    std::vector<at::Tensor> one{sent};
    c10d::AllgatherOptions options;
    options.timeout = kPatience;
    connection_->gloo->allgather(got, one, options)->wait(kPatience);
  });
  for (std::size_t rank = 0; rank < got[0].size(); ++rank) got[0][rank] = got[0][rank].narrow(0, 0, counts[rank]);
  return at::cat(got[0]).to(own.device());
}

namespace {

struct Gathered : torch::autograd::Function<Gathered> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& own, RankGroup* group,
                            const std::vector<std::int64_t>& counts) {
    std::int64_t first = 0;
    for (int rank = 0; rank < group->rank(); ++rank) first += counts[static_cast<std::size_t>(rank)];
    context->saved_data["first"] = first;
    context->saved_data["count"] = own.size(0);
    return group->gather(own, counts);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const at::Tensor own =
        gradients[0].narrow(0, context->saved_data["first"].toInt(), context->saved_data["count"].toInt());
    return {own, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor gathered(RankGroup& group, const at::Tensor& own, const std::vector<std::int64_t>& counts) {
  return Gathered::apply(own, &group, counts);
}

}  // namespace nearfar
