// nearfar-engine VERB: the child process that links LibTorch. The job is JSON on stdin, messages are JSON lines on
// descriptor 3.
#include "base/error.h"
#include "base/log.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "train/trainer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <string>

namespace {
using nearfar::ErrorKind;

/// Cells have a log file for it; elsewhere the parent tells the person, once.
int report(const std::string& verb, ErrorKind kind, const std::string& message, const char* state) {
  if (verb == "train" || verb == "eval" || !nearfar::has_parent()) nearfar::log_error(message);
  nearfar::send({{"type", "error"}, {"kind", nearfar::kind_name(kind)}, {"state", state}, {"message", message}});
  return nearfar::exit_code(kind);
}

int run(const std::string& verb) {
  using Verb = void (*)(const nlohmann::json&);
  static const std::map<std::string, Verb> verbs{{"inspect", nearfar::inspect}, {"models", nearfar::models},
                                                 {"weights", nearfar::weights}, {"import", nearfar::import_file},
                                                 {"score", nearfar::score},     {"train", nearfar::train_cell},
                                                 {"eval", nearfar::eval_group}, {"doctor", nearfar::doctor}};
  const auto found = verbs.find(verb);
  if (found == verbs.end())
    throw nearfar::Error(
        ErrorKind::config,
        fmt::format("nearfar-engine: unknown verb '{}'; it is started by nearfar, not by people", verb));
  const std::string job(std::istreambuf_iterator<char>(std::cin), {});
  nearfar::watch_for_stop();
  found->second(nlohmann::json::parse(job));
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  nearfar::init_logging(nearfar::LogLevel::info, verb.empty() ? "engine" : verb);
  try {
    return run(verb);
  } catch (const nearfar::NonFiniteLoss& error) {
    return report(verb, error.kind(), error.what(), "nan");
  } catch (const nearfar::Error& error) {
    return report(verb, error.kind(), error.what(), "failed");
  } catch (const std::exception& error) {
    return report(verb, ErrorKind::internal, error.what(), "failed");
  }
}
