#pragma once
/// Several processes (ranks) that train one model: who is who, and what they tell each other: over c10d's Gloo, and
/// from device to device where the device's module can (NCCL). Every rank makes the same calls in the same order.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct RankPlace {
  int rank = 0, size = 1;
  int local = 0;                      ///< among the ranks of its machine
  std::string address = "127.0.0.1";  ///< of rank 0
  std::uint16_t port = 0;             ///< there; 0 on rank 0: any free one
  bool operator==(const RankPlace&) const = default;
};

/// By the names of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), else of srun (SLURM_PROCID,
/// SLURM_NTASKS, SLURM_LOCALID, with MASTER_ADDR and MASTER_PORT); nullopt where neither is set. Error(config) for half
/// of them or what is no number.
std::optional<RankPlace> rank_of_environment();

/// Of `rows` rows, those of a rank: first = rows * rank / size, and up to the next rank's first.
struct RankShare {
  std::int64_t first = 0, count = 0;
};
RankShare rank_share(std::int64_t rows, int rank, int size);

/// One thread. Every call but port() may throw Error(plugin) "rank 1 of 2: the others are gone: …", in seconds after
/// another rank has died.
class RankGroup {
 public:
  /// Rank 0 listens at once; nobody waits before join().
  explicit RankGroup(const RankPlace& place);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  std::uint16_t port() const;
  /// Waits for all ranks. Error(plugin) if they are not there within five minutes.
  void join();
  /// After join(), with this rank's device. Its tensors go from device to device from then on, where every rank has a
  /// device of its own and the module can; else through the host. Waits for all ranks. The answer, for people:
  /// "NCCL 2.28.9", or "the host: ranks 0 and 1 have the same device".
  std::string use(at::Device device);
  /// Tensors there go from device to device.
  bool carries(at::Device device) const;

  int rank() const { return place_.rank; }
  int size() const { return place_.size; }

  /// In place: the sum over all ranks, the same bits on each.
  void sum(const at::Tensor& tensor);
  /// The same, later: `tensor` (on the host, or on a device that carries()) is left alone until finish_sums().
  void begin_sum(const at::Tensor& tensor);
  void finish_sums();
  /// In place: rank 0's.
  void broadcast(const at::Tensor& tensor);
  /// Rows of all ranks, in their order; `counts`: how many each rank has. No gradient.
  at::Tensor gather(const at::Tensor& own, const std::vector<std::int64_t>& counts);

 private:
  struct Connection;
  template <class Call>
  void guarded(const Call& call) const;
  void connect_devices(at::Device device);
  at::Tensor to_travel(const at::Tensor& tensor) const;
  at::Tensor gather_equal(const at::Tensor& own);

  RankPlace place_;
  std::unique_ptr<Connection> connection_;
};

/// gather() as part of a graph: the gradient of this rank's rows is what flows back. It is the whole one where every
/// rank computes the same from all rows.
at::Tensor gathered(RankGroup& group, const at::Tensor& own, const std::vector<std::int64_t>& counts);

}  // namespace nearfar
