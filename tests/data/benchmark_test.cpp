#include "data/benchmark.h"

#include "data_files.h"

namespace nearfar {
namespace {

constexpr const char* kHead = R"(classes = ["a", "b"]
[image]
height = 8
width = 8
mean = [0.5]
std = [0.2]
[source.s]
type = "shapes"
pattern = "blobs"
kinds = 4
size = 40
)";

class BenchmarkTest : public testing::DataFiles {
 protected:
  Benchmark load(const std::string& content) const { return load_benchmark(write("b.toml", content).string(), {}); }
  std::string refused(const std::string& content) const {
    return refusal(ErrorKind::config, [&] { load(content); });
  }
  static std::string set(const std::string& name, const std::string& rest, const std::string& source = "s") {
    return "[[set]]\nname = '" + name + "'\nsource = '" + source + "'\n" + rest + "\n";
  }
  /// A sound benchmark: train and test of classes 0 and 2.
  static std::string sound() {
    return kHead + set("train", "classes = [0, 2]\nfirst_per_class = 5\ncount = 10") +
           set("test", "classes = [0, 2]\nskip_per_class = 5\ncount = 10");
  }
};

TEST_F(BenchmarkTest, ReadsASoundOne) {
  const Benchmark benchmark = load(sound() + set("near/x", "classes = [1, 3]\ncount = 20"));
  EXPECT_EQ(benchmark.name, "b");
  EXPECT_EQ(benchmark.classes.size(), 2U);
  ASSERT_EQ(benchmark.sets.size(), 3U);
  EXPECT_EQ(benchmark.set("train").group, "id");
  EXPECT_EQ(benchmark.set("near/x").group, "near");
  EXPECT_EQ(benchmark.set("test").skip_per_class, 5);
  EXPECT_EQ(benchmark.source("s").kinds, 4);
}

TEST_F(BenchmarkTest, RefusesTyposAndWrongTypesWithTheirPlace) {
  EXPECT_EQ(refused(sound() + set("far/x", "clases = [1]\ncount = 10")),
            "b.toml:27:1: unknown key 'clases' in [[set]]; did you mean 'classes'?");
  EXPECT_EQ(refused("clases = 1\n" + sound()),
            "b.toml:1:1: unknown key 'clases' at the top level; did you mean 'classes'?");
  EXPECT_EQ(refused(sound() + set("far/x", "classes = ['x']\ncount = 10")).substr(0, 14), "b.toml:27:12: ");
  EXPECT_EQ(refused(sound() + set("far/x", "classes = [1]\ncount = 0")).substr(0, 14), "b.toml:28:9: '");
  EXPECT_EQ(refused(sound() + set("far/x", "classes = [1]")), "b.toml:24:1: [[set]] needs 'count'");
  EXPECT_EQ(refused(sound() + "[source.t]\ntype = 'idxx'\n"),
            "b.toml:25:8: 'type' in [source.t] takes idx or mnist-csv or list or folders or cifar-binary or noise or "
            "shapes, found 'idxx'; did "
            "you mean 'idx'?");
  EXPECT_EQ(refused(sound() + "[source.t]\ntype = 'idx'\nroot = 'r'\nimages = '../i'\nlabels = 'l'\n"),
            "b.toml:27:10: '../i' must lie beneath its root: a relative path without '..'");
}

TEST_F(BenchmarkTest, RefusesUnknownSourcesAndRoots) {
  EXPECT_EQ(refused(sound() + set("far/x", "count = 10", "ss")),
            "b.toml:24:1: set 'far/x' names the source 'ss', which is not in [source]; did you mean 's'?");
  EXPECT_NE(refused(sound() + "[source.t]\ntype = 'idx'\nroot = 'r'\nimages = 'i'\nlabels = 'l'\n")
                .find("names the root 'r', which is not in [root]"),
            std::string::npos);
}

TEST_F(BenchmarkTest, RefusesMissingAndDoubleSets) {
  EXPECT_EQ(refused(std::string(kHead) + set("train", "classes = [0, 1]\ncount = 20")),
            "b.toml: a benchmark needs a [[set]] named 'test'");
  EXPECT_NE(refused(sound() + set("test", "classes = [1, 3]\ncount = 20")).find("there are two sets named 'test'"),
            std::string::npos);
  EXPECT_NE(refused(sound() + set("nearly/x", "count = 20")).find("'nearly/x' is no name of a set"), std::string::npos);
  EXPECT_NE(refused(sound() + set("near/../x", "count = 20")).find("is no name of a set"), std::string::npos);
  EXPECT_NE(refused(sound() + set("near/", "count = 20")).find("is no name of a set"), std::string::npos);
}

TEST_F(BenchmarkTest, RefusesAWrongNumberOfClasses) {
  EXPECT_NE(refused(std::string(kHead) + set("train", "classes = [0]\ncount = 9") +
                    set("test", "classes = [0, 1]\ncount = 9"))
                .find("set 'train' keeps 1 classes, but the benchmark has 2"),
            std::string::npos);
}

TEST_F(BenchmarkTest, RefusesAnIdClassThatIsAlsoOod) {
  for (const char* name : {"near/x", "far/x", "ood_val"}) {
    const std::string message = refused(sound() + set(name, "classes = [1, 2]\nskip_per_class = 90\ncount = 10"));
    EXPECT_NE(message.find("b.toml:24:1: set '" + std::string(name) +
                           "' keeps classes of 's' that are in-distribution in set 'train'"),
              std::string::npos)
        << message;
    EXPECT_TRUE(message.ends_with(": 2")) << message;
  }
  EXPECT_NE(refused(sound() + set("near/x", "count = 40")).find("a class is one or the other: 0, 2"),
            std::string::npos);
}

TEST_F(BenchmarkTest, TheSameRootCountsAcrossFiles) {
  const std::string files =
      std::string("[root.r]\nfolder = 'r'\n[source.one]\ntype = 'idx'\nroot = 'r'\nimages = 'a'\nlabels = 'b'\n") +
      "[source.two]\ntype = 'idx'\nroot = 'r'\nimages = 'c'\nlabels = 'd'\n";
  const std::string id =
      set("train", "classes = [0, 2]\ncount = 9", "one") + set("test", "classes = [0, 2]\ncount = 9", "two");
  EXPECT_EQ(load(kHead + files + id + set("near/x", "classes = [1]\ncount = 9", "two")).sets.size(), 3U);
  EXPECT_NE(refused(kHead + files + id + set("ood_val", "classes = [2]\ncount = 9", "one")).find("in-distribution"),
            std::string::npos);
  // Another root may use the same labels for other things.
  EXPECT_EQ(load(kHead + files + id + set("far/x", "classes = [0]\ncount = 9")).sets.size(), 3U);
}

TEST_F(BenchmarkTest, RefusesSetsThatShareImages) {
  const std::string train = set("train", "classes = [0, 2]\nfirst_per_class = 5\ncount = 10");
  EXPECT_NE(refused(kHead + train + set("test", "classes = [0, 2]\nskip_per_class = 4\ncount = 12"))
                .find("would share images of 's', classes: 0, 2"),
            std::string::npos);
  EXPECT_NE(refused(kHead + train + set("test", "classes = [2, 0]\ncount = 20")).find("would share images"),
            std::string::npos);
  EXPECT_NE(
      refused(sound() + set("ood_val", "classes = [1]\ncount = 10") + set("near/x", "classes = [3, 1]\ncount = 20"))
          .find("would share images"),
      std::string::npos);
}

TEST_F(BenchmarkTest, IsFoundByNameInEitherSpelling) {
  write("one/my-set.toml", sound());
  write("two/other.toml", sound());
  const std::vector<std::filesystem::path> search = {folder_.path() / "gone", folder_.path() / "one",
                                                     folder_.path() / "two"};
  EXPECT_EQ(load_benchmark("my_set", search).name, "my-set");
  EXPECT_EQ(load_benchmark("other", search).name, "other");
  EXPECT_EQ(benchmark_names(search), (std::vector<std::string>{"my-set", "other"}));
  const std::string message = refusal(ErrorKind::config, [&] { load_benchmark("othr", search); });
  EXPECT_NE(message.find("unknown benchmark 'othr'; did you mean 'other'?; there are: my-set, other"),
            std::string::npos)
      << message;
}

TEST_F(BenchmarkTest, NamesTheNearestSetWhereOneIsAskedForThatIsNotThere) {
  const Benchmark benchmark = load(sound());
  EXPECT_EQ(refusal(ErrorKind::config, [&] { benchmark.set("tset"); }),
            "benchmark 'b' (b.toml) has no image set 'tset'; did you mean 'test'?");
}

TEST_F(BenchmarkTest, TheBaseIsTheFolderAboveConfigs) {
  write("tree/configs/benchmarks/b.toml", sound());
  const Benchmark inside = load_benchmark((folder_.path() / "tree/configs/benchmarks/b.toml").string(), {});
  EXPECT_EQ(inside.base, std::filesystem::canonical(folder_.path() / "tree"));
  EXPECT_EQ(load(sound()).base, std::filesystem::canonical(folder_.path()));
}

}  // namespace
}  // namespace nearfar
