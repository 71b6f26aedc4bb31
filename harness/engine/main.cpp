// nearfar-engine VERB: the child process that links LibTorch. The job is JSON on stdin, messages are JSON lines on
// descriptor 3.
#include "base/error.h"
#include "base/log.h"
#include "device/out_of_memory.h"
#include "engine/check.h"
#include "engine/dying.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "train/trainer.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <span>
#include <string>

namespace {
using nearfar::ErrorKind;

/// Cells have a log file for it; elsewhere the parent tells the person, once.
int report(const std::string& verb, ErrorKind kind, const std::string& message, const char* state) {
  if (verb == "train" || verb == "eval" || !nearfar::has_parent()) nearfar::log_error(message);
  nearfar::send(nearfar::wire::JobError{std::string(nearfar::kind_name(kind)), state, message});
  return nearfar::exit_code(kind);
}

/// A verb that reads its job as `Job` and does it.
template <class Job, void (*verb)(const Job&)>
void with_job(const std::string& name, const std::string& text) {
  verb(nearfar::wire::parse<Job>(text, name + " job"));
}

int run(const std::string& verb) {
  using namespace nearfar;
  using Verb = void (*)(const std::string&, const std::string&);
  static const std::map<std::string, Verb> verbs{
      {"inspect", with_job<wire::InspectJob, inspect>}, {"models", with_job<wire::Nothing, models>},
      {"weights", with_job<wire::WeightsJob, weights>}, {"import", with_job<wire::WeightsJob, import_file>},
      {"score", with_job<wire::ScoreJob, score>},       {"train", with_job<wire::TrainJob, train_cell>},
      {"eval", with_job<wire::EvalJob, eval_group>},    {"network", with_job<wire::NetworkJob, network>},
      {"doctor", with_job<wire::Nothing, doctor>},      {"check", with_job<wire::CheckJob, check>},
      {"bench", with_job<wire::BenchJob, bench>},       {"loss", with_job<wire::LossJob, loss>}};
  const auto found = verbs.find(verb);
  if (found == verbs.end()) {
    throw Error(ErrorKind::config,
                fmt::format("nearfar-engine: unknown verb '{}'; it is started by nearfar, not by people", verb));
  }
  const std::string job(std::istreambuf_iterator<char>(std::cin), {});
  watch_for_stop();
  if (has_parent()) tell_when_dying();
  found->second(verb, job);
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  nearfar::init_logging(nearfar::LogLevel::info, verb.empty() ? "engine" : verb);
  try {
    if (verb == "check-one") return nearfar::check_one(std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
    return run(verb);
  } catch (const nearfar::NonFiniteLoss& error) {
    return report(verb, error.kind(), error.what(), "nan");
  } catch (const nearfar::DeviceOutOfMemory& error) {
    return report(verb, error.kind(), error.what(), "oom");
  } catch (const c10::OutOfMemoryError& error) {
    return report(verb, ErrorKind::plugin, nearfar::out_of_memory_text(error), "oom");
  } catch (const nearfar::HostOutOfMemory& error) {
    return report(verb, error.kind(), error.what() + nearfar::memory_text(), "oom");
  } catch (const nearfar::Error& error) {
    return report(verb, error.kind(), error.what(), "failed");
  } catch (const std::exception& error) {
    const bool memory = nearfar::is_host_out_of_memory(error);
    return report(verb, ErrorKind::internal, nearfar::message_of(error) + (memory ? nearfar::memory_text() : ""),
                  memory ? "oom" : "failed");
  }
}
