#include "work/check_client.h"

#include "work/engine_client.h"

namespace nearfar {

wire::CheckFacts engine_check(const wire::CheckJob& job) {
  wire::CheckFacts facts;
  wire::read(ask_engine("check", wire::to_json(job)), facts, "check");
  return facts;
}

}  // namespace nearfar
