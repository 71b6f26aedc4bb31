#include "store/test_database.h"

#include "base/error.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace nearfar::testing {
namespace {

std::string server() {
  const char* const address = std::getenv("NEARFAR_TEST_POSTGRES");
  return address == nullptr ? "" : address;
}

std::string execute_on(const std::string& address, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(address.c_str()), &PQfinish);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    throw Error(ErrorKind::store, fmt::format("{}: {}", sql, PQerrorMessage(connection.get())));
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

}  // namespace

bool on_server() { return !server().empty(); }

TestDatabase::TestDatabase() {
  if (!on_server()) {
    address_ = folder_.path() / "results.sqlite";
    return;
  }
  static int count = 0;
  name_ = fmt::format("test_{}_{}", ::getpid(), ++count);
  execute_on(server(), "CREATE DATABASE " + name_);
  address_ = server().substr(0, server().rfind('/') + 1) + name_;
}

TestDatabase::~TestDatabase() {
  if (name_.empty()) return;
  try {
    execute_on(server(), fmt::format("DROP DATABASE {} WITH (FORCE)", name_));
  } catch (const Error&) {  // the whole server goes away soon
  }
}

std::string TestDatabase::execute(const std::string& sql) const {
  if (on_server()) return execute_on(address_.string(), "SET search_path = nearfar; " + sql);
  SQLite::Database file(address_.string(), SQLite::OPEN_READWRITE);
  if (sql.starts_with("SELECT") || sql.starts_with("PRAGMA")) return file.execAndGet(sql).getString();
  file.exec(sql);
  return "";
}

}  // namespace nearfar::testing
