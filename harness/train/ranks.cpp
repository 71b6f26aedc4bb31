#include "train/ranks.h"

#include "base/error.h"
#include "device/device.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
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
#include <functional>
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
  const char* local = torchrun ? "LOCAL_RANK" : "SLURM_LOCALID";
  if (variable(local) != nullptr) place.local = number(local, 0);
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
  std::unique_ptr<DeviceCollectives> collectives;
  at::Device device = at::kCPU;  ///< of the collectives
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

namespace {

/// Ranks in an order of their own would wait for each other for good: so all decide by the same table.
/// `table` [ranks,2]: whether a rank can, and a number of its device. "" = they can.
std::string why_not(const at::Tensor& table) {
  const auto rows = table.accessor<std::int64_t, 2>();
  for (int rank = 0; rank < table.size(0); ++rank) {
    if (rows[rank][0] == 0) return fmt::format("rank {} has nothing for it", rank);
    for (int other = 0; other < rank; ++other) {
      if (rows[rank][1] == rows[other][1]) return fmt::format("ranks {} and {} have the same device", other, rank);
    }
  }
  return "";
}

// is_alias_of() asks storages of two kinds for the address of their memory, which a device need not give.
void put_back(const at::Tensor& values, const at::Tensor& tensor) {
  if (values.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl() !=
      tensor.unsafeGetTensorImpl()->unsafe_storage().unsafeGetStorageImpl()) {
    tensor.detach().copy_(values);
  }
}

}  // namespace

std::string RankGroup::use(at::Device device) {
  if (device.is_cpu()) return "the host";
  const DeviceFacts facts = device_facts(device);
  const auto number = static_cast<std::int64_t>(std::hash<std::string>{}(facts.identity));
  const std::int64_t able = facts.collectives.empty() ? 0 : 1;
  std::string reason = why_not(gather_equal(at::tensor({able, number}, at::kLong).unsqueeze(0)).flatten(0, 1));
  if (reason.empty()) {
    try {
      connect_devices(device);
    } catch (const c10::Error& error) {
      reason = first_line(error);
    }
    const at::Tensor failures = at::tensor({reason.empty() ? 0 : 1}, at::kLong);
    sum(failures);
    if (reason.empty() && failures.item<std::int64_t>() > 0) reason = "another rank could not join";
  }
  if (reason.empty()) return facts.collectives;
  connection_->collectives.reset();
  return "the host: " + reason;
}

void RankGroup::connect_devices(at::Device device) {
  std::string group = rank() == 0 ? new_device_group(device) : "";
  const at::Tensor size = at::tensor({static_cast<std::int64_t>(group.size())}, at::kLong);
  broadcast(size);
  group.resize(static_cast<std::size_t>(size.item<std::int64_t>()));
  const at::Tensor name = at::empty(static_cast<std::int64_t>(group.size()), at::kByte);
  std::copy(group.begin(), group.end(), name.mutable_data_ptr<std::uint8_t>());
  broadcast(name);
  std::copy_n(name.const_data_ptr<std::uint8_t>(), group.size(), group.begin());
  connection_->collectives = make_collectives(device, group, rank(), this->size());
  connection_->device = device;
}

bool RankGroup::carries(at::Device device) const {
  return connection_->collectives != nullptr && connection_->device == device;
}

/// The tensor where it can set out from, dense: itself, or a copy whose values are put_back().
at::Tensor RankGroup::to_travel(const at::Tensor& tensor) const {
  const at::Tensor plain = tensor.detach();
  return (carries(tensor.device()) ? plain : plain.cpu()).contiguous();
}

void RankGroup::sum(const at::Tensor& tensor) {
  guarded([&] {
    std::vector<at::Tensor> one{to_travel(tensor)};
    if (carries(one[0].device())) {
      connection_->collectives->sum(one[0]);
    } else {
      c10d::AllreduceOptions options;
      options.timeout = kPatience;
      connection_->gloo->allreduce(one, options)->wait(kPatience);
    }
    put_back(one[0], tensor);
  });
}

void RankGroup::begin_sum(const at::Tensor& tensor) {
  NEARFAR_ASSERT(tensor.is_contiguous());
  guarded([&] {
    if (carries(tensor.device())) return connection_->collectives->begin_sum(tensor);
    NEARFAR_ASSERT(tensor.device().is_cpu());
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
    if (connection_->collectives) connection_->collectives->finish_sums();
  });
}

void RankGroup::broadcast(const at::Tensor& tensor) {
  guarded([&] {
    std::vector<at::Tensor> one{to_travel(tensor)};
    if (carries(one[0].device())) {
      connection_->collectives->broadcast(one[0]);
    } else {
      c10d::BroadcastOptions options;
      options.timeout = kPatience;
      connection_->gloo->broadcast(one, options)->wait(kPatience);
    }
    put_back(one[0], tensor);
  });
}

/// [ranks, ...] of tensors of one shape, where they are.
at::Tensor RankGroup::gather_equal(const at::Tensor& own) {
  std::vector<std::int64_t> shape = own.sizes().vec();
  shape.insert(shape.begin(), size());
  at::Tensor all;
  guarded([&] {
    if (carries(own.device())) {
      all = at::empty(shape, own.options());
      return connection_->collectives->gather(own, all);
    }
    std::vector<at::Tensor> one{own.cpu()};
    all = at::empty(shape, one[0].options());
    std::vector<std::vector<at::Tensor>> got{all.unbind()};
    c10d::AllgatherOptions options;
    options.timeout = kPatience;
    connection_->gloo->allgather(got, one, options)->wait(kPatience);
    all = all.to(own.device());
  });
  return all;
}

at::Tensor RankGroup::gather(const at::Tensor& own, const std::vector<std::int64_t>& counts) {
  const std::int64_t most = *std::max_element(counts.begin(), counts.end());
  at::Tensor sent = own.detach().contiguous();
  if (sent.size(0) < most) {  // equal ones travel
    std::vector<std::int64_t> shape = sent.sizes().vec();
    shape[0] = most - sent.size(0);
    sent = at::cat({sent, at::zeros(shape, sent.options())});
  }
  std::vector<at::Tensor> parts = gather_equal(sent).unbind();
  for (std::size_t rank = 0; rank < parts.size(); ++rank) parts[rank] = parts[rank].narrow(0, 0, counts[rank]);
  return at::cat(parts);
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
