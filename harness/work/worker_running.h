#pragma once
/// Private to the worker: one engine at work.
#include "work/worker.h"

namespace nearfar {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

struct Worker::Running {
  Task task;
  std::size_t model = 0;
  std::map<std::string, Lease> leases;  ///< by key, until settled
  std::size_t slot = 0;                 ///< of WorkerOptions::devices
  std::filesystem::path out;
  std::vector<wire::Protocol> protocols = {};
  std::vector<PassRow> passes = {};
  std::unique_ptr<Process> process = {};
  bool closed = false;
};

}  // namespace nearfar
