#include "store/session.h"

#include "store/parts.h"

#include <utility>

namespace nearfar {

struct Session::Impl {
  Impl(const std::filesystem::path& file, Database::Mode mode) : database(file, mode) {}

  Database database;
  std::unique_ptr<PlanStore> planning = make_planning(database);
  std::unique_ptr<QueueStore> queue = make_queue(database);
  std::unique_ptr<ResultStore> results = make_results(database);
};

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::open(const std::filesystem::path& file) {
  return Session(std::make_unique<Impl>(file, Database::Mode::write));
}
Session Session::open_read_only(const std::filesystem::path& file) {
  return Session(std::make_unique<Impl>(file, Database::Mode::read_only));
}

const std::filesystem::path& Session::file() const { return impl_->database.file(); }
void Session::in_transaction(const std::function<void()>& work) { impl_->database.transaction(work); }

PlanStore& Session::planning() { return *impl_->planning; }
QueueStore& Session::queue() { return *impl_->queue; }
const ResultStore& Session::results() const { return *impl_->results; }

}  // namespace nearfar
