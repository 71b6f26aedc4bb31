/// page_samples FOLDER TEMPLATES: pages for the test in a browser (tests/e2e/page_test.py), made without a database:
/// FOLDER/small.html, two benchmarks with every kind of row and names that try to break out of the page, and
/// FOLDER/large.html, four benchmarks of twelve sets with a thousand rows each, three seeds. Prints the seconds of
/// processor time that making the large one took.
#include "base/files.h"
#include "base/random.h"
#include "report/fake_results.h"
#include "report/leaderboard_forms.h"

#include <cstdio>
#include <ctime>
#include <exception>
#include <span>
#include <string>

namespace nearfar {
namespace {

using testing::FakeResults, testing::subject;

/// Ends a script, a table and a sentence; turns its direction; longer than a screen.
const std::string kHostile = "</script><script>alert('1')</script>\"&amp;";
const std::string kTurned = "abc\xe2\x80\xaegnp.exe";
const std::string kLong = "a-method-whose-name-" + std::string(300, 'x');

ResultSubject on(ResultSubject subject, const std::string& benchmark, const std::string& architecture = "net") {
  subject.benchmark = benchmark;
  subject.architecture = architecture;
  return subject;
}

std::vector<MetricRow> numbers(double auroc, double fpr95) {
  std::vector<MetricRow> rows = testing::values({auroc, auroc + 0.01, auroc - 0.01, 0.5}, {fpr95, fpr95, fpr95, 0.9});
  for (const char* metric : {"aupr_in", "aupr_out"}) {
    for (const auto& [group, dataset] : {std::pair("near", "cousins"), std::pair("far", "digits"),
                                         std::pair("far", "letters"), std::pair("control", "noise")})
      rows.push_back({"ood", group, dataset, metric, auroc - 0.1});
  }
  return rows;
}

Published elsewhere() {
  const auto name = [](const std::string& text) { return PublishedName{.name = text}; };
  Published published{
      .sources = {{.name = "a-board", .title = "A board", .reference = "arXiv:0", .date = "2025-01-01"}}};
  published.rows = {
      {.source = "a-board",
       .benchmark = "tiny",
       .protocol = "ood",
       .training = name("CrossEntropy"),
       .postprocessor = name("<b>KNN</b>"),
       .architecture = name("ResNet"),
       .numbers = {
           {.group = "near", .dataset = "mean", .metric = "auroc", .mean = 0.99, .std = 0.001},
           {.group = "far", .dataset = "digits", .metric = "auroc", .mean = 0.98, .doubt = "Was copied twice."}}}};
  return published;
}

plot::Figure figure() {
  return {.id = "one",
          .title = "Near against far",
          .description = "One point.",
          .svg = "<svg role=\"img\" viewBox=\"0 0 9 9\"><title>Near against far</title><circle r=\"4\"/></svg>",
          .csv = "x,y\n1,<2\n"};
}

Leaderboard small() {
  FakeResults store = testing::sample();
  for (const std::int64_t seed : {0, 1}) {
    const double more = static_cast<double>(seed) * 0.01;
    for (const std::string& name : {kHostile, kTurned, kLong}) {
      store.add(subject("ce", seed, name, "note=\"a,b\"|{{title}}"), numbers(0.7 + more, 0.4));
      store.add(on(subject(name, seed, "knn"), "tiny"), numbers(0.6 + more, 0.5));
    }
    store.add(subject("ce", seed, "random"), numbers(0.5, 0.95));
    for (const char* architecture : {"net", "wide"}) {
      for (const char* loss : {"ce", "supcon", "=cmd()"})
        store.add(on(subject(loss, seed, "knn"), "wide & last", architecture),
                  numbers(*loss == 'c' ? 0.8 : 0.9, 0.3 - more));
    }
  }
  ResultSubject partial = subject("ce", 0, "ebo");
  partial.flags = "partial";
  store.add(partial, numbers(0.99, 0.01));
  Leaderboard leaderboard = make_leaderboard(load_results(store));
  add_published(leaderboard, elsewhere());
  return leaderboard;
}

/// In [0.5, 1): of a row, with another point at most for each seed, as real results have.
double made_up(std::uint64_t row, std::uint64_t seed) {
  const auto share = [](std::uint64_t at) {
    return static_cast<double>(splitmix64(at) >> 40) / static_cast<double>(1 << 24);
  };
  return 0.5 + 0.49 * share(row) + 0.01 * share(row * 8 + seed);
}

Leaderboard large() {
  FakeResults store;
  std::uint64_t begin = 0;
  for (const char* benchmark : {"cifar10", "cifar100", "imagenet200", "imagenet"}) {
    BenchmarkRecord& record = store.known.emplace_back(BenchmarkRecord{benchmark, testing::kDataHash, "{}", {}});
    for (int set = 0; set < 12; ++set)
      record.sets.push_back({"set" + std::to_string(set), set < 4 ? "near" : "far", "", 100});
    for (int row = 0; row < 1000; ++row, begin += 100) {
      for (const std::int64_t seed : {0, 1, 2}) {
        std::uint64_t at = begin;
        const auto next = [&] { return made_up(++at, static_cast<std::uint64_t>(seed)); };
        std::vector<MetricRow> values = {{"ood", "id", "test", "accuracy", next()}};
        for (const BenchmarkSet& set : record.sets) {
          for (const char* metric : {"auroc", "fpr95", "aupr_in", "aupr_out"})
            values.push_back({"ood", set.group, set.name, metric, next()});
        }
        store.add(on(subject("loss" + std::to_string(row / 25), seed, "method" + std::to_string(row % 25)), benchmark),
                  values);
      }
    }
  }
  return make_leaderboard(load_results(store));
}

void write(const std::filesystem::path& folder, const std::filesystem::path& templates) {
  write_file_atomic(folder / "small.html",
                    leaderboard_html(small(), templates, std::vector<std::vector<plot::Figure>>(2, {figure()})));
  const Leaderboard leaderboard = large();
  const std::clock_t begin = std::clock();
  write_file_atomic(folder / "large.html", leaderboard_html(leaderboard, templates));
  std::printf("%.3f\n", static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (arguments.size() != 3) {
    (void)std::fprintf(stderr, "usage: page_samples FOLDER TEMPLATES\n");
    return 4;
  }
  try {
    nearfar::write(arguments[1], arguments[2]);
    return 0;
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
}
