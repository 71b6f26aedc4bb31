#include "store/postgres_connection.h"

#include "base/text.h"
#include "store/address.h"
#include "store/database.h"
#include "store/dialect.h"

#include <fmt/core.h>

#include <array>
#include <cstdlib>

namespace nearfar {
namespace {

// A planner that has stopped in the middle is put out after five minutes; whoever waits for it tries for longer.
constexpr const char* kSession =
    "SET client_min_messages = error; SET search_path = nearfar; SET jit = off;"
    " SET default_transaction_isolation = 'read committed'; SET lock_timeout = '60s';"
    " SET idle_in_transaction_session_timeout = '300s';"
    " SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false)"
    " END";
constexpr const char* kReadOnly = "SET default_transaction_read_only = on";

constexpr std::size_t kPipelined = 500;
constexpr int kOldestServer = 13;  // pg_current_xact_id()

std::string one_line(std::string_view text) {
  std::string line(trim(text));
  return replace_all(replace_all(std::move(line), "\n\t", " "), "\n", "; ");
}

/// SQLSTATE codes and their classes: appendix A of PostgreSQL's manual.
std::string advice(std::string_view code) {
  if (code == "42501") return "this user lacks a right: GRANT CREATE ON DATABASE, or all on schema nearfar, to it";
  if (code == "25006") return "this connection or server only reads: name the primary server, or another user";
  if (code == "53100") return "the server's disk is full; make room and run the same command again";
  if (code == "22021" || code == "22P05") return "the database must keep UTF-8: createdb -E UTF8 -T template0";
  if (code.starts_with("23") || code.starts_with("22"))
    return "a row breaks a rule of the schema: a bug in nearfar, or a benchmark, experiment or train cell that was not "
           "put first";
  if (code.starts_with("53")) return "the server has no room for more; stop some workers or raise its limits";
  if (code.starts_with("42"))
    return "the schema nearfar is not what this version expects; was it changed by hand? Name another database";
  return "see the server's log";
}

/// That may be gone in a moment: lost connections, a server that goes down or comes up, other transactions in the way.
bool passes(std::string_view code) {
  return code.starts_with("08") || code.starts_with("57P") || code == "25P03" || code.starts_with("40") ||
         code == "55P03";
}

std::string advice_on_connecting(std::string_view message) {
  if (message.find("password") != std::string_view::npos)
    return "put the password into ~/.pgpass (0600) or PGPASSWORD, and check the user's name";
  if (message.find("does not exist") != std::string_view::npos) return "make it with createdb and createuser";
  if (message.find("too many") != std::string_view::npos ||
      message.find("slots are reserved") != std::string_view::npos)
    return "stop some workers, or raise the server's max_connections";
  return "check host, port, name and that the server is up (pg_isready)";
}

}  // namespace

int PostgresResult::changed() const { return std::atoi(libpq().PQcmdTuples(result_.get())); }

std::string_view PostgresResult::text(int row, int column) const {
  return {libpq().PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(libpq().PQgetlength(result_.get(), row, column))};
}

PostgresConnection::PostgresConnection(std::string address, bool read_only)
    : address_(std::move(address)), name_(shown_database(address_)), read_only_(read_only) {}

void PostgresConnection::connect() {
  prepared_.clear();
  // The address comes last but one: what it says counts more than what stands before, not more than the encoding.
  constexpr std::array kNames = {"application_name",
                                 "connect_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "dbname",
                                 "client_encoding",
                                 static_cast<const char*>(nullptr)};
  const std::array<const char*, kNames.size()> values = {"nearfar",        "10",   "30",   "10", "3", "60000",
                                                         address_.c_str(), "UTF8", nullptr};
  connection_.reset(libpq().PQconnectdbParams(kNames.data(), values.data(), 1));
  if (libpq().PQstatus(connection_.get()) != CONNECTION_OK) {
    const std::string message = one_line(libpq().PQerrorMessage(connection_.get()));
    throw PassingError(fmt::format("{}: cannot connect: {}; {}", name_, message, advice_on_connecting(message)));
  }
  libpq().PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  execute(kSession);
  if (read_only_) execute(kReadOnly);
  const char* const version = libpq().PQparameterStatus(connection_.get(), "server_version");
  if (std::atoi(version) < kOldestServer) {
    throw Error(ErrorKind::store, fmt::format("{}: the server is PostgreSQL {}, expected {} or newer; name another "
                                              "server, or a file, with --db",
                                              name_, version, kOldestServer));
  }
  const std::string_view encoding = libpq().PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding != "UTF8") {
    throw Error(ErrorKind::store, fmt::format("{}: the database's encoding is {}, expected UTF8; make another with "
                                              "createdb -E UTF8 -T template0",
                                              name_, encoding));
  }
}

