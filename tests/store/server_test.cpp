/// What only a server does: connections that break, several who work at once, a schema among others'. Runs where
/// NEARFAR_TEST_POSTGRES names one (ctest -L postgres).
#include "base/text.h"
#include "store/fixture.h"
#include "store/proxy.h"
#include "store/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include <future>
#include <limits>
#include <set>

namespace nearfar {
namespace {

using testing::context, testing::eval_cell, testing::Proxy, testing::train_cell;
class Server : public testing::StoreTest {
 protected:
  void SetUp() override {
    if (!testing::on_server()) GTEST_SKIP() << "no server here: ctest -L postgres starts one";
  }
};

/// The message of the Error(store) that `work` throws; "" if it throws none.
template <class Work>
std::string refusal(Work work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::store);
    return error.what();
  }
  return "";
}

std::vector<CellRecord> many(int count) {
  std::vector<CellRecord> cells;
  for (int seed = 0; seed < count; ++seed) cells.push_back(train_cell("ce", seed));
  return cells;
}

/// Every connection but the one that asks.
constexpr const char* kBreakAll =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <>"
    " pg_backend_pid()";

TEST_F(Server, ABrokenConnectionIsMadeAnewBetweenTwoCalls) {
  database_.execute(kBreakAll);
  EXPECT_EQ(results_.state(eval_.key), CellState::planned) << "a read";
  const std::string run = claim(eval_);
  database_.execute(kBreakAll);
  queue_.finish(run, result_);
  EXPECT_EQ(value_count(), 8u);
  database_.execute(kBreakAll);
  session_.in_transaction([&] { put({train_}); });
  EXPECT_EQ(results_.cells("one").size(), 1u);
}

TEST_F(Server, ATransactionThatBreaksIsUndoneAsAWhole) {
  const std::string message = refusal([&] {
    session_.in_transaction([&] {
      put({train_, eval_, train_cell("ce", 9)});
      database_.execute(kBreakAll);
      (void)claim(eval_);
    });
  });
  EXPECT_NE(message.find("connection was lost"), std::string::npos) << message;
  EXPECT_EQ(results_.cells().size(), 2u);
  EXPECT_EQ(results_.state(eval_.key), CellState::planned);
}

TEST_F(Server, ClaimingIsRepeatedWhenItBreaks) {
  int calls = 0;
  std::string run;
  session_.while_claiming([&] {
    const auto group = queue_.next_ready(experiment_, skip_none);
    if (++calls == 1) database_.execute(kBreakAll);
    run = queue_.claim(group->keys.front(), context())->run_uid;
  });
  EXPECT_EQ(calls, 2);
  queue_.finish(run, {});
  EXPECT_EQ(results_.find(train_.key)->runs.size(), 1u) << "once";
}

/// A session whose connection a proxy breaks off.
class ServerCommit : public Server {
 protected:
  ServerCommit() {
    if (!testing::on_server()) return;
    const std::string address = file_.string(),
                      host = replace_all(address.substr(20, address.rfind('/') - 20), "%2F", "/");
    proxy_.emplace(folder_, host);
    through_.emplace(Session::open(fmt::format("postgresql://tester@{}/{}", replace_all(folder_.string(), "/", "%2F"),
                                               address.substr(address.rfind('/') + 1))));
  }

  std::optional<Proxy> proxy_;
  std::optional<Session> through_;  // goes first
};

TEST_F(ServerCommit, WithoutAnAnswerIsLookedUpAndNotDoneTwice) {
  proxy_->break_off(Proxy::Break::after_commit);
  const std::optional<Lease> lease = through_->queue().claim(eval_.key, context());
  ASSERT_TRUE(proxy_->has_broken_off());
  ASSERT_TRUE(lease) << "the claim was stored, so it is this session's";
  proxy_->break_off(Proxy::Break::after_commit);
  through_->queue().finish(lease->run_uid, result_);
  EXPECT_EQ(results_.state(eval_.key), CellState::ok);
  EXPECT_EQ(results_.find(eval_.key)->runs.size(), 1u);
}

TEST_F(ServerCommit, ThatDidNotArriveIsDoneAgain) {
  proxy_->break_off(Proxy::Break::before_commit);
  const std::optional<Lease> lease = through_->queue().claim(eval_.key, context());
  ASSERT_TRUE(proxy_->has_broken_off());
  ASSERT_TRUE(lease);
  proxy_->break_off(Proxy::Break::before_commit);
  through_->queue().finish(lease->run_uid, result_);
  EXPECT_EQ(results_.find(eval_.key)->runs.size(), 1u);
  EXPECT_EQ(value_count(), 8u);
}

TEST_F(ServerCommit, OfWhatIsCalledOnceIsAnErrorWhenItDidNotArrive) {
  proxy_->break_off(Proxy::Break::before_commit);
  EXPECT_NE(refusal([&] {
              through_->in_transaction([&] { through_->queue().event("info", "", "hello"); });
            }).find("nothing of this step was stored"),
            std::string::npos);
  EXPECT_TRUE(results_.events().empty());
  proxy_->break_off(Proxy::Break::after_commit);
  through_->in_transaction([&] { through_->queue().event("info", "", "hello"); });
  EXPECT_EQ(results_.events().size(), 1u);
}

