/// Benchmarks of image lists, class folders and CIFAR batches; class_count, resize and protocols.
#include "data/benchmark.h"
#include "data_files.h"
#include "support/golden.h"

namespace nearfar {
namespace {

constexpr const char* kHead = R"(class_count = 3
[image]
channels = 3
height = 8
width = 6
resize = 9
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[root.r]
folder = "data"
in_data_root = "."
)";

class ListBenchmarkTest : public testing::DataFiles {
 protected:
  Benchmark load(const std::string& content) const { return load_benchmark(write("b.toml", content).string(), {}); }
  std::string refused(const std::string& content) const {
    return refusal(ErrorKind::config, [&] { load(content); });
  }
  static std::string set(const std::string& name, const std::string& rest = "") {
    return "[[set]]\nname = '" + name + "'\nlist = 'lists/" + name + ".txt'\nimages = 'pictures'\n" + rest + "\n";
  }
  static std::string sound() { return kHead + set("train", "count = 9") + set("test", "count = 6"); }
};

TEST_F(ListBenchmarkTest, ASetWithAListIsItsOwnSource) {
  const Benchmark benchmark =
      load(sound() + set("near/tin") + set("csid/c", "resize = 'none'") + set("far/x", "resize = [7, 5]"));
  EXPECT_EQ(benchmark.classes, (std::vector<std::string>{"0", "1", "2"}));
  const SetSpec& near = benchmark.set("near/tin");
  EXPECT_EQ(near.count, 0);
  const SourceSpec& source = benchmark.source(near.source);
  EXPECT_EQ(source.name, "near/tin");
  EXPECT_EQ(source.type, SourceType::list);
  EXPECT_EQ(source.root, "r");
  EXPECT_EQ(source.list_file, "lists/near/tin.txt");
  EXPECT_EQ(source.folder, "pictures");
  EXPECT_EQ(benchmark.roots[0].in_data_root, ".");

  EXPECT_EQ(near.preprocess.resize, Preprocess::Resize::shorter_side);
  EXPECT_EQ(near.preprocess.side, 9);
  EXPECT_EQ(near.preprocess.height, 8);
  EXPECT_EQ(near.preprocess.width, 6);
  EXPECT_EQ(benchmark.set("csid/c").preprocess.resize, Preprocess::Resize::none);
  EXPECT_EQ(benchmark.set("csid/c").preprocess.width, 6);
  EXPECT_EQ(benchmark.set("far/x").preprocess.resize, Preprocess::Resize::exact);
  EXPECT_EQ(benchmark.set("far/x").preprocess.resize_height, 7);
  EXPECT_EQ(benchmark.set("far/x").preprocess.resize_width, 5);
}

TEST_F(ListBenchmarkTest, SourcesMayBeNamedAndShared) {
  const Benchmark benchmark =
      load(kHead +
           std::string("[source.l]\ntype = 'list'\nlist = 'l.txt'\n[source.f]\ntype = 'folders'\nfolder = 'f'\nfolders "
                       "= ['b', 'a', 'c']\n") +
           "[source.c]\ntype = 'cifar-binary'\nfiles = ['1.bin', '2.bin']\nlabel_bytes = 2\n" +
           "[[set]]\nname = 'train'\nsource = 'l'\nfirst_per_class = 2\n[[set]]\nname = 'val'\nsource = "
           "'l'\nskip_per_class = 2\n" +
           "[[set]]\nname = 'test'\nsource = 'f'\n[[set]]\nname = 'far/x'\nsource = 'c'\ncount = 4\n");
  EXPECT_EQ(benchmark.source("l").type, SourceType::list);
  EXPECT_EQ(benchmark.source("l").folder, "");
  EXPECT_EQ(benchmark.source("f").folders, (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(benchmark.source("c").batch_files, (std::vector<std::string>{"1.bin", "2.bin"}));
  EXPECT_EQ(benchmark.source("c").label_bytes, 2);
}

TEST_F(ListBenchmarkTest, RefusesAListThatIsBothIdAndOod) {
  const std::string message =
      refused(sound() + "[[set]]\nname = 'near/x'\nlist = './lists//test.txt'\nimages = 'elsewhere'\n");
  EXPECT_NE(message.find("set 'near/x' keeps classes of './lists//test.txt' that are in-distribution in set 'test'"),
            std::string::npos)
      << message;
  EXPECT_NE(refused(sound() + set("csid/c") + "[[set]]\nname = 'ood_val'\nlist = 'lists/csid/c.txt'\n")
                .find("in-distribution in set 'csid/c'"),
            std::string::npos);
  // Cut by class, one list may serve both.
  EXPECT_EQ(load(kHead +
                 std::string("[source.l]\ntype = 'list'\nlist = 'l.txt'\n[[set]]\nname = 'train'\nsource = "
                             "'l'\nclasses = [4, 5, 6]\n") +
                 set("test") + "[[set]]\nname = 'near/x'\nsource = 'l'\nclasses = [7]\n")
                .sets.size(),
            3U);
}

TEST_F(ListBenchmarkTest, RefusesOneListInTwoSets) {
  EXPECT_NE(refused(sound() + "[[set]]\nname = 'val'\nlist = 'lists/test.txt'\n")
                .find("would share images of 'lists/test.txt'"),
            std::string::npos);
  EXPECT_NE(refused(sound() + set("near/a") + "[[set]]\nname = 'ood_val'\nlist = 'lists/near/a.txt'\n")
                .find("would share images"),
            std::string::npos);
}

TEST_F(ListBenchmarkTest, ListsOfOneRootAreNotTakenForOneSetOfClasses) {
  EXPECT_EQ(load(sound() + set("near/x") + set("far/y") + set("ood_val") + set("csid/z")).sets.size(), 6U);
}

TEST_F(ListBenchmarkTest, RefusesBrokenKeysWithTheirPlace) {
  EXPECT_EQ(refused(sound() + set("near/x", "source = 'l'")), "b.toml:24:8: a [[set]] has either 'source' or 'list'");
  EXPECT_EQ(refused(sound() + "[[set]]\nname = 'near/x'\n"),
            "b.toml:22:1: [[set]] needs 'source', or 'list' for an image list");
  EXPECT_EQ(refused(sound() + "[[set]]\nname = 'near/x'\nlist = '../l.txt'\n"),
            "b.toml:24:8: '../l.txt' must lie beneath its root: a relative path without '..'");
  EXPECT_EQ(refused(sound() + "[[set]]\nname = 'near/x'\nlist = 'l.txt'\nimages = '/etc'\n"),
            "b.toml:25:10: '/etc' must lie beneath its root: a relative path without '..'");
  EXPECT_EQ(refused(sound() + "[root.s]\nfolder = 's'\n" + set("near/x")), "b.toml:12:1: [[set]] needs 'root'");
  EXPECT_NE(refused(sound() + set("near/x", "root = 'rr'")).find("names the root 'rr', which is not in [root]"),
            std::string::npos);
  EXPECT_EQ(refused(sound() + "[source.\"near/x\"]\ntype = 'list'\nlist = 'l'\n" + set("near/x")),
            "b.toml:25:1: the list of set 'near/x' would be a second source of that name (b.toml:22:9)");
  EXPECT_NE(refused(sound() + set("test")).find("there are two sets named 'test'"), std::string::npos);
  EXPECT_EQ(refused("classes = ['a', 'b', 'c']\n" + sound()),
            "b.toml:2:15: a benchmark has either 'classes' or 'class_count'");
  EXPECT_NE(refused(sound() + "[root.q]\nfolder = 'q'\nin_data_root = '../q'\n").find("must lie beneath"),
            std::string::npos);
}

TEST_F(ListBenchmarkTest, RefusesABrokenResize) {
  for (const char* value : {"0", "-3", "9000", "'nearest'", "[8]", "[8, 0]", "[8, 8, 8]", "[8, 'x']", "2.5", "true"}) {
    const std::string message = refused(sound() + set("near/x", std::string("resize = ") + value));
    EXPECT_EQ(message.find("b.toml:26:10: 'resize' in [[set]] takes the shorter side's new length"), 0U) << message;
  }
  std::string without = sound();
  without.erase(without.find("resize = 9\n"), 11);
  EXPECT_NE(refused(without).find("set 'train' comes from image files: [image] needs 'resize'"), std::string::npos);
  std::string gray =
      "classes = ['a']\n[image]\nheight = 8\nwidth = 8\nresize = 8\nmean = [0.5]\nstd = [0.5]\n[root.r]\nfolder = "
      "'d'\n";
  EXPECT_NE(refused(gray + set("train") + set("test")).find("which are RGB: [image] needs channels = 3"),
            std::string::npos);
}

TEST_F(ListBenchmarkTest, ResizeIsForImageFilesOnly) {
  const std::string noise =
      "[source.n]\ntype = 'noise'\nsize = 4\n[[set]]\nname = 'control/n'\nsource = 'n'\ncount = 4\n";
  EXPECT_EQ(load(sound() + noise).sets.size(), 3U);
  EXPECT_NE(refused(sound() + noise + "resize = 8\n").find("'resize' is for sets of lists and folders"),
            std::string::npos);
}

TEST_F(ListBenchmarkTest, HasTheProtocolOodAlwaysAndFsoodWithCsidSets) {
  Benchmark benchmark = load(sound());
  ASSERT_EQ(benchmark.protocols.size(), 1U);
  EXPECT_EQ(benchmark.protocols[0].name, "ood");
  benchmark = load(sound() + set("csid/a") + set("csid/b"));
  ASSERT_EQ(benchmark.protocols.size(), 2U);
  EXPECT_EQ(benchmark.protocol("fsood").csid, (std::vector<std::string>{"csid/a", "csid/b"}));
  EXPECT_EQ(refusal(ErrorKind::config, [&] { benchmark.protocol("fs-ood"); }),
            "benchmark 'b' (b.toml) has no protocol 'fs-ood'; did you mean 'fsood'?; there are: ood, fsood");
}

TEST_F(ListBenchmarkTest, ProtocolsChooseAmongTheCsidSets) {
  const std::string sets = sound() + set("csid/a") + set("csid/b");
  const Benchmark benchmark =
      load(sets + "[protocol.\"fsood+b\"]\ncsid = ['a', 'csid/b']\n[protocol.fsood]\ncsid = ['a']\n");
  ASSERT_EQ(benchmark.protocols.size(), 3U);
  EXPECT_EQ(benchmark.protocols[1].name, "fsood");
  EXPECT_EQ(benchmark.protocols[1].csid, std::vector<std::string>{"csid/a"});
  EXPECT_EQ(benchmark.protocol("fsood+b").csid, (std::vector<std::string>{"csid/a", "csid/b"}));

  EXPECT_NE(refused(sets + "[protocol.fsood]\ncsid = ['aa']\n")
                .find("names the set 'csid/aa', which is not there; did you mean 'csid/a'?"),
            std::string::npos);
  EXPECT_NE(refused(sets + "[protocol.fsood]\ncsid = ['a', 'a']\n").find("twice"), std::string::npos);
  EXPECT_NE(refused(sets + "[protocol.fsood]\ncsid = []\n").find("at least one csid set"), std::string::npos);
  EXPECT_NE(refused(sets + "[protocol.fsood]\n").find("needs 'csid'"), std::string::npos);
  EXPECT_NE(refused(sets + "[protocol.ood]\ncsid = ['a']\n").find("the protocol 'ood' is the test set alone"),
            std::string::npos);
  EXPECT_NE(refused(sets + "[protocol.\"a b\"]\ncsid = ['a']\n").find("is no name of a protocol"), std::string::npos);
  EXPECT_NE(refused(sound() + "[protocol.fsood]\ncsid = ['a']\n").find("which is not there"), std::string::npos);
}

TEST_F(ListBenchmarkTest, TheDocumentedBenchmarkLoads) {
  const std::string text = read_file(testing::source_dir() / "docs" / "benchmarks.md");
  const std::size_t start = text.find("```toml\n") + 8;
  const Benchmark benchmark = load(text.substr(start, text.find("```", start) - start));
  EXPECT_EQ(benchmark.sets.size(), 5U);
  EXPECT_EQ(benchmark.protocol("fsood").csid, std::vector<std::string>{"csid/night"});
}

TEST(OpenOodBenchmarks, HaveTheSetsAndCountsOfTheReference) {
  const std::vector<std::filesystem::path> search = {testing::source_dir() / "configs" / "benchmarks"};
  struct Expected {
    const char* name;
    std::size_t classes, sets;
    std::int64_t total;  ///< without train and csid, and csid: the reference's "totals per benchmark"
    std::int64_t csid;
  };
  for (const Expected& expected :
       {Expected{"cifar10", 10, 11, 164'660, 10'000}, Expected{"cifar100", 100, 11, 162'943, 10'000},
        Expected{"imagenet200", 200, 12, 97'671, 34'000}, Expected{"imagenet", 1000, 13, 137'671, 50'000}}) {
    SCOPED_TRACE(expected.name);
    const Benchmark benchmark = load_benchmark(expected.name, search);
    EXPECT_EQ(benchmark.classes.size(), expected.classes);
    EXPECT_EQ(benchmark.sets.size(), expected.sets);
    std::int64_t total = 0, csid = 0;
    for (const SetSpec& set : benchmark.sets) {
      if (set.group == "csid") {
        csid += set.count;
      } else if (set.name != "train") {
        total += set.count;
      }
    }
    EXPECT_EQ(total, expected.total);
    EXPECT_EQ(csid, expected.csid);
    EXPECT_EQ(benchmark.protocols[1].name, "fsood");
  }
}

TEST(OpenOodBenchmarks, FollowTheReferenceInTheSpecialCases) {
  const std::vector<std::filesystem::path> search = {testing::source_dir() / "configs" / "benchmarks"};
  const Benchmark imagenet = load_benchmark("imagenet", search);
  EXPECT_EQ(imagenet.protocol("fsood").csid.size(), 3U);
  EXPECT_EQ(imagenet.protocol("fsood+es").csid.size(), 4U);
  EXPECT_EQ(imagenet.set("csid/imagenet_c").preprocess.resize, Preprocess::Resize::none);
  EXPECT_EQ(imagenet.set("test").preprocess.side, 256);
  EXPECT_EQ(imagenet.set("test").preprocess.height, 224);
  EXPECT_EQ(imagenet.source("far/textures").folder, "images_classic");
  EXPECT_EQ(load_benchmark("cifar10", search).classes[9], "truck");
  const Benchmark cifar100 = load_benchmark("CIFAR-100", search);
  EXPECT_EQ(cifar100.name, "cifar100");
  EXPECT_EQ(cifar100.classes[0], "apple");
  EXPECT_EQ(cifar100.classes[99], "worm");
  EXPECT_EQ(cifar100.set("near/tin").count, 6526);
  for (const char* name : {"imagenet1k", "imagenet-1k", "ImageNet-1K", "imagenet_1k"})
    EXPECT_EQ(load_benchmark(name, search).name, "imagenet");
  EXPECT_EQ(load_benchmark("imagenet-200", search).name, "imagenet200");
}

}  // namespace
}  // namespace nearfar
