#pragma once
/// Private to host/c_objects.cpp: a NetworkBatch as the functions of <nearfar/c.h>.
#include <nearfar/c.h>
#include <nearfar/network_batch.h>
#include <nearfar/plugin_text.h>

#include <memory>

namespace nearfar {

/// Lives for one call of observe(). What the batch throws becomes a status with a text.
class CNetwork {
 public:
  CNetwork(NetworkBatch& batch, Needs needs);
  CNetwork(const CNetwork&) = delete;
  CNetwork& operator=(const CNetwork&) = delete;
  const nearfar_network& given() const { return given_; }

 private:
  static CNetwork& of(void* context) { return *static_cast<CNetwork*>(context); }
  NetworkBatch& batch_;
  Needs needs_;
  std::unique_ptr<CNetwork> exact_;  // in_float64()
  nearfar_network given_;
};

}  // namespace nearfar
