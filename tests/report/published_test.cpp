/// Published numbers: the files of the repository, files made by hand, and what must be refused.
#include "report/published.h"

#include "base/error.h"
#include "base/files.h"
#include "report/fake_results.h"
#include "report/leaderboard_forms.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::sample, testing::source_dir;

fs::path committed() { return source_dir() / "reports/published"; }

const PublishedRow* find_row(const Published& published, const std::string& training, const std::string& postprocessor,
                             const std::string& benchmark, const std::string& protocol = "ood") {
  const auto found = std::ranges::find_if(published.rows, [&](const PublishedRow& row) {
    return row.training.name == training && row.postprocessor.name == postprocessor && row.benchmark == benchmark &&
           row.protocol == protocol;
  });
  return found == published.rows.end() ? nullptr : &*found;
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// A folder with one source, "table", of the fake experiment's benchmark.
class OwnTable : public ::testing::Test {
 protected:
  OwnTable() {
    put("sources.csv", "name,title,reference,licence,date\ntable,A table,\"Somebody, 2024\",CC0,2024-01-01\n");
    put("map.csv",
        "kind,name,key,benchmark,training,params\nbenchmark,Tiny,tiny,,,\narchitecture,Net,net,,,\n"
        "training,CE,ce,,,\ntraining,SupCon,supcon,,,temperature=0.2\npostprocessor,KNN,knn,,,k=20|default\n"
        "postprocessor,KNN,cider,,CIDER,\ntraining,CIDER,,,,\n");
    put("doubts.csv",
        "source,training,postprocessor,benchmark,group,reason\ntable,,KNN,Tiny,far,\"wrong, they say\"\n");
    put("table.csv",
        "training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std\n"
        "CE,KNN,Net,Tiny,ood,near,mean,auroc,80.00,0.60\nCE,KNN,Net,Tiny,ood,far,mean,auroc,90.00,0.00\n"
        "CIDER,KNN,Net,Tiny,ood,near,mean,auroc,70.00,\n");
  }
  void put(const std::string& name, const std::string& text) const { write_file_atomic(folder_.path() / name, text); }
  Published read() const { return read_published(folder_.path()); }
  std::string refusal() const {
    return message_of([&] { read(); });
  }
  std::string at(const std::string& place) const { return (folder_.path() / place).string(); }

  TempDir folder_;
};

TEST(PublishedFiles, AreAllRead) {
  const Published published = read_published(committed());
  std::size_t numbers = 0;
  for (const PublishedRow& row : published.rows) numbers += row.numbers.size();
  EXPECT_EQ(numbers, 828U + 176U);  // lines of the two files, without their headers
  EXPECT_EQ(published.sources.size(), 2U);
  const PublishedRow* msp = find_row(published, "CE", "MSP", "cifar10");
  ASSERT_NE(msp, nullptr);
  const PublishedNumber* near = msp->number("near", "mean", "auroc");
  ASSERT_NE(near, nullptr);
  EXPECT_DOUBLE_EQ(near->mean, 0.8803);
  EXPECT_DOUBLE_EQ(near->std.value(), 0.0025);
}

TEST(PublishedFiles, KeysAreOurs) {
  for (const PublishedRow& row : read_published(committed()).rows) {
    EXPECT_TRUE(fs::exists(source_dir() / ("configs/benchmarks/" + row.benchmark + ".toml"))) << row.benchmark;
    if (!row.training.key.empty()) {
      EXPECT_TRUE(fs::exists(source_dir() / "plugins/losses" / row.training.key)) << row.training.key;
    }
    if (!row.postprocessor.key.empty()) {
      EXPECT_TRUE(fs::exists(source_dir() / "plugins/postprocessors" / row.postprocessor.key)) << row.postprocessor.key;
    }
  }
}

TEST(PublishedFiles, ANameMeansWhatItsTableMeans) {
  const Published published = read_published(committed());
  EXPECT_EQ(find_row(published, "CE", "MDS", "cifar10")->postprocessor.key, "mds");
  EXPECT_EQ(find_row(published, "ReweightOOD", "MDS", "cifar10")->postprocessor.key, "reweightood");
  EXPECT_EQ(find_row(published, "PALM", "MDS", "cifar10")->postprocessor.key, "palm");
  EXPECT_EQ(find_row(published, "PALM", "MDS", "cifar10")->training_params, std::vector<std::string>{"proto_m=0.9"});
  EXPECT_EQ(find_row(published, "PALM", "MDS", "cifar100")->training_params, std::vector<std::string>{""});
  EXPECT_EQ(find_row(published, "CIDER", "KNN", "imagenet", "fsood")->postprocessor.key, "cider");
  EXPECT_EQ(find_row(published, "CE", "TempScale", "imagenet")->postprocessor.key, "temp-scaling");
  EXPECT_FALSE(find_row(published, "CE", "NAC", "cifar10")->is_known());
  EXPECT_NE(std::ranges::find(published.unmapped, "postprocessor NAC"), published.unmapped.end());
}

TEST(PublishedFiles, SayWhatIsNotToBeTrusted) {
  const Published published = read_published(committed());
  const auto doubt = [&](const char* postprocessor, const char* benchmark, const char* group) {
    return find_row(published, "CE", postprocessor, benchmark)->number(group, "mean", "auroc")->doubt;
  };
  EXPECT_NE(doubt("CombOOD", "imagenet", "near"), "");
  EXPECT_EQ(doubt("CombOOD", "imagenet", "far"), "");
  EXPECT_EQ(doubt("CombOOD", "cifar10", "near"), "");
  EXPECT_NE(doubt("Gram", "cifar100", "far"), "");
  EXPECT_NE(doubt("OpenGAN", "cifar10", "near"), "");
  EXPECT_EQ(doubt("MSP", "imagenet", "near"), "");
}

TEST(PublishedFiles, OneSourceOrNone) {
  EXPECT_EQ(read_published(committed(), "reweightood").sources.size(), 1U);
  EXPECT_EQ(
      message_of([] { read_published(committed(), "reweightod"); }),
      "no published table 'reweightod'; did you mean 'reweightood'?; there are: openood-leaderboard, reweightood");
  EXPECT_TRUE(read_published(committed() / "nowhere").rows.empty());
}

TEST_F(OwnTable, ADeviationOfZeroIsNone) {
  const Published published = read();
  ASSERT_EQ(published.rows.size(), 2U);
  EXPECT_DOUBLE_EQ(published.rows[0].numbers[0].std.value(), 0.006);
  EXPECT_EQ(published.rows[0].numbers[1].std, std::nullopt);
  EXPECT_EQ(published.rows[0].numbers[1].doubt, "wrong, they say");
  EXPECT_EQ(published.rows[0].postprocessor_params, (std::vector<std::string>{"k=20", ""}));
  EXPECT_EQ(published.rows[1].postprocessor.key, "cider");
  EXPECT_EQ(published.unmapped, std::vector<std::string>{"training CIDER"});
}

TEST_F(OwnTable, IsRefusedWithFileAndLine) {
  const std::string header = "training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std\n";
  const std::string first = "CE,KNN,Net,Tiny,ood,near,mean,auroc,80.00,0.60\n";
  const std::pair<std::string, std::string> wrong[] = {
      {"CE,KNN,Net,Tiny,ood,near,mean,auroc,80.00\n", ":3: 9 fields, expected 10"},
      {"CE,KNN,Net,Tiny,ood,near,mean,auroc,80%,\n", ":3: '80%' is no number from 0 to 100 (percent)"},
      {"CE,KNN,Net,Tiny,ood,near,mean,fpr95,-1,\n", ":3: '-1' is no number"},
      {"CE,KNN,Net,Tiny,ood,near,mean,fpr95,nan,\n", ":3: 'nan' is no number"},
      {"CE,KNN,Net,Tiny,ood,nearr,mean,auroc,80,\n", ":3: group 'nearr'; did you mean 'near'?"},
      {"CE,KNN,Net,Tiny,ood,near,mean,auc,80,\n", ":3: metric 'auc'"},
      {"CE,KNN,Net,Tiny,ood,near,mean,auroc,81,\n", ":3: near mean auroc of CE KNN is there already"},
      {"CE,NNN,Net,Tiny,ood,near,mean,auroc,81,\n", ":3: postprocessor 'NNN' is not in map.csv"},
      {"CE,KNN,Net,Tiny,,near,mean,auroc,81,\n", ":3: the protocol is empty"},
      {"CE,\"KNN,Net,Tiny,ood,near,mean,auroc,81,\n", ":3: a quote is not closed"}};
  for (const auto& [line, message] : wrong) {
    put("table.csv", header + first + line);
    EXPECT_EQ(refusal().substr(0, (at("table.csv") + message).size()), at("table.csv") + message);
  }
  put("table.csv", "training,mean\n");
  EXPECT_EQ(refusal().substr(0, (at("table.csv") + ":1: the columns are 'training,mean'").size()),
            at("table.csv") + ":1: the columns are 'training,mean'");
  put("table.csv", "");
  EXPECT_EQ(refusal().substr(0, (at("table.csv") + ":1: the columns are ''").size()),
            at("table.csv") + ":1: the columns are ''");
}

TEST_F(OwnTable, AMapWithTwoMeaningsIsRefused) {
  const std::string map = read_file(folder_.path() / "map.csv");
  put("map.csv", map + "training,CE,supcon,,,\n");
  EXPECT_EQ(refusal(), at("map.csv") + ":9: training 'CE' is there already, at " + at("map.csv") + ":4");
  put("map.csv", map + "loss,CE,ce,,,\n");
  EXPECT_EQ(refusal(), at("map.csv") + ":9: kind 'loss'; expected benchmark, training, postprocessor or architecture");
}

TEST_F(OwnTable, FilesOfOnesOwnMayUseOurNames) {
  put("own.csv",
      "training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std\r\n"
      "\"ce\",mds_ensemble,net,tiny,ood,near,mean,auroc,80.00,\r\nCE,KNN,Net,Tiny,ood,near,mean,auroc,70,\r\n");
  const Published own = read_results_csv(folder_.path() / "own.csv", folder_.path());
  ASSERT_EQ(own.rows.size(), 2U);
  EXPECT_EQ(own.rows[0].postprocessor.key, "mds-ensemble");
  EXPECT_EQ(own.rows[0].postprocessor_params, std::nullopt);
  EXPECT_EQ(own.rows[1].postprocessor.key, "knn");
  EXPECT_EQ(own.rows[1].benchmark, "tiny");
}

TEST_F(OwnTable, ALeaderboardsFileTellsItsParameters) {
  put("board.csv", leaderboard_csv(make_leaderboard(load_results(sample()))));
  const Published board = read_results_csv(folder_.path() / "board.csv", folder_.path());
  const PublishedRow* row = find_row(board, "supcon", "knn", "tiny");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->postprocessor_params, std::vector<std::string>{"k=20"});
  EXPECT_EQ(row->training_params, std::vector<std::string>{"temperature=0.2"});
}

