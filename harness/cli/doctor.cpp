#include "base/error.h"
#include "base/locations.h"
#include "base/text.h"
#include "cli/plugin_folders.h"
#include "cli/verbs.h"
#include "data/image_set.h"
#include "plan/catalog.h"
#include "store/address.h"
#include "store/file_system.h"
#include "store/session.h"
#include "work/engine_client.h"
#include "work/jobs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <thread>

namespace nearfar {
namespace {
using nlohmann::json;
namespace fs = std::filesystem;

/// One thing looked at: ok, or not and why. `required` decides the exit code.
struct Finding {
  std::string name;
  bool ok = true;
  std::string message;
  bool required = true;
};

json machine() {
  utsname name{};
  ::uname(&name);
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  return {{"system", fmt::format("{} {} {}", name.sysname, name.release, name.machine)},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_gib", std::round(10.0 * static_cast<double>(pages) * static_cast<double>(page) / (1 << 30)) / 10}};
}

Finding engine_finding(json& document) {
  try {
    document["engine"] = wire::to_json(engine_doctor());
    return {.name = "engine",
            .message = fmt::format("LibTorch {}, CPU capability {}", document["engine"].at("torch").get<std::string>(),
                                   document["engine"].at("cpu_capability").get<std::string>())};
  } catch (const Error& error) {
    return {.name = "engine", .ok = false, .message = error.what()};
  }
}

Finding cuda_finding(const json& document) {
  if (!document.contains("engine"))
    return {.name = "cuda", .ok = false, .message = "the engine does not start", .required = false};
  const json& cuda = document.at("engine").at("cuda");
  return {.name = "cuda",
          .ok = cuda.at("usable").get<bool>(),
          .message = cuda.at("reason").get<std::string>(),
          .required = false};
}

std::vector<Finding> plugin_findings(const Paths& directories, json& document) {
  std::vector<Finding> findings;
  try {
    const Catalog catalog = read_catalog(engine_asker(), plugin_folders(directories, {}));
    std::vector<std::string> names;
    for (const PluginDescription* plugin : catalog.taken()) names.push_back(plugin->name);
    document["plugins"] = names;
    findings.push_back({.name = "plugins",
                        .ok = !names.empty(),
                        .message = fmt::format("{} in {} and the folders of `nearfar plugin path`: {}", names.size(),
                                               installed_plugins().string(), join(names, ", "))});
    for (const wire::Refusal& refusal : catalog.refusals)
      findings.push_back({.name = "plugin", .ok = false, .message = refusal.message, .required = false});
  } catch (const Error& error) {
    findings.push_back({.name = "plugins", .ok = false, .message = error.what()});
  }
  return findings;
}

std::vector<Finding> data_findings() {
  std::vector<Finding> findings;
  const auto folders = benchmark_folders({});
  for (const std::string& name : benchmark_names(folders)) {
    try {
      std::int64_t images = 0;
      for (const ManifestEntry& set : read_manifest(load_benchmark(name, folders)).sets) images += set.count;
      findings.push_back({.name = "data " + name,
                          .message = fmt::format("{} images, counts as the benchmark says", images),
                          .required = false});
    } catch (const Error& error) {
      findings.push_back({.name = "data " + name, .ok = false, .message = error.what(), .required = false});
    }
  }
  return findings;
}

Finding database_finding(const DatabaseArguments& arguments) {
  try {
    const Session session = Session::open_read_only(database_of(arguments));
    std::int64_t cells = 0;
    for (const CellCount& count : session.results().counts()) cells += count.count;
    return {.name = "database", .message = fmt::format("{}: {} cells", session.name(), cells), .required = false};
  } catch (const Error& error) {
    return {.name = "database", .ok = error.kind() == ErrorKind::nothing, .message = error.what(), .required = false};
  }
}

/// Where the database would lie; with a server, where the files would.
Finding file_system_finding(const DatabaseArguments& arguments) {
  try {
    const bool on_server = is_server(arguments.database);
    const bool has_file = !arguments.database.empty() && !on_server;
    const FileSystem system = file_system_of(has_file                ? arguments.database
                                             : arguments.out.empty() ? fs::current_path()
                                                                     : arguments.out);
    const double free_gib = static_cast<double>(system.free_bytes) / (1 << 30);
    const std::string folder = system.folder.string();
    if (several_hosts_use(system)) {
      if (on_server) {
        return {.name = "file system",
                .ok = free_gib > 1,
                .message = fmt::format("{}: a network file system, {:.0f} GiB free; all machines that share the server "
                                       "need it at this path",
                                       folder, free_gib)};
      }
      return {.name = "file system",
              .ok = false,
              .message = fmt::format("{}: a network file system ({}, type {:#x}): no place for a database; put it on a "
                                     "local disk with --db; several hosts: one database for each, then `nearfar merge`",
                                     folder, system.network_name, system.type),
              .required = false};
    }
    return {.name = "file system",
            .ok = free_gib > 1,
            .message = fmt::format("{}: local, {:.0f} GiB free", folder, free_gib)};
  } catch (const Error& error) {
    return {.name = "file system", .ok = false, .message = error.what()};
  }
}
}  // namespace

int doctor_verb(const Paths& plugin_dirs, const DatabaseArguments& database) {
  json document{{"nearfar", engine_version()}, {"machine", machine()}, {"prefix", prefix().string()}};
  std::vector<Finding> findings{engine_finding(document)};
  findings.push_back(cuda_finding(document));
  for (auto& finding : plugin_findings(plugin_dirs, document)) findings.push_back(std::move(finding));
  for (auto& finding : data_findings()) findings.push_back(std::move(finding));
  findings.push_back(database_finding(database));
  findings.push_back(file_system_finding(database));
  bool ok = true;
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings) {
    ok = ok && (finding.ok || !finding.required);
    document["findings"].push_back(
        {{"name", finding.name}, {"ok", finding.ok}, {"required", finding.required}, {"message", finding.message}});
    rows.push_back({finding.ok ? "ok" : finding.required ? "FAIL" : "no", finding.name, finding.message});
  }
  document["ok"] = ok;
  if (database.json) {
    fmt::print("{}\n", document.dump(2));
  } else {
    const json& m = document.at("machine");
    fmt::print("nearfar {} on {}, {} cores, {} GiB\n{}", engine_version(), m.at("system").get<std::string>(),
               m.at("cores").dump(), m.at("memory_gib").dump(), table(rows, {false, false, false}));
  }
  return ok ? 0 : exit_code(ErrorKind::config);
}

}  // namespace nearfar
