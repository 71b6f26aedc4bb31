#include "work/engine_client.h"

#include "base/error.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "wire/messages.h"
#include "work/child.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace nearfar {
namespace {

template <class T>
T answer(const std::string& verb, const wire::Json& job, const AskLimits& limits = {}) {
  T facts;
  wire::read(ask_engine(verb, job, limits), facts, verb);
  return facts;
}

/// What poll() waits at most: until the time is over. -1 = for ever.
int milliseconds_left(const AskLimits& limits, const Stopwatch& watch) {
  if (limits.seconds <= 0) return -1;
  return static_cast<int>(std::clamp(1000 * (limits.seconds - watch.seconds()), 0.0, 1e9));
}

/// Says nothing where it ended well.
void require_good_end(const std::string& verb, const ProcessExit& end, const std::string& last_words,
                      const AskLimits& limits) {
  if (end.killed_for == KilledFor::memory) {
    throw Error(limits.crash, fmt::format("nearfar-engine {} was killed: it used more memory than {}", verb,
                                          bytes_text(limits.memory_bytes)));
  }
  if (end.killed_for == KilledFor::processes)
    throw Error(limits.crash, fmt::format("nearfar-engine {} was killed: it started too many processes", verb));
  if (end.signal == 0 && last_words.empty()) return;
  const std::string signal =
      end.signal == 0 ? "" : fmt::format(" by signal {} ({})", end.signal, ::strsignal(end.signal));
  throw Error(limits.crash, fmt::format("nearfar-engine {} was ended{}{}{}", verb, signal,
                                        last_words.empty() ? "" : ": ", last_words));
}

}  // namespace

wire::Json ask_engine(const std::string& verb, const wire::Json& job, const AskLimits& limits) {
  Child child({.verb = verb,
               .job = wire::dump(job),
               .log = {},
               .threads = limits.threads,
               .memory_bytes = limits.memory_bytes});
  const Stopwatch watch;
  std::optional<wire::Json> result;
  std::string last_words;
  while (!child.ended()) {
    pollfd wait_for{child.message_fd(), POLLIN, 0};
    ::poll(&wait_for, 1, milliseconds_left(limits, watch));
    if (limits.seconds > 0 && watch.seconds() > limits.seconds) {  // the child is killed with `child`
      throw Error(limits.crash, fmt::format("nearfar-engine {} was not done after {:g} seconds and was killed", verb,
                                            limits.seconds));
    }
    for (const std::string& line : child.read_lines()) {
      wire::AnyMessage message = wire::message_of(line);
      if (const auto* error = std::get_if<wire::JobError>(&message)) {
        child.wait();
        throw Error(kind_from_name(error->kind), error->message);
      }
      if (auto* found = std::get_if<wire::Result>(&message)) result = std::move(found->document);
      if (const auto* dying = std::get_if<wire::Dying>(&message)) last_words = dying->message;
    }
  }
  const ProcessExit end = child.wait();
  require_good_end(verb, end, last_words, limits);
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
  return answer<wire::ScoreFacts>("score", wire::to_json(job), {.threads = static_cast<int>(job.compute.threads)});
}
wire::WeightsFacts engine_import(const wire::WeightsJob& job) {
  return answer<wire::WeightsFacts>("import", wire::to_json(job));
}
wire::NetworkFacts engine_network(const wire::NetworkJob& job, int threads) {
  return answer<wire::NetworkFacts>("network", wire::to_json(job), {.threads = threads});
}
wire::DoctorFacts engine_doctor() { return answer<wire::DoctorFacts>("doctor", wire::to_json(wire::Nothing{})); }
std::vector<wire::ModelFacts> engine_models() {
  return answer<std::vector<wire::ModelFacts>>("models", wire::to_json(wire::Nothing{}));
}
wire::BenchFacts engine_bench(const wire::BenchJob& job, const AskLimits& limits) {
  return answer<wire::BenchFacts>("bench", wire::to_json(job), limits);
}

}  // namespace nearfar