TEST_F(OwnTable, StandsBesideABoardAndRanksNothing) {
  const Leaderboard before = make_leaderboard(load_results(sample()));
  Leaderboard after = before;
  add_published(after, read());
  ASSERT_EQ(after.boards.size(), 1U);
  EXPECT_EQ(after.boards[0].published.size(), 2U);
  EXPECT_EQ(after.boards[0].rows.size(), before.boards[0].rows.size());
  for (std::size_t i = 0; i < before.boards[0].rows.size(); ++i)
    EXPECT_EQ(after.boards[0].rows[i].rank, before.boards[0].rows[i].rank);
  EXPECT_EQ(leaderboard_csv(after), leaderboard_csv(before)) << "the CSV has our numbers alone";
  const nlohmann::json json = nlohmann::json::parse(leaderboard_json(after));
  EXPECT_EQ(json["boards"][0]["published"][0]["postprocessor"]["name"], "KNN");
  EXPECT_TRUE(json["boards"][0]["published"][1]["training"]["key"].is_null());
  const std::string markdown = leaderboard_markdown(after);
  EXPECT_NE(markdown.find("#### Published elsewhere: tiny, protocol ood\n"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| CE | KNN | Net | 80.00 ± 0.60 | 90.00 ? | – | – | table |\n"), std::string::npos)
      << markdown;
  EXPECT_EQ(leaderboard_markdown(before).find("Published"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