bool PostgresConnection::is_lost() const { return libpq().PQstatus(connection_.get()) != CONNECTION_OK; }

void PostgresConnection::fail(const PGresult* result) const {
  const char* const field = result != nullptr ? libpq().PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const std::string code = field != nullptr ? field : "";
  const char* const primary = result != nullptr ? libpq().PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  const std::string message = one_line(primary != nullptr ? primary : libpq().PQerrorMessage(connection_.get()));
  if (is_lost() || passes(code)) {
    throw PassingError(fmt::format("{}: {}: {}; nothing of this step was stored; run the same command again", name_,
                                   is_lost() ? "the connection was lost" : "other processes are in the way", message));
  }
  throw Error(ErrorKind::store,
              fmt::format("{}: database error: {} (SQLSTATE {}); {}", name_, message, code, advice(code)));
}

PostgresResult PostgresConnection::checked(PGresult* raw) const {
  PostgresResult result(raw);
  const ExecStatusType status = libpq().PQresultStatus(raw);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(raw);
  return result;
}

PostgresResult PostgresConnection::execute(const char* sql) const {
  return checked(libpq().PQexec(connection_.get(), sql));
}

const std::string& PostgresConnection::prepared(const char* sql, const std::vector<Oid>& types) const {
  std::string key = sql;
  for (const Oid type : types) key += fmt::format("\n{}", type);
  const auto found = prepared_.find(key);
  if (found != prepared_.end()) return found->second;
  const std::string name = fmt::format("s{}", prepared_.size());
  checked(libpq().PQprepare(connection_.get(), name.c_str(), to_postgres(sql).c_str(), static_cast<int>(types.size()),
                            types.data()));
  return prepared_.emplace(std::move(key), name).first->second;
}

namespace {
std::vector<const char*> pointers(const PostgresParameters& parameters) {
  std::vector<const char*> result;
  for (const auto& value : parameters.values) result.push_back(value ? value->c_str() : nullptr);
  return result;
}
}  // namespace

PostgresResult PostgresConnection::execute(const char* sql, const PostgresParameters& parameters) const {
  const std::string& statement = prepared(sql, parameters.types);
  const std::vector<const char*> values = pointers(parameters);
  return checked(libpq().PQexecPrepared(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                                        values.data(), nullptr, nullptr, 0));
}

void PostgresConnection::send(const std::string& statement, const PostgresParameters& parameters) const {
  const std::vector<const char*> values = pointers(parameters);
  if (libpq().PQsendQueryPrepared(connection_.get(), statement.c_str(), static_cast<int>(values.size()), values.data(),
                                  nullptr, nullptr, 0) == 0) {
    fail(nullptr);
  }
}

void PostgresConnection::execute_many(const char* sql, std::size_t count,
                                      const std::function<const PostgresParameters&(std::size_t)>& give,
                                      const std::function<void(std::size_t, PostgresResult)>& take) const {
  PGconn* const connection = connection_.get();
  for (std::size_t begin = 0; begin < count; begin += kPipelined) {
    const std::size_t end = std::min(count, begin + kPipelined);
    std::vector<std::pair<const std::string*, PostgresParameters>> all;
    for (std::size_t i = begin; i < end; ++i) {
      const PostgresParameters& parameters = give(i);
      all.emplace_back(&prepared(sql, parameters.types), parameters);  // before the pipeline: it would be in it
    }
    if (libpq().PQenterPipelineMode(connection) == 0) fail(nullptr);
    for (const auto& [statement, parameters] : all) send(*statement, parameters);
    if (libpq().PQpipelineSync(connection) == 0) fail(nullptr);
    std::vector<PostgresResult> results;
    std::optional<PostgresResult> failed;
    for (std::size_t i = begin; i < end; ++i) {
      PostgresResult result(libpq().PQgetResult(connection));
      const ExecStatusType status = libpq().PQresultStatus(result.get());
      const bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
      if (is_lost()) fail(result.get());
      (void)PostgresResult(libpq().PQgetResult(connection));  // the null between two statements
      if (good) {
        results.push_back(std::move(result));
      } else if (!failed) {
        failed.emplace(std::move(result));  // the others were not run
      }
    }
    (void)PostgresResult(libpq().PQgetResult(connection));  // of the sync
    libpq().PQexitPipelineMode(connection);
    if (failed) fail(failed->get());
    for (std::size_t i = begin; i < end; ++i) take(i, std::move(results[i - begin]));
  }
}

}  // namespace nearfar