TEST_F(Server, WorkersThatClaimAtTheSameTimeGetDifferentGroups) {
  put(many(3));
  Session other = Session::open(file_);
  session_.while_claiming([&] {
    const std::string mine = queue_.next_ready(experiment_, skip_none)->keys.front();
    other.while_claiming([&] {  // does not wait for the first
      EXPECT_NE(other.queue().next_ready(experiment_, skip_none)->keys.front(), mine);
    });
    EXPECT_TRUE(queue_.claim(mine, context()));
    EXPECT_FALSE(other.queue().claim(mine, context())) << "nor for its cell";
  });
}

TEST_F(Server, WhatAnotherWorkerHadInHandIsOfferedAgainWhenItLetsGo) {
  put({train_});
  Session other = Session::open(file_);
  try {
    session_.while_claiming([&] {
      ASSERT_TRUE(queue_.next_ready(experiment_, skip_none));
      EXPECT_FALSE(other.queue().next_ready(experiment_, skip_none));
      throw Error(ErrorKind::config, "changed my mind");
    });
  } catch (const Error&) {
  }
  EXPECT_TRUE(other.queue().next_ready(experiment_, skip_none));
}

TEST_F(Server, PlanningWaitsForClaimsAndClaimsForPlanning) {
  std::future<void> planner;
  session_.while_claiming([&] {
    planner = std::async(std::launch::async, [&] {
      testing::put(*std::make_unique<Session>(Session::open(file_)), experiment_, {train_});
    });
    EXPECT_EQ(planner.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
    EXPECT_TRUE(queue_.claim(eval_.key, context()));
  });
  planner.get();
  EXPECT_EQ(results_.cells("one").size(), 1u);
}

TEST_F(Server, ReadersWaitForNobody) {
  const Session reader = Session::open_read_only(file_);
  session_.in_transaction([&] {
    put({train_, eval_, train_cell("ce", 9)});
    (void)claim(eval_);
    EXPECT_EQ(reader.results().cells().size(), 2u);
    EXPECT_EQ(reader.results().counts().size(), 2u);
    EXPECT_EQ(reader.results().find(eval_.key)->status.state, CellState::planned);
  });
  EXPECT_EQ(reader.results().cells().size(), 3u);
}

TEST_F(Server, PlannersOfTheSameCellsAtOnceAgree) {
  const std::vector<CellRecord> forward = many(200);
  const std::vector<CellRecord> backward(forward.rbegin(), forward.rend());
  std::vector<std::future<void>> planners;
  for (int i = 0; i < 4; ++i) {
    planners.push_back(std::async(std::launch::async, [&, i] {
      Session mine = Session::open(file_);
      mine.in_transaction([&] {
        mine.planning().put_benchmark(testing::sample_benchmark());
        const auto experiment =
            mine.planning().put_experiment(testing::sample_experiment("many", fmt::format("m{}", i)));
        testing::put(mine, experiment, i % 2 == 0 ? forward : backward);
      });
    }));
  }
  for (auto& planner : planners) planner.get();
  EXPECT_EQ(results_.cells("many").size(), 200u);
  EXPECT_EQ(database_.execute("SELECT count(DISTINCT turn) FROM experiment"), "5");
}

TEST_F(Server, LeasesGoByItsClock) {
  RunContext far = context();
  far.owner = "another-host:1:1";
  const Lease lease = queue_.claim(eval_.key, far).value();
  const std::int64_t expected =
      std::stoll(database_.execute("SELECT (extract(epoch FROM now()) * 1000)::bigint")) + 120'000;
  EXPECT_NEAR(static_cast<double>(lease.expires_unix_ms), static_cast<double>(expected), 5000);
  database_.execute(
      "UPDATE cell SET lease_unix_ms = (extract(epoch FROM now()) * 1000)::bigint - 1 WHERE state = 'running'");
  EXPECT_EQ(queue_.recover_stale(), 1);
}

TEST_F(Server, TextThatIsNoUtf8IsKeptReadable) {
  queue_.fail(claim(eval_), CellState::crashed, std::string("bad \xff byte, zero ") + '\0' + ", good \u00e4");
  EXPECT_EQ(results_.find(eval_.key)->status.message, "bad \uFFFD byte, zero \uFFFD, good \u00e4");
}

TEST_F(Server, ValuesOfFactorsKeepTypeAndEveryBit) {
  CellRecord cell = eval_cell(train_, "vim");
  cell.factors = {{"a", 0.1 + 0.2, false},
                  {"b", std::numeric_limits<double>::infinity(), false},
                  {"c", 1e300, false},
                  {"d", std::numeric_limits<std::int64_t>::min(), false},
                  {"e", std::string("1e5 \"quoted\" \\ \u00e4"), false},
                  {"f", -std::numeric_limits<double>::infinity(), false}};
  put({train_, cell});
  EXPECT_EQ(results_.find(cell.key)->record.factors, cell.factors);
}

TEST_F(Server, LocationsAreAbsoluteAndWhoDoesNotSeeThemIsTold) {
  RunContext with = context();
  with.location = planning_.put_location(folder_ / "out");
  EXPECT_EQ(database_.execute("SELECT root FROM location"), (folder_ / "out").string());
  Outcome outcome = result_;
  outcome.scores = {{"test", "test.npy", "ba7", 100}};
  queue_.finish(queue_.claim(eval_.key, with)->run_uid, outcome);
  const std::vector<std::string> keys{eval_.key};
  EXPECT_EQ(planning_.stored(keys)[0]->elsewhere, "");
  database_.execute("UPDATE location SET host = 'another-host'");
  EXPECT_EQ(planning_.stored(keys)[0]->elsewhere, "another-host:" + (folder_ / "out").string());
  std::filesystem::create_directory(folder_ / "out");
  EXPECT_EQ(planning_.stored(keys)[0]->elsewhere, "") << "a shared file system";
}

TEST_F(Server, NewerAndForeignSchemasAreRefusedAndLeftAlone) {
  database_.execute("UPDATE schema_version SET version = 7");
  EXPECT_NE(refusal([&] { Session::open(file_); }).find("newer nearfar"), std::string::npos);
  EXPECT_NE(refusal([&] { Session::open_read_only(file_); }).find("schema version 7"), std::string::npos);
  database_.execute("UPDATE schema_version SET version = 2");
  EXPECT_NE(refusal([&] { Session::open(file_); }).find("this nearfar knows version 6"), std::string::npos);
  const testing::TestDatabase foreign;
  foreign.execute("CREATE SCHEMA nearfar; CREATE TABLE nearfar.precious(x int)");
  EXPECT_NE(refusal([&] { Session::open(foreign.address()); }).find("another program"), std::string::npos);
  EXPECT_EQ(foreign.execute("SELECT count(*) FROM precious"), "0");
}

TEST_F(Server, ASchemaOfVersion3IsBroughtUpToDate) {
  database_.execute(
      "DROP VIEW v_leaderboard; ALTER TABLE cell DROP CONSTRAINT cell_state_check; ALTER TABLE cell ADD CONSTRAINT "
      "cell_state_check"
      " CHECK(state <> 'hung'); ALTER TABLE plugin DROP COLUMN tier; UPDATE schema_version SET version = 3");
  EXPECT_NE(refusal([&] { Session::open_read_only(file_); }).find("brings them up to date"), std::string::npos);
  Session::open(file_);
  EXPECT_EQ(database_.execute("SELECT version FROM schema_version"), "6");
  EXPECT_EQ(database_.execute("SELECT count(tier) FROM plugin"), database_.execute("SELECT count(*) FROM plugin"));
  const std::string check =
      database_.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'cell_state_check'");
  EXPECT_NE(check.find("'hung'"), std::string::npos) << check;
  EXPECT_NE(check.find("'not-applicable'"), std::string::npos) << check;
}

TEST_F(Server, ManyWhoOpenANewDatabaseMakeItOnce) {
  const testing::TestDatabase fresh;
  EXPECT_FALSE(Session::exists(fresh.address()));
  EXPECT_NE(refusal([&] { Session::open_read_only(fresh.address()); }).find("run an experiment first"),
            std::string::npos);
  std::vector<std::future<void>> openers;
  for (int i = 0; i < 8; ++i)
    openers.push_back(std::async(std::launch::async, [&] { Session::open(fresh.address()); }));
  for (auto& opener : openers) opener.get();
  EXPECT_TRUE(Session::exists(fresh.address()));
  EXPECT_EQ(fresh.execute("SELECT count(*) FROM schema_version"), "1");
}

TEST_F(Server, HasTheTablesAndColumnsOfSqlite) {
  const TempDir folder;
  Session::open(folder.path() / "results.sqlite");
  SQLite::Database file((folder.path() / "results.sqlite").string());
  const std::string expected =
      file.execAndGet(
              "SELECT group_concat(line, ' ') FROM (SELECT t.name || '.' || c.name AS line FROM"
              " pragma_table_list AS t, pragma_table_info(t.name) AS c WHERE t.schema = 'main'"
              " AND t.name NOT LIKE 'sqlite%' ORDER BY line)")
          .getString();
  EXPECT_EQ(
      database_.execute("SELECT string_agg(line, ' ' ORDER BY line COLLATE \"C\") FROM (SELECT table_name || '.' ||"
                        " column_name AS line FROM information_schema.columns WHERE table_schema = 'nearfar' AND"
                        " table_name <> 'schema_version') AS lines"),
      expected);
}

TEST_F(Server, MessagesNameItWithoutThePassword) {
  std::string address = file_.string();
  address.insert(address.find('@'), ":s3cret");
  EXPECT_EQ(Session::open(address).name(), file_.string());
  const std::string message = refusal([&] { Session::open(address + "_missing"); });
  EXPECT_NE(message.find("does not exist"), std::string::npos) << message;
  EXPECT_NE(message.find("createdb"), std::string::npos) << message;
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
}

}  // namespace
}  // namespace nearfar
