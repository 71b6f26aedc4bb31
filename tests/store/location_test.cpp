/// Where the files of runs are looked for.
#include "store/fixture.h"

namespace nearfar {
namespace {

using Location = testing::StoreTest;

TEST_F(Location, IsRememberedOnce) {
  const std::int64_t id = planning_.put_location(folder_ / "out");
  EXPECT_EQ(planning_.put_location(folder_ / "out"), id);
  EXPECT_EQ(planning_.put_location(folder_ / "out/"), id);
  EXPECT_EQ(planning_.put_location(folder_ / "elsewhere" / ".." / "out"), id);
  EXPECT_NE(planning_.put_location(folder_), id);
  EXPECT_NE(planning_.put_location("/"), id);
}

TEST_F(Location, FilesOfTheValidRunAreNamedAbsolutely) {
  RunContext with = testing::context();
  with.location = planning_.put_location(folder_ / "out");
  Outcome outcome = result_;
  outcome.artifacts = {{"quality", "cells/b/quality.json", "f00", 77}};
  outcome.scores = {{"test", "cells/b/test.npy", "ba7", 100}};
  queue_.finish(queue_.claim(eval_.key, with)->run_uid, outcome);
  const std::vector<std::string> keys{eval_.key, train_.key};
  const auto stored = planning_.stored(keys);
  ASSERT_EQ(stored[0]->files.size(), 2u);
  EXPECT_EQ(stored[0]->files[0].path, folder_ / "out/cells/b/quality.json");
  EXPECT_EQ(stored[0]->files[0].bytes, 77);
  EXPECT_EQ(stored[0]->files[1].path, folder_ / "out/cells/b/test.npy");
  EXPECT_FALSE(stored[0]->files[1].bytes);
  EXPECT_TRUE(stored[1]->files.empty());
}

TEST(MovedDatabase, FindsItsFilesBesideItAndThoseThatStayed) {
  const TempDir folder;
  const std::filesystem::path before = folder.path() / "before", after = folder.path() / "after";
  const CellRecord beside = testing::train_cell("ce", 0), apart = testing::train_cell("ce", 1);
  {
    Session session = Session::open(before / "results.sqlite");
    session.planning().put_benchmark(testing::sample_benchmark());
    testing::put(session, session.planning().put_experiment(testing::sample_experiment("one")), {beside, apart});
    for (const auto& [cell, root] : {std::pair(beside, before), std::pair(apart, folder.path() / "scratch")}) {
      RunContext with = testing::context();
      with.location = session.planning().put_location(root);
      Outcome outcome;
      outcome.artifacts = {{"checkpoint", "cells/best", "f00", 77}};
      session.queue().finish(session.queue().claim(cell.key, with)->run_uid, outcome);
    }
  }
  std::filesystem::rename(before, after);
  const std::vector<std::string> keys{beside.key, apart.key};
  Session moved = Session::open_read_only(after / "results.sqlite");
  const auto stored = moved.planning().stored(keys);
  EXPECT_EQ(stored[0]->files.at(0).path, after / "cells/best");
  EXPECT_EQ(stored[1]->files.at(0).path, folder.path() / "scratch/cells/best");
}

}  // namespace
}  // namespace nearfar
