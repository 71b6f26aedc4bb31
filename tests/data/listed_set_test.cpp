/// Sets of lists and class folders before decoding: labels, selection, sizes, hashes, refusals with their line.
#include "data/listed_set.h"

#include "data_files.h"

#include <sys/stat.h>

#include <cstdlib>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBenchmark = R"(classes = ["x", "y", "z"]
[image]
channels = 3
height = 4
width = 4
resize = 4
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[root.r]
folder = "data"
in_data_root = "."
fix = "fetch it again"
[[set]]
name = "train"
list = "lists/train.txt"
images = "pictures"
count = 6
[[set]]
name = "test"
list = "lists/test.txt"
images = "pictures"
[[set]]
name = "near/n"
list = "lists/near.txt"
images = "pictures"
[[set]]
name = "csid/c"
list = "lists/csid.txt"
images = "pictures"
resize = "none"
)";

class ListedSetTest : public testing::DataFiles {
 protected:
  void SetUp() override {
    unsetenv("NEARFAR_DATA");
    unsetenv("NEARFAR_PACKED");
    for (int i = 0; i < 8; ++i)
      write("data/pictures/a/" + std::to_string(i) + ".png", std::string(static_cast<std::size_t>(10 + i), 'x'));
    write("data/lists/train.txt", "a/0.png 0\na/1.png 1\na/2.png 2\na/3.png 0\na/4.png 1 \na/5.png 0\n");
    write("data/lists/test.txt", "a/6.png 2\na/7.png 0\n");
    write("data/lists/near.txt", "a/1.png 5\na/2.png 0\na/3.png -1\n");
    write("data/lists/csid.txt", "a/6.png 1\n");
    benchmark_ = load_benchmark(write("b.toml", kBenchmark).string(), {});
  }
  ListedSet open(const std::string& name, const LoadOptions& options = {}) const {
    return open_listed_set(benchmark_, name, options);
  }
  std::string refused(const std::string& name, const LoadOptions& options = {}) const {
    return refusal(ErrorKind::data, [&] { open(name, options); });
  }
  Benchmark benchmark_;
};

TEST_F(ListedSetTest, HasTheListsOrderLabelsAndSizes) {
  const ListedSet set = open("train");
  EXPECT_EQ(set.info.count, 6);
  EXPECT_EQ(set.info.available, 6);
  EXPECT_EQ(set.info.expected, 6);
  EXPECT_EQ(set.info.channels, 3);
  EXPECT_EQ(set.info.height, 4);
  EXPECT_EQ(set.info.labels, (std::vector<std::int64_t>{0, 1, 2, 0, 1, 0}));
  std::vector<std::int64_t> sizes;
  for (const FileStat& file : set.files) sizes.push_back(file.size);
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{10, 11, 12, 13, 14, 15}));
  ASSERT_EQ(set.contents.size(), 6U);
  const std::string third(12, 'x');
  EXPECT_EQ(set.contents[2], xxh3_128(std::as_bytes(std::span(third))));
  EXPECT_EQ(set.path(3), "a/3.png");
  EXPECT_TRUE(set.where(3).ends_with("data/lists/train.txt:4")) << set.where(3);
  EXPECT_EQ(set.info.hash.size(), 32U);
  EXPECT_EQ(set.list_hash.size(), 32U);
  EXPECT_FALSE(set.packed);
}

TEST_F(ListedSetTest, OodLabelsAreMinusOneWhateverTheListSays) {
  EXPECT_EQ(open("near/n").info.labels, std::vector<std::int64_t>(3, -1));
}

TEST_F(ListedSetTest, CsidLabelsAreTheBenchmarks) {
  EXPECT_EQ(open("csid/c").info.labels, std::vector<std::int64_t>{1});
}

TEST_F(ListedSetTest, RefusesALabelThatIsNoClassWithItsLine) {
  write("data/lists/test.txt", "a/6.png 2\na/7.png 3\n");
  EXPECT_EQ(
      refused("test"),
      "data/lists/test.txt:2: the label 3 of 'a/7.png' is no class of benchmark 'b', which has the classes 0 … 2");
  write("data/lists/csid.txt", "a/6.png -1\n");
  EXPECT_EQ(refused("csid/c").find("data/lists/csid.txt:1: the label -1"), 0U);
}

