#include "cuda/nccl.h"

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <array>
#include <cstring>
#include <utility>

namespace nearfar::cuda {
namespace {

// Of NCCL's C interface, which has been the same since version 2.0 (docs.nvidia.com/deeplearning/nccl, API reference).
struct Id {
  std::array<char, 128> bytes;
};
using Communicator = struct ncclComm*;
enum Type : int { kBytes = 0, kInt64 = 4, kFloat32 = 7, kFloat64 = 8 };
constexpr int kSuccess = 0, kSum = 0;

struct Nccl {
  int (*version)(int*) = nullptr;
  int (*id)(Id*) = nullptr;
  int (*join)(Communicator*, int size, Id, int rank) = nullptr;
  int (*destroy)(Communicator) = nullptr;
  int (*abort)(Communicator) = nullptr;
  int (*all_reduce)(const void*, void*, std::size_t, int type, int operation, Communicator, cudaStream_t) = nullptr;
  int (*broadcast)(const void*, void*, std::size_t, int type, int root, Communicator, cudaStream_t) = nullptr;
  int (*all_gather)(const void*, void*, std::size_t, int type, Communicator, cudaStream_t) = nullptr;
  const char* (*text)(int) = nullptr;
  const char* (*last_error)(Communicator) = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

/// Null where the library is not there, or is not whole.
const Nccl* find_nccl() {
  void* library = ::dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);  // LibTorch's, which is loaded already
  if (library == nullptr) return nullptr;
  static Nccl nccl;
  const bool whole =
      find(library, "ncclGetVersion", nccl.version) && find(library, "ncclGetUniqueId", nccl.id) &&
      find(library, "ncclCommInitRank", nccl.join) && find(library, "ncclCommDestroy", nccl.destroy) &&
      find(library, "ncclCommAbort", nccl.abort) && find(library, "ncclAllReduce", nccl.all_reduce) &&
      find(library, "ncclBroadcast", nccl.broadcast) && find(library, "ncclAllGather", nccl.all_gather) &&
      find(library, "ncclGetErrorString", nccl.text) && find(library, "ncclGetLastError", nccl.last_error);
  return whole ? &nccl : nullptr;
}

const Nccl* nccl() {
  static const Nccl* const found = find_nccl();
  return found;
}

void check(int result, const char* what) {
  if (result == kSuccess) return;
  const char* more = nccl()->last_error(nullptr);
  TORCH_CHECK(false, "NCCL: ", what, ": ", nccl()->text(result), more != nullptr && *more != '\0' ? ", " : "",
              more != nullptr ? more : "");
}

class Event {
 public:
  Event() { C10_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { C10_CUDA_CHECK(cudaEventRecord(event_, stream)); }
  void delay(cudaStream_t stream) const { C10_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0)); }
  bool passed() const { return cudaEventQuery(event_) == cudaSuccess; }

 private:
  cudaEvent_t event_ = nullptr;
};

class Collectives final : public DeviceCollectives {
 public:
  Collectives(c10::DeviceIndex index, const Id& id, int rank, int size)
      : index_(index), side_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, index)) {
    check(nccl()->join(&communicator_, size, id, rank), "joining a group");
  }

  ~Collectives() override {
    // A kernel that waits for a rank that is gone would wait for good.
    static_cast<void>(last_.passed() ? nccl()->destroy(communicator_) : nccl()->abort(communicator_));
    static_cast<void>(cudaGetLastError());
  }

  void sum(const at::Tensor& tensor) override { sum_on(here(), tensor); }

  void begin_sum(const at::Tensor& tensor) override {
    const c10::cuda::CUDAGuard guard(index_);
    ready_.record(here());
    ready_.delay(side_.stream());
    sum_on(side_.stream(), tensor);
  }

  void finish_sums() override { last_.delay(here()); }

  void broadcast(const at::Tensor& tensor) override {
    run(here(), "broadcast", [&](cudaStream_t stream) {
      return nccl()->broadcast(tensor.data_ptr(), tensor.data_ptr(), tensor.nbytes(), kBytes, 0, communicator_, stream);
    });
  }

  void gather(const at::Tensor& own, const at::Tensor& all) override {
    run(here(), "all-gather", [&](cudaStream_t stream) {
      return nccl()->all_gather(own.data_ptr(), all.data_ptr(), own.nbytes(), kBytes, communicator_, stream);
    });
  }

 private:
  cudaStream_t here() const { return c10::cuda::getCurrentCUDAStream(index_).stream(); }

  void sum_on(cudaStream_t on, const at::Tensor& tensor) {
    run(on, "all-reduce", [&](cudaStream_t stream) {
      return nccl()->all_reduce(tensor.data_ptr(), tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()),
                                type_of(tensor), kSum, communicator_, stream);
    });
  }

  /// What has been enqueued before on another stream comes first: a communicator does one thing after the other.
  template <class Call>
  void run(cudaStream_t stream, const char* what, const Call& call) {
    const c10::cuda::CUDAGuard guard(index_);
    last_.delay(stream);
    check(call(stream), what);
    last_.record(stream);
  }

  static Type type_of(const at::Tensor& tensor) {
    switch (tensor.scalar_type()) {
      case at::kFloat:
        return kFloat32;
      case at::kDouble:
        return kFloat64;
      case at::kLong:
        return kInt64;
      default:
        TORCH_CHECK(false, "NCCL: sums are of float32, float64 or int64, not ", tensor.scalar_type());
    }
  }

  c10::DeviceIndex index_;
  c10::cuda::CUDAStream side_;  ///< of sums beside other work
  Communicator communicator_ = nullptr;
  Event ready_, last_;
};

}  // namespace

std::string nccl_version() {
  int number = 0;  // 22809
  if (nccl() == nullptr || nccl()->version(&number) != kSuccess) return "";
  return c10::str("NCCL ", number / 10000, ".", number / 100 % 100, ".", number % 100);
}

std::string new_nccl_group() {
  TORCH_CHECK(nccl() != nullptr, "libnccl.so.2 cannot be loaded");
  Id id{};
  check(nccl()->id(&id), "naming a group");
  return {id.bytes.data(), id.bytes.size()};
}

std::unique_ptr<DeviceCollectives> make_nccl(int index, const std::string& group, int rank, int size) {
  TORCH_CHECK(nccl() != nullptr, "libnccl.so.2 cannot be loaded");
  Id id{};
  TORCH_CHECK(group.size() == id.bytes.size(), "a group of NCCL has ", id.bytes.size(), " bytes, not ", group.size());
  std::memcpy(id.bytes.data(), group.data(), group.size());
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  return std::make_unique<Collectives>(static_cast<c10::DeviceIndex>(index), id, rank, size);
}

}  // namespace nearfar::cuda
