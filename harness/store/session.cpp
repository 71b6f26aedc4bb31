#include "store/session.h"

#include "store/address.h"
#include "store/parts.h"
#include "store/postgres_database.h"
#include "store/sqlite_database.h"

#include <utility>

namespace nearfar {
namespace {

std::unique_ptr<Database> connected(const std::filesystem::path& database, Database::Mode mode) {
  if (is_server(database)) return std::make_unique<PostgresDatabase>(database.string(), mode);
  return std::make_unique<SqliteDatabase>(database, mode);
}

}  // namespace

struct Session::Impl {
  Impl(const std::filesystem::path& name, Database::Mode mode) : database(connected(name, mode)) {}

  std::unique_ptr<Database> database;
  std::unique_ptr<PlanStore> planning = make_planning(*database);
  std::unique_ptr<QueueStore> queue = make_queue(*database);
  std::unique_ptr<ResultStore> results = make_results(*database);
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::open(const std::filesystem::path& database) {
  return Session(std::make_unique<Impl>(database, Database::Mode::write));
}
Session Session::open_read_only(const std::filesystem::path& database) {
  return Session(std::make_unique<Impl>(database, Database::Mode::read_only));
}
bool Session::exists(const std::filesystem::path& database) {
  return is_server(database) ? PostgresDatabase::has_schema(database.string()) : std::filesystem::exists(database);
}

std::string Session::name() const { return impl_->database->name(); }
void Session::in_transaction(const std::function<void()>& work) {
  impl_->database->once(Database::Begin::exclusive, work);
}
void Session::while_claiming(const std::function<void()>& work) {
  impl_->database->transaction(Database::Begin::shared, work);
}

PlanStore& Session::planning() { return *impl_->planning; }
QueueStore& Session::queue() { return *impl_->queue; }
const ResultStore& Session::results() const { return *impl_->results; }

}  // namespace nearfar
