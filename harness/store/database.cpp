#include "store/database.h"

#include <array>
#include <chrono>
#include <ctime>

namespace nearfar {

std::int64_t unix_ms() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string utc_text(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void Database::note_ready_change() {
  NEARFAR_ASSERT(depth_ > 0);
  ready_change_ = true;
  ++change_count_;
}

Database::Part::Part(Database& database, Begin begin) : database_(database), outermost_(database.depth_ == 0) {
  if (outermost_) {
    database_.begin(begin);
    database_.ready_change_ = false;
  } else {
    database_.begin_part();
  }
  ++database_.depth_;
}

void Database::Part::commit() {
  if (!outermost_) {
    database_.commit_part();
  } else {
    // The one row that many transactions change comes last: nobody who has it waits for anything.
    if (database_.ready_change_) database_.run("UPDATE ready_change SET change_count = change_count + 1");
    database_.commit();
  }
  done_ = true;
}

Database::Part::~Part() {
  --database_.depth_;
  if (done_) return;
  ++database_.change_count_;
  outermost_ ? database_.roll_back() : database_.roll_back_part();
}

}  // namespace nearfar
