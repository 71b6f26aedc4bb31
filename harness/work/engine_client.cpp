#include "work/engine_client.h"

#include "base/error.h"
#include "wire/messages.h"
#include "work/child.h"

#include <fmt/format.h>
#include <poll.h>

#include <cstring>
#include <optional>

namespace nearfar {
namespace {

template <class T>
T answer(const std::string& verb, const wire::Json& job, int threads = 1) {
  T facts;
  wire::read(ask_engine(verb, job, threads), facts, verb);
  return facts;
}

}  // namespace

wire::Json ask_engine(const std::string& verb, const wire::Json& job, int threads) {
  Child child({.verb = verb, .job = wire::dump(job), .log = {}, .threads = threads});
  std::optional<wire::Json> result;
  while (!child.ended()) {
    pollfd wait_for{child.message_fd(), POLLIN, 0};
    ::poll(&wait_for, 1, -1);
    for (const std::string& line : child.read_lines()) {
      wire::AnyMessage message = wire::message_of(line);
      if (const auto* error = std::get_if<wire::JobError>(&message)) {
        child.wait();
        throw Error(kind_from_name(error->kind), error->message);
      }
      if (auto* found = std::get_if<wire::Result>(&message)) result = std::move(found->document);
    }
  }
  const ProcessExit end = child.wait();
  if (end.signal != 0) {
    throw Error(ErrorKind::internal, fmt::format("nearfar-engine {} was ended by signal {} ({})", verb, end.signal,
                                                 ::strsignal(end.signal)));
  }
  if (!result) {
    throw Error(ErrorKind::internal,
                fmt::format("nearfar-engine {} ended with exit code {} and no result", verb, end.code));
  }
  return std::move(*result);
}

AskEngine engine_asker() {
  return [](const std::string& verb, const wire::Json& job) { return ask_engine(verb, job); };
}

wire::ScoreFacts engine_score(const wire::ScoreJob& job) {
  return answer<wire::ScoreFacts>("score", wire::to_json(job), static_cast<int>(job.compute.threads));
}
wire::WeightsFacts engine_import(const wire::WeightsJob& job) {
  return answer<wire::WeightsFacts>("import", wire::to_json(job));
}
wire::NetworkFacts engine_network(const wire::NetworkJob& job, int threads) {
  return answer<wire::NetworkFacts>("network", wire::to_json(job), threads);
}
wire::DoctorFacts engine_doctor() { return answer<wire::DoctorFacts>("doctor", wire::to_json(wire::Nothing{})); }
std::vector<wire::ModelFacts> engine_models() {
  return answer<std::vector<wire::ModelFacts>>("models", wire::to_json(wire::Nothing{}));
}

}  // namespace nearfar
