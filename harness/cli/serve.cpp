/// `nearfar serve`: its options and what it does.
#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/load_leaderboard.h"
#include "cli/options_parts.h"
#include "cli/reproduce.h"
#include "cli/show.h"
#include "serve/server.h"
#include "serve/site.h"
#include "store/address.h"
#include "store/session.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {
namespace {

struct ServeArguments {
  DatabaseArguments database;
  std::string host = "127.0.0.1", token;
  int port = 8080;
  std::vector<std::string> names;
};

/// A database that is not there yet may come: pages say so until then. One that is there and cannot be read is refused.
void look_at(const std::filesystem::path& database) {
  if (!Session::exists(database)) {
    log_warn(fmt::format("{}: there is no results database yet; pages say so until `nearfar run` makes it",
                         shown_database(database)));
    return;
  }
  Session::open_read_only(database);
}

int serve(const ServeArguments& arguments) {
  const std::filesystem::path database = database_of(arguments.database);
  look_at(database);
  const Site site(
      {.database = database,
       .templates = share() / "reports",
       .host = arguments.host,
       .token = arguments.token,
       .names = arguments.names,
       .leaderboard = [](const Session& session, const Results& results) { return load_leaderboard(session, results); },
       .figures = [](const Session& session, const Results& results,
                     const Leaderboard& leaderboard) { return load_figures(session, results, leaderboard); },
       .reproduce = reproduce_command,
       .describe = details_text});
  Server server([&](const HttpRequest& request) { return site.respond(request); }, arguments.host, arguments.port);
  const StopSignals signals(StopSignals::Second::ends_process);
  std::future<void> answering = std::async(std::launch::async, [&] { server.run(); });
  if (arguments.database.json)
    fmt::print("{}\n", nlohmann::json{{"url", server.url()}, {"database", shown_database(database)}}.dump());
  else
    fmt::print("{}\n", server.url());
  std::fflush(stdout);
  constexpr std::chrono::milliseconds kLook{100};
  while (signals.count() == 0 && answering.wait_for(kLook) != std::future_status::ready) {
  }
  server.stop();
  answering.get();
  if (!arguments.database.json) fmt::print("stopped\n");
  return 0;
}

}  // namespace

Action declare_serve(CLI::App& verb) {
  const auto arguments = std::make_shared<ServeArguments>();
  verb.add_option("--host", arguments->host, "address to listen on; any but this machine's own needs a token")
      ->capture_default_str();
  verb.add_option("--port", arguments->port, "0: any that is free")->check(CLI::Range(0, 65535))->capture_default_str();
  verb.add_option("--token", arguments->token,
                  "who asks must have it; better in the environment, where ps does not show it")
      ->envname("NEARFAR_TOKEN");
  verb.add_option("--allow-host", arguments->names, "a further name of this server, behind a proxy; may be repeated")
      ->allow_extra_args(false);
  add_json(verb, arguments->database.json);
  add_database(verb, arguments->database);
  return [arguments] { return serve(*arguments); };
}

}  // namespace nearfar