TEST_F(ListedSetTest, ClassesOfTheListMayBeChosen) {
  benchmark_.sets[0].classes = {2, 0};
  benchmark_.sets[0].count = 0;
  const ListedSet set = open("train");
  EXPECT_EQ(set.picks, (std::vector<std::int64_t>{0, 2, 3, 5}));
  EXPECT_EQ(set.info.labels, (std::vector<std::int64_t>{1, 0, 1, 1}));
  EXPECT_TRUE(set.where(1).ends_with("train.txt:3"));
}

TEST_F(ListedSetTest, ALimitTakesTheClassesInEqualParts) {
  LoadOptions options;
  options.limit = 4;  // the first of each class, then the second of class 0
  const ListedSet set = open("train", options);
  EXPECT_EQ(set.picks, (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(set.info.available, 6);
  EXPECT_EQ(set.files.size(), 4U);
}

TEST_F(ListedSetTest, AnotherCountIsRefusedUnlessAllowed) {
  write("data/lists/train.txt", "a/0.png 0\n");
  EXPECT_NE(refused("train").find("set 'train' of benchmark 'b' has 1 images, 6 expected (b.toml:13:1)"),
            std::string::npos);
  LoadOptions options;
  options.allow_count_mismatch = true;
  EXPECT_EQ(open("train", options).info.count, 1);
  write("data/lists/test.txt", "a/6.png 2\n");  // the benchmark does not say how many: nothing to differ from
  EXPECT_EQ(open("test").info.expected, 0);
}

TEST_F(ListedSetTest, MissingFilesAreAnErrorThatSaysHowMany) {
  fs::remove(folder_.path() / "data/pictures/a/1.png");
  fs::remove(folder_.path() / "data/pictures/a/4.png");
  EXPECT_EQ(refused("train"),
            "data/lists/train.txt:2: data/pictures/a/1.png is not there; set 'train' of benchmark 'b' misses 2 of 6 "
            "files; fetch it again; or "
            "set data.on_unreadable=\"skip\", which every result will then say");
}

TEST_F(ListedSetTest, SkippedMissingFilesAreCountedAndChangeTheHash) {
  const std::string before = open("train").info.hash;
  fs::remove(folder_.path() / "data/pictures/a/1.png");
  LoadOptions options;
  options.on_unreadable = OnUnreadable::skip;
  const ListedSet set = open("train", options);
  EXPECT_EQ(set.info.count, 6);
  EXPECT_EQ(set.info.missing, 1);
  EXPECT_EQ(set.files[1].size, -1);
  EXPECT_NE(set.info.hash, before);
  const Manifest manifest = read_manifest(benchmark_, {"train", "test"}, options);
  EXPECT_EQ(manifest.missing, 1);
  EXPECT_EQ(manifest.sets[0].missing, 1);
  EXPECT_EQ(manifest.sets[1].missing, 0);
}

TEST_F(ListedSetTest, AnExchangedFileOfTheSameSizeIsAnotherSet) {
  LoadOptions by_size;
  by_size.identity = DataIdentity::stat;
  const std::string contents = open("train").info.hash, sizes = open("train", by_size).info.hash;
  EXPECT_NE(contents, sizes);
  EXPECT_TRUE(open("train", by_size).contents.empty());
  const fs::path file = folder_.path() / "data/pictures/a/1.png";
  const auto time = fs::last_write_time(file);
  write("data/pictures/a/1.png", std::string(11, 'y'));
  fs::last_write_time(file, time);
  EXPECT_NE(open("train").info.hash, contents);
  EXPECT_EQ(open("train", by_size).info.hash, sizes);  // what a person chooses who says data.identity=stat
  write("data/pictures/a/1.png", std::string(11, 'x'));
  EXPECT_EQ(open("train").info.hash, contents);
}

TEST_F(ListedSetTest, ReadingMayBeStoppedByTheCaller) {
  LoadOptions options;
  std::string told;
  options.reading = [&](std::string_view set, std::int64_t, std::int64_t total) {
    told = std::string(set) + " " + std::to_string(total);
    return false;
  };
  for (int i = 0; i < 3000; ++i) write("data/pictures/many/" + std::to_string(i), std::string(30'000, 'x'));
  std::string list;
  for (int i = 0; i < 3000; ++i) list += "many/" + std::to_string(i) + " 0\n";
  write("data/lists/test.txt", list);
  EXPECT_NE(refusal(ErrorKind::interrupted, [&] { open("test", options); }).find("goes on there"), std::string::npos);
  EXPECT_EQ(told, "test 3000");
}

TEST_F(ListedSetTest, TheHashCoversPathsLabelsContentsAndPreprocessing) {
  std::set<std::string> hashes = {open("train").info.hash}, lists = {open("train").list_hash};
  write("data/pictures/a/5.png", "longer than before");
  EXPECT_TRUE(hashes.insert(open("train").info.hash).second);
  EXPECT_FALSE(lists.insert(open("train").list_hash).second);  // a packed copy is named before any file is looked at
  write("data/lists/train.txt", "a/0.png 0\na/1.png 1\na/2.png 2\na/3.png 0\na/4.png 1\na/5.png 1\n");
  EXPECT_TRUE(hashes.insert(open("train").info.hash).second);
  EXPECT_TRUE(lists.insert(open("train").list_hash).second);
  write("data/lists/train.txt", "a/0.png 0\na/1.png 1\na/2.png 2\na/3.png 0\na/4.png 1\na/6.png 1\n");
  EXPECT_TRUE(hashes.insert(open("train").info.hash).second);
  EXPECT_TRUE(lists.insert(open("train").list_hash).second);
  benchmark_.sets[0].preprocess.side = 5;
  EXPECT_TRUE(hashes.insert(open("train").info.hash).second);
  EXPECT_TRUE(lists.insert(open("train").list_hash).second);
}

TEST_F(ListedSetTest, TheHashDoesNotDependOnBlanksNamesAndPlaces) {
  const std::string before = open("train").info.hash;
  write("data/lists/train.txt", "a/0.png 0 \r\na/1.png 1\na/2.png 2\na/3.png 0\na/4.png {'class_label': 1}\na/5.png 0");
  EXPECT_EQ(open("train").info.hash, before);
  fs::rename(folder_.path() / "data", folder_.path() / "moved");
  LoadOptions options;
  options.data_root = folder_.path() / "moved";
  EXPECT_EQ(open("train", options).info.hash, before);
}

TEST_F(ListedSetTest, SaysWhatIsMissingAndWhatToDo) {
  fs::remove(folder_.path() / "data/lists/near.txt");
  EXPECT_EQ(refused("near/n"),
            "data/lists/near.txt: there is no such image list; set 'near/n' of benchmark 'b' needs it (b.toml:22:1); "
            "fetch it again");
  fs::rename(folder_.path() / "data/pictures", folder_.path() / "data/elsewhere");
  EXPECT_EQ(
      refused("train"),
      "data/pictures: there is no such folder; the images of set 'train' of benchmark 'b' lie there; fetch it again");
  LoadOptions options;
  options.data_root = folder_.path() / "nowhere";
  EXPECT_EQ(refused("train", options),
            "the data folder 'r' of benchmark 'b' (b.toml:9:7) is missing; looked for: nowhere; fetch it again, or set "
            "data.root (or "
            "NEARFAR_DATA) to the folder itself");
}

TEST_F(ListedSetTest, NamesTheLineOfALinkThatLeaves) {
  write("secret", "x");
  fs::remove(folder_.path() / "data/pictures/a/7.png");
  fs::create_symlink("../../../secret", folder_.path() / "data/pictures/a/7.png");
  const std::string message = refused("test");
  EXPECT_EQ(
      message.find("data/lists/test.txt:2: data/pictures/a/7.png: is a symbolic link, or behind one, that leaves"), 0U)
      << message;
  LoadOptions options;
  options.follow_links = true;
  EXPECT_EQ(open("test", options).files[1].size, 1);
}

TEST_F(ListedSetTest, FifosAndFoldersAreNotImages) {
  fs::remove(folder_.path() / "data/pictures/a/6.png");
  ASSERT_EQ(mkfifo((folder_.path() / "data/pictures/a/6.png").c_str(), 0600), 0);
  fs::remove(folder_.path() / "data/pictures/a/7.png");
  fs::create_directory(folder_.path() / "data/pictures/a/7.png");
  EXPECT_NE(refused("test").find("misses 2 of 2 files"), std::string::npos);
}

TEST_F(ListedSetTest, ABrokenListIsRefusedWithItsLine) {
  write("data/lists/test.txt", "a/6.png 2\n../../secret 0\n");
  EXPECT_EQ(refused("test").find("data/lists/test.txt:2: the path '../../secret' climbs"), 0U);
}

TEST_F(ListedSetTest, ClassFoldersGiveLabelsInOrder) {
  for (const char* name : {"data/f/y/1.png", "data/f/x/2.png", "data/f/z/3.png", "data/f/z/4.png"})
    write(name, "12345");
  std::string text = kBenchmark;
  text += "[source.f]\ntype = 'folders'\nfolder = 'f'\n[[set]]\nname = 'val'\nsource = 'f'\n";
  benchmark_ = load_benchmark(write("b.toml", text).string(), {});
  const ListedSet set = open("val");
  EXPECT_EQ(set.info.labels, (std::vector<std::int64_t>{0, 1, 2, 2}));
  EXPECT_EQ(set.path(1), "y/1.png");
  EXPECT_TRUE(set.where(1).ends_with("data/f"));
  write("data/f/d/5.png", "x");
  EXPECT_NE(refused("val").find("data/f: its class folders (d, x, y, z) are not named as the classes"),
            std::string::npos);
  fs::remove_all(folder_.path() / "data/f/d");
  write("data/f/0.png", "x");
  EXPECT_EQ(refused("val"), "data/f: '0.png' lies beside the class folders; in set 'val' every image needs a class");
}

TEST_F(ListedSetTest, ManifestsOfSomeSetsHaveTheHashOfAll) {
  const Manifest whole = read_manifest(benchmark_);
  EXPECT_FALSE(whole.count_mismatch);
  EXPECT_EQ(whole.sets.size(), 4U);
  EXPECT_EQ(describe_set(benchmark_, "train").hash, whole.sets[0].hash);
  const Manifest some = read_manifest(benchmark_, {"test", "near/n"}, {});
  EXPECT_EQ(some.sets.size(), 2U);
  EXPECT_EQ(some.hash, whole.hash);
  benchmark_.protocols.push_back({.name = "fsood+x", .csid = {"csid/c"}});
  EXPECT_EQ(read_manifest(benchmark_).hash, whole.hash);  // the same data under one protocol more
}

TEST_F(ListedSetTest, ManifestsOfSomeSetsDoNotNeedTheOthersFiles) {
  fs::remove(folder_.path() / "data/lists/csid.txt");
  EXPECT_EQ(read_manifest(benchmark_, {"train", "test", "near/n"}, {}).sets.size(), 3U);
  refusal(ErrorKind::data, [&] { read_manifest(benchmark_); });
}

TEST_F(ListedSetTest, ManifestHashesChangeWithTheListsThatAreNotRead) {
  const std::string before = read_manifest(benchmark_, {"test", "near/n"}, {}).hash;
  write("data/lists/csid.txt", "a/1.png 0\n");
  EXPECT_NE(read_manifest(benchmark_, {"test", "near/n"}, {}).hash, before);
}

/// A benchmark of class folders.
class ClassesTest : public testing::DataFiles {
 protected:
  void SetUp() override {
    unsetenv("NEARFAR_DATA");
    unsetenv("NEARFAR_PACKED");
    for (const char* set : {"train", "test"}) {
      for (const char* name : {"10", "2", "owl"}) write(std::string("data/") + set + "/" + name + "/x.png", name);
    }
  }
  Benchmark benchmark(const std::string& classes, const std::string& more = "") const {
    return load_benchmark(write("b.toml", classes + R"(
[image]
channels = 3
height = 4
width = 4
resize = 4
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[root.r]
folder = "data"
in_data_root = "."
[source.train]
type = "folders"
folder = "train"
[source.test]
type = "folders"
folder = "test"
)" + more + R"([[set]]
name = "train"
source = "train"
[[set]]
name = "test"
source = "test"
)")
                              .string(),
                          {});
  }
  static std::vector<std::string> labelled(const ListedSet& set) {
    std::vector<std::string> result;
    for (std::int64_t i = 0; i < set.info.count; ++i)
      result.push_back(std::string(set.path(i)) + " " + std::to_string(set.info.labels[static_cast<std::size_t>(i)]));
    return result;
  }
};

TEST_F(ClassesTest, DeclaredNamesDecide) {
  EXPECT_EQ(labelled(open_listed_set(benchmark(R"(classes = ["owl", "10", "2"])"), "test", {})),
            (std::vector<std::string>{"owl/x.png 0", "10/x.png 1", "2/x.png 2"}));
}

TEST_F(ClassesTest, AClassWithoutAFolderIsMissingAndShiftsNoOther) {
  fs::remove_all(folder_.path() / "data/test/10");
  const Benchmark three = benchmark(R"(classes = ["owl", "10", "2"])");
  EXPECT_EQ(labelled(open_listed_set(three, "test", {})), (std::vector<std::string>{"owl/x.png 0", "2/x.png 2"}));
  EXPECT_EQ(read_manifest(three, {}).missing_classes,
            std::vector<std::string>{"set 'test' has images of 2 of 3 classes; none of 10 (1)"});
}

TEST_F(ClassesTest, NamesThatDisagreeAreRefusedWithBothLists) {
  EXPECT_EQ(
      refusal(ErrorKind::data, [&] { open_listed_set(benchmark(R"(classes = ["owl", "10", "Two"])"), "train", {}); }),
      "data/train: its class folders (2, 10, owl) are not named as the classes of benchmark 'b' (owl, 10, Two): "
      "no class is named 2; rename them, or name the folder of each class in 'folders' of [source.train], in the "
      "order of 'classes'");
}

TEST_F(ClassesTest, FoldersOfTheSourceDecideBeforeNames) {
  const std::string more =
      "[source.extra]\ntype = \"folders\"\nfolder = \"test\"\nfolders = [\"2\", \"owl\", \"10\"]\n"
      "[[set]]\nname = \"csid/c\"\nsource = \"extra\"\n";
  EXPECT_EQ(labelled(open_listed_set(benchmark(R"(classes = ["x", "y", "z"])", more), "csid/c", {})),
            (std::vector<std::string>{"2/x.png 0", "owl/x.png 1", "10/x.png 2"}));
}

TEST_F(ClassesTest, WithoutNamesTheNaturalOrderIsUsedAndSaid) {
  const Benchmark unnamed = benchmark("class_count = 3");
  EXPECT_EQ(labelled(open_listed_set(unnamed, "train", {})),
            (std::vector<std::string>{"2/x.png 0", "10/x.png 1", "owl/x.png 2"}));
  EXPECT_EQ(read_manifest(unnamed, {}).class_order,
            "classes are numbered by folder name in natural order: 0 = 2, 1 = 10, 2 = owl; torchvision's ImageFolder "
            "would have 0 = 10, 1 = 2, 2 = owl: a model that was trained with it needs 'folders' of the source in that "
            "order");
}

TEST_F(ClassesTest, WithoutNamesEverySetMustHaveTheSameFolders) {
  fs::rename(folder_.path() / "data/test/10", folder_.path() / "data/test/11");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { read_manifest(benchmark("class_count = 3"), {}); }),
            "b.toml: class folders are numbered by their names, but those of 'train' (0 = 2, 1 = 10, 2 = owl) and of "
            "'test' (0 = 2, 1 = 11, 2 = owl) are not the same; name the classes in 'classes' instead of class_count");
  fs::remove_all(folder_.path() / "data/test/11");
  EXPECT_NE(refusal(ErrorKind::data, [&] { read_manifest(benchmark("class_count = 3"), {}); })
                .find("data/test: has 2 class folders (2, owl), benchmark 'b' has 3 classes without names"),
            std::string::npos);
}

}  // namespace
}  // namespace nearfar
