#pragma once
/// Private to store/: the pieces that a Session is put together from, and what they share. Each works on a Database
/// that outlives it.
#include "store/database.h"
#include "store/planning.h"
#include "store/queue.h"
#include "store/results.h"

#include <memory>

namespace nearfar {

std::unique_ptr<PlanStore> make_planning(Database& database);
std::unique_ptr<QueueStore> make_queue(Database& database);
std::unique_ptr<ResultStore> make_results(Database& database);

std::optional<CellDetails> find_cell(Database& database, std::string_view key_or_prefix);   // find.cpp
ResultsFrame load_frame(Database& database, const std::optional<std::string>& experiment);  // frame.cpp
/// SELECT … of cells for read_status(); goes on with WHERE or ORDER BY.
extern const char* const kSelectStatus;
class Row;
CellStatus read_status(Row& row, const Database& database);

/// Within a transaction, for a run that just ended well.
void add_outcome(const Database& database, std::string_view run_uid, const Outcome& outcome);
Outcome read_outcome(const Database& database, std::string_view run_uid);

void add_event(const Database& database, std::string_view level, std::string_view cell_key, std::string_view message);
/// Id of the location for files beneath `root`, new if need be; its folder; both as planning.h says.
std::int64_t put_location(const Database& database, const std::filesystem::path& root);
std::filesystem::path location_folder(const Database& database, std::string_view host, std::string_view root);
/// Where the files of a run are looked for.
struct Place {
  std::filesystem::path folder = {};
  std::string elsewhere = {};  ///< as StoredCell::elsewhere
};
Place place_of(const Database& database, std::string_view host, std::string_view root);
/// `path` beneath it; "" for "". A run without a location: `path` as it is.
std::string located(const Database& database, std::string_view host, std::string_view root, const std::string& path);

/// Start and end of a run as shown: a run that did not end lasts until now.
struct Times {
  std::string started_utc, finished_utc;
  double seconds = 0;
};
Times times_of(std::int64_t started_unix_ms, std::int64_t finished_unix_ms, std::int64_t now_unix_ms);

/// "b;a;;b" → "a;b".
std::string canonical_flags(std::string_view flags);

}  // namespace nearfar
