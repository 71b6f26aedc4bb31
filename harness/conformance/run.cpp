#include "conformance/run.h"

#include "base/error.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "conformance/isolate.h"
#include "conformance/subject.h"
#include "device/device.h"

#include <ATen/Parallel.h>
#include <ATen/ops/ones.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <regex>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kFileCheck = "file";
constexpr const char* kLoadCheck = "loads";

/// What one process says of a check. `plugin`: of kLoadCheck, what is known of the plugin then.
struct Answer {
  CheckStatus status = CheckStatus::pass;
  std::string message = {};
  json plugin = {};
};

json facts_of(const Subject& subject) {
  const LoadedPlugin& plugin = subject.plugin();
  json facts{{"name", plugin.name()},
             {"version", plugin.version()},
             {"tier", plugin.description().tier},
             {"concerns", plugin.kind() == PluginKind::loss ? kOfLosses
                          : subject.looks_inside()          ? kOfNetworks
                                                            : kOfFeatures}};
  try {
    subject.params();
  } catch (const Error& error) {
    facts["usage"] = error.what();
  }
  return facts;
}

/// Everything that can come out of a check, as an answer.
Answer carry_out(const Check& check, const Subject& subject) {
  const auto failed = [](const std::string& what) {
    return Answer{.status = CheckStatus::fail, .message = "expected no error; seen: " + what};
  };
  at::set_num_threads(1);
  try {
    check.run(subject);
    Answer answer;
    if (check.name == std::string_view(kLoadCheck)) answer.plugin = facts_of(subject);
    return answer;
  } catch (const CheckEnd& end) {
    return {.status = end.status, .message = end.message};
  } catch (const c10::Error& error) {
    return failed(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return failed(error.what());
  } catch (...) {
    return failed("an exception that is not a std::exception");
  }
}

std::string text_of(const Answer& answer) {
  const json document{{"status", answer.status}, {"message", answer.message}, {"plugin", answer.plugin}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Answer answer_of(const IsolateEnd& end, const IsolateLimits& limits) {
  const std::string printed =
      end.output.empty()
          ? ""
          : fmt::format("; it printed: {}",
                        trim(std::string_view(end.output)
                                 .substr(end.output.size() - std::min<std::size_t>(end.output.size(), 400))));
  if (end.late) {
    return {.status = CheckStatus::hang,
            .message = fmt::format("expected an end within {:g} s; seen: it still ran{}", limits.seconds, printed)};
  }
  if (end.large) {
    return {.status = CheckStatus::crash,
            .message = fmt::format("expected at most {} of memory; seen: more, and it was ended{}",
                                   bytes_text(limits.bytes), printed)};
  }
  if (end.signal != 0) {
    return {.status = CheckStatus::crash,
            .message = fmt::format("expected that the process lives; seen: ended by signal {} ({}){}", end.signal,
                                   ::strsignal(end.signal), printed)};
  }
  const json document = json::parse(end.report, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded() || end.code != 0) {
    return {.status = CheckStatus::crash,
            .message = fmt::format("expected that the process lives; seen: it ended itself with exit code {}{}",
                                   end.code, printed)};
  }
  Answer answer{.status = document.at("status").get<CheckStatus>(),
                .message = document.at("message").get<std::string>(),
                .plugin = document.at("plugin")};
  if (answer.status == CheckStatus::fail) answer.message += printed;
  return answer;
}

/// For a shell.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-./=,:+@%") == std::string::npos;
  return plain ? word : "'" + replace_all(word, "'", "'\\''") + "'";
}

fs::path own_program() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

std::string reproduction(const CheckRequest& request, const std::string& name, const std::string& device) {
  std::vector<std::string> words{
      "gdb", "--args", quoted(own_program().string()), "check-one", quoted(fs::absolute(request.file).string()),
      name,  device};
  if (request.tolerance != CheckRequest{}.tolerance) words.push_back("--tolerance=" + number_text(request.tolerance));
  for (const std::string& assignment : request.assignments) words.push_back(quoted(assignment));
  return join(words, " ");
}

/// The accelerator that is part of nearfar becomes the device that is opened as "cuda". Why not, or "".
std::string open_fake_device() {
  const fs::path module = (own_program().parent_path() / "../../lib/nearfar/libnearfar_fake.so").lexically_normal();
  ::setenv("NEARFAR_DEVICE_MODULE", module.c_str(), /*overwrite=*/1);
  const DeviceStatus& status = probe_devices();
  return status.module != nullptr ? "" : status.reason;
}

/// What LibTorch does once in a process, before there are children to do it each. One thread: none is started.
void warm_up() {
  at::set_num_threads(1);
  const at::Tensor rows = at::ones({8, 8});
  rows.mm(rows).softmax(1).sub(1).norm(2, {1}, true).add(rows).sum();
}

class Run {
 public:
  explicit Run(const CheckRequest& request) : request_(request) {
    try {
      only_ = std::regex(request.only);
    } catch (const std::regex_error& error) {
      throw Error(ErrorKind::config,
                  fmt::format("--only '{}' is no regular expression: {}", request.only, error.what()));
    }
    if (std::ranges::none_of(all_checks(), [&](const Check& check) { return selected(check); })) {
      throw Error(ErrorKind::config,
                  fmt::format("--only '{}' fits no check; nearfar plugin check --list names them", request.only));
    }
    if (request.device != "all" && request.device != "cpu" && request.device != "fake")
      throw Error(ErrorKind::config, fmt::format("unknown device '{}'; expected cpu, fake or all", request.device));
    warm_up();
  }

  CheckReport report() {
    run_group("cpu", [&](const Check& check) { return is_first(check); });
    if (!plugin_.is_null() && plugin_.contains("usage"))
      throw Error(ErrorKind::config, plugin_.at("usage").get<std::string>());
    if (!plugin_.is_null()) concerns_ = plugin_.at("concerns").get<std::uint32_t>();
    if (request_.device != "fake") {
      run_group("cpu", [&](const Check& check) {
        return !is_first(check) && !check.only_devices && (check.concerns & concerns_) != 0;
      });
    }
    if (request_.device != "cpu") {
      why_no_device_ = plugin_.is_null() ? "" : open_fake_device();
      run_group("fake", [&](const Check& check) {
        return !is_first(check) && (check.on_devices || check.only_devices) && (check.concerns & concerns_) != 0;
      });
    }
    CheckReport report;
    if (!plugin_.is_null()) {
      report.plugin = plugin_.at("name");
      report.version = plugin_.at("version");
      report.tier = plugin_.at("tier");
    }
    report.rows = std::move(rows_);
    return report;
  }

 private:
  struct Running {
    const Check* check;
    std::unique_ptr<Isolate> process;
  };

  static bool is_first(const Check& check) {
    return check.name == std::string_view(kFileCheck) || check.name == std::string_view(kLoadCheck);
  }
  bool selected(const Check& check) const { return request_.only.empty() || std::regex_search(check.name, only_); }
  bool wanted(const Check& check, const std::vector<const Check*>& group) const {
    return selected(check) || std::ranges::any_of(group, [&](const Check* other) {
             const std::vector<std::string> before = split(other->after, ' ');
             return std::ranges::find(before, check.name) != before.end() && wanted(*other, group);
           });
  }

  /// Those of the table that `belongs` takes, so that no check runs before the one that it comes after.
  template <class Belongs>
  void run_group(const std::string& device, const Belongs& belongs) {
    std::vector<const Check*> group;
    for (const Check& check : all_checks()) {
      if (belongs(check)) group.push_back(&check);
    }
    std::vector<const Check*> waiting;
    for (const Check* check : group) {
      if (is_first(*check) || wanted(*check, group)) waiting.push_back(check);
    }
    std::map<std::string_view, CheckRow> done;
    std::vector<Running> running;
    const auto finish = [&](const Check& check, const Answer& answer, double seconds) {
      if (check.name == std::string_view(kLoadCheck)) plugin_ = answer.plugin;
      CheckRow row{.name = check.name,
                   .device = device,
                   .status = answer.status,
                   .message = answer.message,
                   .seconds = seconds,
                   .reproduce = {}};
      if (answer.status != CheckStatus::pass && answer.status != CheckStatus::skip)
        row.reproduce = reproduction(request_, row.name, device);
      outcomes_[{device, check.name}] = row.status;
      done.emplace(check.name, std::move(row));
    };
    while (!waiting.empty() || !running.empty()) {
      for (auto next = waiting.begin(); next != waiting.end();) {
        const std::optional<std::string> why_not = obstacle(**next, device);
        const bool room = request_.in_process || static_cast<int>(running.size()) < request_.jobs;
        if (!why_not || (why_not->empty() && !room)) {
          ++next;
          continue;
        }
        if (!why_not->empty()) {
          finish(**next, {.status = CheckStatus::skip, .message = *why_not}, 0);
        } else if (request_.in_process) {
          run_here(**next, device, finish);
        } else {
          running.push_back({*next, start(**next, device)});
        }
        next = waiting.erase(next);
      }
      wait(running);
      for (auto child = running.begin(); child != running.end();) {
        if (child->process->ended()) {
          const IsolateEnd end = child->process->end();
          finish(*child->check, answer_of(end, limits()), end.seconds);
          child = running.erase(child);
        } else {
          ++child;
        }
      }
    }
    for (const Check* check : group) {
      const auto row = done.find(check->name);
      if (row == done.end()) continue;
      const bool passed = row->second.status == CheckStatus::pass || row->second.status == CheckStatus::skip;
      if (selected(*check) || !passed) rows_.push_back(row->second);  // of one that others need, only bad news
    }
  }

  /// How the check ended, on this device or, where it is not run there, on the CPU; nothing while it is not over.
  std::optional<CheckStatus> outcome(const std::string& device, const std::string& name) const {
    for (const std::string& place : {device, std::string("cpu")}) {
      const auto found = outcomes_.find({place, name});
      if (found != outcomes_.end()) return found->second;
    }
    return std::nullopt;
  }

  /// May the check run? Null: not yet. "": yes. Else why not.
  std::optional<std::string> obstacle(const Check& check, const std::string& device) const {
    if (device != "cpu" && !why_no_device_.empty()) return "there is no accelerator here: " + why_no_device_;
    for (const std::string& name : split(check.after, ' ')) {
      const auto before = std::ranges::find_if(all_checks(), [&](const Check& one) { return one.name == name; });
      if (before == all_checks().end() || (before->concerns & concerns_) == 0) continue;
      const std::optional<CheckStatus> status = outcome(device, name);
      if (!status) return std::nullopt;
      if (*status != CheckStatus::pass && *status != CheckStatus::warn)
        return fmt::format("not run: {} did not pass", name);
    }
    return "";
  }

  IsolateLimits limits() const { return {.seconds = request_.seconds}; }

  std::unique_ptr<Isolate> start(const Check& check, const std::string& device) const {
    return std::make_unique<Isolate>(
        [&] {
          const Subject subject(request_.file, request_.assignments, device, request_.tolerance);
          return text_of(carry_out(check, subject));
        },
        limits(), check.exits);
  }

  template <class Finish>
  void run_here(const Check& check, const std::string& device, const Finish& finish) const {
    const Stopwatch since;
    const Subject subject(request_.file, request_.assignments, device, request_.tolerance);
    finish(check, carry_out(check, subject), since.seconds());
  }

  static void wait(const std::vector<Running>& running) {
    constexpr int kLook = 50;  // milliseconds: time and memory are looked at as often
    std::vector<pollfd> ends;
    for (const Running& child : running) ends.push_back({child.process->descriptor(), POLLIN, 0});
    if (!ends.empty()) ::poll(ends.data(), ends.size(), kLook);
  }

  const CheckRequest& request_;
  std::regex only_;
  json plugin_;  ///< null until it has been loaded
  std::uint32_t concerns_ = kOfAll;
  std::string why_no_device_;
  std::map<std::pair<std::string, std::string>, CheckStatus> outcomes_;  ///< by device and check
  std::vector<CheckRow> rows_;
};

}  // namespace

bool CheckReport::passed() const {
  return std::ranges::none_of(rows, [](const CheckRow& row) {
    return row.status == CheckStatus::fail || row.status == CheckStatus::crash || row.status == CheckStatus::hang;
  });
}

CheckReport run_checks(const CheckRequest& request) { return Run(request).report(); }

CheckRow run_one_check(const CheckRequest& request, const std::string& name) {
  const auto check = std::ranges::find_if(all_checks(), [&](const Check& one) { return one.name == name; });
  if (check == all_checks().end()) throw Error(ErrorKind::config, fmt::format("no check is called '{}'", name));
  if (request.device == "fake") {
    const std::string why_not = open_fake_device();
    if (!why_not.empty()) throw Error(ErrorKind::config, "there is no accelerator here: " + why_not);
  }
  warm_up();
  const Stopwatch since;
  const Subject subject(request.file, request.assignments, request.device, request.tolerance);
  const Answer answer = carry_out(*check, subject);
  return {.name = name,
          .device = request.device,
          .status = answer.status,
          .message = answer.message,
          .seconds = since.seconds(),
          .reproduce = {}};
}

}  // namespace nearfar
