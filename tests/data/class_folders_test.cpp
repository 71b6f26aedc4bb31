#include "data/class_folders.h"

#include "data_files.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

class ClassFoldersTest : public testing::DataFiles {
 protected:
  void SetUp() override {
    for (const char* name : {"top/cat/2.png", "top/cat/1.JPEG", "top/cat/more/3.jpg", "top/ape/x.webp",
                             "top/ape/y.Jpeg", "top/ape/notes.txt"}) {
      write(name, "x");
    }
  }
  ImageList list(const std::vector<std::string>& classes = {}, bool follow_links = false) const {
    std::vector<ClassFolder> numbered;
    for (const std::string& name : classes) numbered.push_back({name, static_cast<std::int32_t>(numbered.size())});
    return list_class_folders(folder_.path() / "top", numbered, follow_links);
  }
  std::string refused(const std::vector<std::string>& classes = {}, bool follow_links = false) const {
    return refusal(ErrorKind::data, [&] { list(classes, follow_links); });
  }
  static std::vector<std::string> lines(const ImageList& list) {
    std::vector<std::string> result;
    for (std::int64_t i = 0; i < list.count(); ++i)
      result.push_back(std::string(list.path(i)) + " " + std::to_string(list.label(i)));
    return result;
  }
};

TEST_F(ClassFoldersTest, AreSortedByNameAndNumbered) {
  EXPECT_EQ(lines(list()), (std::vector<std::string>{"ape/x.webp 0", "ape/y.Jpeg 0", "cat/1.JPEG 1", "cat/2.png 1",
                                                     "cat/more/3.jpg 1"}));
}

TEST_F(ClassFoldersTest, NaturalOrderCountsAsPeopleDo) {
  for (const char* name : {"many/10/x.png", "many/9/x.png", "many/1/x.png"}) write(name, "x");
  EXPECT_EQ(class_folder_names(folder_.path() / "many"), (std::vector<std::string>{"1", "9", "10"}));
  EXPECT_EQ(lines(list_class_folders(folder_.path() / "many", {}, false)),
            (std::vector<std::string>{"1/x.png 0", "9/x.png 1", "10/x.png 2"}));
}

TEST_F(ClassFoldersTest, LabelsMayLeaveClassesOut) {
  EXPECT_EQ(lines(list_class_folders(folder_.path() / "top", {{"cat", 7}}, false)).front(), "cat/1.JPEG 7");
}

TEST_F(ClassFoldersTest, NamedClassesGiveTheOrder) {
  EXPECT_EQ(lines(list({"cat", "ape"})), (std::vector<std::string>{"cat/1.JPEG 0", "cat/2.png 0", "cat/more/3.jpg 0",
                                                                   "ape/x.webp 1", "ape/y.Jpeg 1"}));
  EXPECT_EQ(list({"cat"}).count(), 3);
}

TEST_F(ClassFoldersTest, FilesBesideThemHaveNoClass) {
  write("top/loose.png", "x");
  write("top/.hidden.png", "x");
  EXPECT_EQ(lines(list()).front(), "loose.png -1");
  EXPECT_EQ(list().count(), 6);
  EXPECT_EQ(list({"cat"}).count(), 3);
  write("flat/b.png", "x");
  write("flat/a.png", "x");
  EXPECT_EQ(lines(list_class_folders(folder_.path() / "flat", {}, false)),
            (std::vector<std::string>{"a.png -1", "b.png -1"}));
}

TEST_F(ClassFoldersTest, RefusesMissingAndEmptyOnes) {
  EXPECT_EQ(refused({"dog"}), "top/dog: there is no such class folder");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { list_class_folders(folder_.path() / "gone", {}, false); }),
            "gone: there is no such folder; one folder of images a class expected");
  write("top/zoo/readme", "x");
  EXPECT_EQ(
      refused(),
      "top/zoo: this class folder has no images (.jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .pbm)");
  fs::create_directory(folder_.path() / "empty");
  EXPECT_EQ(refusal(ErrorKind::data, [&] { list_class_folders(folder_.path() / "empty", {}, false); }),
            "empty: has no images (.jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff, .ppm, .pgm, .pbm) and no class "
            "folders");
}

TEST_F(ClassFoldersTest, RefusesImagesThatAreNotReadInsteadOfPassingThemOver) {
  write("top/cat/4.HEIC", "x");
  EXPECT_EQ(refused(), "top/cat/4.HEIC: images of this format are not read; convert the folder to PNG or JPEG");
}

TEST_F(ClassFoldersTest, LinkedFoldersNeedLeave) {
  fs::create_directory_symlink(folder_.path() / "top" / "cat", folder_.path() / "top" / "dog");
  EXPECT_EQ(refused(), "top/dog: is a symbolic link to a folder; set data.follow_links=true if that is meant");
  EXPECT_EQ(list({}, true).count(), 8);
  fs::create_directory_symlink(folder_.path() / "top" / "cat", folder_.path() / "top" / "cat" / "self");
  EXPECT_NE(refused({"cat"}, true).find("is more than 16 folders deep"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
