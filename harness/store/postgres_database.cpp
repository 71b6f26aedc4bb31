#include "store/postgres_database.h"

#include "base/text.h"
#include "store/postgres_schema.h"
#include "store/schema.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>

namespace nearfar {
namespace {

using nlohmann::json;

// Of PostgreSQL's own pg_type.dat; libpq-dev has no header for them.
constexpr Oid kInt8 = 20, kText = 25, kJson = 114, kFloat8 = 701;

constexpr int kTries = 11;  // half a minute in all
constexpr int kLock = 1;    // key, beside kApplicationId, of the advisory lock that all writers hold

/// As PostgreSQL takes it: without zero bytes, and UTF-8. SQLite takes anything, and messages of children are anything.
std::string clean(std::string_view text) {
  const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) - 1u < 127; });
  if (ascii) return std::string(text);
  const std::string repaired = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  return replace_all(json::parse(repaired).get<std::string>(), std::string_view("\0", 1), "\uFFFD");
}

std::string json_of(const ParamValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "1" : "0";
  if (const double* real = std::get_if<double>(&value); real != nullptr && std::isinf(*real))
    return *real > 0 ? "1e999" : "-1e999";  // JSON has no name for it
  return std::visit([](const auto& held) { return json(held).dump(-1, ' ', false, json::error_handler_t::replace); },
                    value);
}

ParamValue value_of_json(std::string_view text) {
  if (text.starts_with('"')) return json::parse(text).get<std::string>();
  if (text.find_first_of(".eE") != std::string_view::npos) return std::strtod(std::string(text).c_str(), nullptr);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

class PostgresStatement final : public Statement {
 public:
  PostgresStatement(const PostgresConnection& connection, const char* sql) : connection_(connection), sql_(sql) {}

  void bind(int index, std::string_view text) override { set(index, kText, clean(text)); }
  void bind(int index, std::int64_t number) override { set(index, kInt8, std::to_string(number)); }
  void bind(int index, double number) override {
    if (std::isnan(number)) return bind_null(index, Type::real);  // as in SQLite
    set(index, kFloat8, fmt::format("{}", number));
  }
  void bind(int index, const ParamValue& value) override { set(index, kJson, json_of(value)); }
  void bind_null(int index, Type type) override {
    set(index, type == Type::text ? kText : type == Type::number ? kInt8 : kFloat8, std::nullopt);
  }

  bool step() override {
    if (!result_) result_.emplace(connection_.execute(sql_.c_str(), parameters_));
    return ++row_ < result_->rows();
  }
  void reset() override {
    result_.reset();
    row_ = -1;
  }
  int changed() const override { return result_ ? result_->changed() : 0; }

  bool is_null(int column) const override { return libpq().PQgetisnull(result_->get(), row_, column) != 0; }
  std::int64_t number(int column) const override {
    const std::string_view digits = text(column);
    std::int64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }
  double real(int column) const override {
    const std::string_view digits = text(column);
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc{} ? number : std::strtod(std::string(digits).c_str(), nullptr);
  }
  std::string_view text(int column) const override { return result_->text(row_, column); }
  ParamValue value(int column) const override { return value_of_json(text(column)); }

  const PostgresParameters& parameters() const { return parameters_; }
  void take(PostgresResult result) {
    result_.emplace(std::move(result));
    row_ = -1;
  }

 private:
  void set(int index, Oid type, std::optional<std::string> text) {
    const auto place = static_cast<std::size_t>(index);
    if (parameters_.values.size() < place) {
      parameters_.values.resize(place);
      parameters_.types.resize(place);
    }
    parameters_.values[place - 1] = std::move(text);
    parameters_.types[place - 1] = type;
  }

  const PostgresConnection& connection_;
  std::string sql_;  // a copy: it runs at the first step
  PostgresParameters parameters_;
  std::optional<PostgresResult> result_;
  int row_ = -1;
};

constexpr const char* kClock = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// With the lock first: the clock is read when it is there.
std::string begin_text(Database::Begin begin) {
  switch (begin) {
    case Database::Begin::exclusive:
    case Database::Begin::shared:
      return fmt::format("BEGIN; SELECT pg_advisory_xact_lock{}({}, {}); SELECT pg_current_xact_id()::text, {}",
                         begin == Database::Begin::shared ? "_shared" : "", kApplicationId, kLock, kClock);
    case Database::Begin::look:
      return fmt::format("BEGIN; SELECT '', {}", kClock);
    case Database::Begin::snapshot:
      break;
  }
  return fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT '', {}", kClock);
}

}  // namespace

PostgresDatabase::PostgresDatabase(const std::string& address, Mode mode)
    : connection_(address, mode == Mode::read_only) {
  connection_.connect();
  note_start(connection_.execute(fmt::format("SELECT '', {}", kClock).c_str()));
  const int version = checked_version();
  if (version == kSchemaVersion) return;
  if (mode == Mode::write) {
    make_schema();
    return;
  }
  throw Error(
      ErrorKind::store,
      version == 0
          ? fmt::format("{}: there are no results in this database; run an experiment first", name())
          : fmt::format("{}: the results have schema version {}, this nearfar reads version {}; `nearfar run` of "
                        "any experiment brings them up to date",
                        name(), version, kSchemaVersion));
}

bool PostgresDatabase::has_schema(const std::string& address) {
  PostgresConnection connection(address, true);
  connection.connect();
  return connection.execute("SELECT 1 WHERE to_regclass('nearfar.schema_version') IS NOT NULL").rows() > 0;
}

