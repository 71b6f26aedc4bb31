#pragma once
/// One train cell and one eval cell of it, planned, in a database of its own: SQLite's, or a server's.
#include "base/error.h"
#include "base/files.h"
#include "store/sample.h"
#include "store/test_database.h"

#include <gtest/gtest.h>

namespace nearfar::testing {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    session_.in_transaction([&] {
      experiment_ = planning_.put_experiment(sample_experiment("one"));
      planning_.put_benchmark(sample_benchmark());
      put({train_, eval_});
    });
  }
  void put(const std::vector<CellRecord>& cells) { testing::put(session_, experiment_, cells); }
  std::string claim(const CellRecord& cell) { return queue_.claim(cell.key, context()).value().run_uid; }
  std::size_t value_count() const { return results_.frame().values.size(); }
  static bool skip_none(std::string_view) { return false; }

  TestDatabase database_;
  std::filesystem::path folder_ = database_.folder(), file_ = database_.address();
  Session session_ = Session::open(file_);
  PlanStore& planning_ = session_.planning();
  QueueStore& queue_ = session_.queue();
  const ResultStore& results_ = session_.results();
  CellRecord train_ = train_cell("ce", 0);
  CellRecord eval_ = eval_cell(train_, "knn");
  std::int64_t experiment_ = 0;
  Outcome result_ = eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0});
};

}  // namespace nearfar::testing
