#pragma once
/// The parameter of methods whose score jumps where the last place of float32 decides: in which precision they look
/// into the network.
#include <nearfar/postprocessor.h>

namespace nearfar::common {

constexpr Param kPrecision{
    "precision", "float32", "float32|float64",
    "float64: images pass a float64 copy of the network for this method; slow, and the same on every machine"};

/// The batch as the parameter wants it.
class NetworkPrecision {
 public:
  explicit NetworkPrecision(const Params& params) : float64_(params.text(kPrecision.name) == "float64") {}
  NetworkBatch& of(NetworkBatch& batch) const { return float64_ ? batch.in_float64() : batch; }

 private:
  bool float64_;
};

}  // namespace nearfar::common