int PostgresDatabase::checked_version() const {
  if (number("SELECT 1 WHERE to_regclass('nearfar.schema_version') IS NULL")) {
    if (!number("SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('nearfar') LIMIT 1")) return 0;
    throw Error(ErrorKind::store,
                fmt::format("{}: the schema 'nearfar' of this database belongs to another program (no "
                            "table schema_version); nothing was changed; name another database",
                            name()));
  }
  const std::int64_t version = number("SELECT max(version) FROM schema_version").value_or(0);
  const auto known = postgres_migrations();
  const bool leads_on = std::ranges::find(known, version, &PostgresMigration::from) != known.end();
  if (version == kSchemaVersion || (version > 0 && leads_on)) return static_cast<int>(version);
  throw Error(ErrorKind::store, fmt::format("{}: the results have schema version {}, this nearfar knows version {}; {}",
                                            name(), version, kSchemaVersion,
                                            version > kSchemaVersion ? "use the newer nearfar that wrote them"
                                                                     : "name another database"));
}

void PostgresDatabase::make_schema() {
  transaction(Begin::exclusive, [&] {
    int version = checked_version();  // again, under the lock: another process may have been first
    while (version != kSchemaVersion) {
      const auto known = postgres_migrations();
      const auto step = std::ranges::find(known, version, &PostgresMigration::from);
      NEARFAR_ASSERT(step != known.end());
      connection_.execute(step->sql);
      version = step->to;
    }
  });
}

std::string PostgresDatabase::name() const { return connection_.name(); }
std::optional<std::filesystem::path> PostgresDatabase::folder() const { return std::nullopt; }

std::int64_t PostgresDatabase::now() const {
  const auto since = std::chrono::steady_clock::now() - server_seen_;
  return server_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

void PostgresDatabase::note_start(const PostgresResult& result) {
  transaction_ = result.text(0, 0);
  server_ms_ = std::stoll(std::string(result.text(0, 1)));
  server_seen_ = std::chrono::steady_clock::now();
}

bool PostgresDatabase::reserve(std::string_view what) const {
  return number("SELECT 1 WHERE pg_try_advisory_xact_lock(hashtextextended(?, 0))", what).has_value();
}

void PostgresDatabase::has_grown() const { connection_.execute("ANALYZE cell, cell_factor, experiment_cell"); }

std::unique_ptr<Statement> PostgresDatabase::prepare(const char* sql) const {
  return std::make_unique<PostgresStatement>(connection_, sql);
}

void PostgresDatabase::many(const char* sql, std::size_t count, const Each& bind, const Each& read) const {
  PostgresStatement statement(connection_, sql);
  connection_.execute_many(
      sql, count,
      [&](std::size_t i) -> const PostgresParameters& {
        bind(i, statement);
        return statement.parameters();
      },
      [&](std::size_t i, PostgresResult result) {
        statement.take(std::move(result));
        read(i, statement);
      });
}

void PostgresDatabase::begin(Begin begin) {
  const std::string text = begin_text(begin);
  for (int tries = 1;; ++tries) {
    try {
      return note_start(connection_.execute(text.c_str()));
    } catch (const PassingError& error) {
      roll_back();
      if (!wait_to_repeat(tries)) throw Error(ErrorKind::store, error.what());
    }
  }
}

void PostgresDatabase::commit() {
  const std::string transaction = std::exchange(transaction_, "");
  std::optional<PostgresResult> result;
  try {
    result.emplace(connection_.execute("COMMIT"));
  } catch (const PassingError&) {
    if (transaction.empty() || (connection_.is_lost() && was_committed(transaction))) return;
    throw;
  }
  if (result->tag() != "COMMIT")
    throw Error(ErrorKind::store, fmt::format("{}: the server undid a transaction of which a part had failed", name()));
}

bool PostgresDatabase::was_committed(const std::string& transaction) const {
  const std::string question = fmt::format("SELECT coalesce(pg_xact_status('{}'::xid8), '')", transaction);
  for (int tries = 1;; ++tries) {
    try {
      if (connection_.is_lost()) connection_.connect();
      const PostgresResult answer = connection_.execute(question.c_str());
      const std::string_view state = answer.text(0, 0);
      if (state == "committed" || state == "aborted") return state == "committed";
    } catch (const PassingError&) {  // still away
    }
    if (!wait_to_repeat(tries)) break;
  }
  throw Error(ErrorKind::store, fmt::format("{}: the connection was lost while a result was being stored, and the "
                                            "server does not come back to say whether it was; run the same command "
                                            "again: it looks",
                                            name()));
}

void PostgresDatabase::roll_back() noexcept {
  transaction_.clear();
  try {
    if (!connection_.is_lost()) connection_.execute("ROLLBACK");
  } catch (...) {  // a connection that was lost has rolled back
  }
}

void PostgresDatabase::begin_part() { connection_.execute("SAVEPOINT part"); }
void PostgresDatabase::commit_part() { connection_.execute("RELEASE SAVEPOINT part"); }
void PostgresDatabase::roll_back_part() noexcept {
  try {
    if (!connection_.is_lost()) connection_.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part");
  } catch (...) {  // the whole transaction fails at its next step
  }
}

bool PostgresDatabase::wait_to_repeat(int tries) const {
  if (tries >= kTries) return false;
  const std::chrono::milliseconds wait(std::min(50 << tries, 5000));
  std::this_thread::sleep_for(wait +
                              std::chrono::milliseconds(std::random_device{}() % 50));  // not all workers at once
  if (!connection_.is_lost()) return true;
  try {
    connection_.connect();
  } catch (const PassingError&) {  // the next try says so
  }
  return true;
}

}  // namespace nearfar
