#include "config/document.h"

#include "config_files.h"

namespace nearfar {
namespace {

using DocumentTest = testing::ConfigFiles;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(TomlDocument, RemembersLineAndColumnOfKeysAndValues) {
  const Value document = parse_toml("[train]\nlr = 0.5\n", "a.toml");
  const Value& lr = document.table()->at("train").table()->at("lr");
  EXPECT_EQ(std::get<double>(lr.data), 0.5);
  EXPECT_EQ(lr.where, "a.toml:2:6");
  EXPECT_EQ(lr.key_where, "a.toml:2:1");
}

TEST(TomlDocument, SaysWhereTextIsNotToml) {
  const std::string message = message_of([] { parse_toml("a = 1\nb = [1, 2\n", "a.toml"); });
  EXPECT_EQ(message.substr(0, 7), "a.toml:") << message;
  EXPECT_NE(message.find("not valid TOML"), std::string::npos) << message;
}

TEST(TomlDocument, RefusesDates) {
  EXPECT_NE(message_of([] { parse_toml("d = 2020-01-02", "a.toml"); }).find("a.toml:1:5: a date"), std::string::npos);
}

TEST(TomlDocument, MergesTablesAndReplacesLists) {
  Value lower = parse_toml("a = [1, 2]\n[t]\nx = 1\ny = 2\n", "l");
  merge_into(lower, parse_toml("a = [3]\n[t]\ny = 5\n", "u"));
  EXPECT_EQ(lower.table()->at("a").list()->size(), 1U);
  const Value::Table& t = *lower.table()->at("t").table();
  EXPECT_EQ(std::get<std::int64_t>(t.at("x").data), 1);
  EXPECT_EQ(std::get<std::int64_t>(t.at("y").data), 5);
}

TEST(TomlDocument, ReadsArgumentsAsTomlElseAsText) {
  EXPECT_EQ(std::get<double>(parse_argument("1e-3", "w").data), 1e-3);
  EXPECT_EQ(std::get<std::int64_t>(parse_argument("7", "w").data), 7);
  EXPECT_EQ(std::get<bool>(parse_argument("true", "w").data), true);
  EXPECT_EQ(std::get<std::string>(parse_argument("cpu", "w").data), "cpu");
  EXPECT_EQ(std::get<std::string>(parse_argument("'7'", "w").data), "7");
  EXPECT_EQ(std::get<std::string>(parse_argument("2020-01-02", "w").data), "2020-01-02");
}

TEST(TomlDocument, AnArgumentCannotBringASecondKey) {
  EXPECT_EQ(std::get<std::string>(parse_argument("1\nevil = 2", "w").data), "1\nevil = 2");
  EXPECT_EQ(std::get<std::string>(parse_argument("1\n", "w").data), "1\n");
}

TEST_F(DocumentTest, TheFileWinsOverWhatItExtendsAndLaterOverEarlier) {
  write("a.toml", "x = 1\ny = 1\nz = 1\n");
  write("b.toml", "y = 2\nz = 2\n");
  const Value document = read_composed(write("c.toml", "extends = ['a.toml', 'b.toml']\nz = 3\n"));
  EXPECT_EQ(std::get<std::int64_t>(document.table()->at("x").data), 1);
  EXPECT_EQ(std::get<std::int64_t>(document.table()->at("y").data), 2);
  EXPECT_EQ(std::get<std::int64_t>(document.table()->at("z").data), 3);
  EXPECT_FALSE(document.table()->contains("extends"));
}

TEST_F(DocumentTest, PathsInExtendsAreRelativeToTheFileThatNamesThem) {
  write("recipes/base.toml", "x = 4\n");
  write("recipes/middle.toml", "extends = 'base.toml'\n");
  const Value document = read_composed(write("experiments/top.toml", "extends = '../recipes/middle.toml'\n"));
  EXPECT_EQ(std::get<std::int64_t>(document.table()->at("x").data), 4);
}

TEST_F(DocumentTest, TheSameBaseTwiceIsNoCycle) {
  write("base.toml", "x = 1\n");
  write("l.toml", "extends = 'base.toml'\n");
  write("r.toml", "extends = 'base.toml'\n");
  EXPECT_EQ(read_composed(write("top.toml", "extends = ['l.toml', 'r.toml']\n")).table()->size(), 1U);
}

TEST_F(DocumentTest, RefusesACycleAndShowsIt) {
  write("a.toml", "extends = 'b.toml'\n");
  const auto file = write("b.toml", "extends = 'a.toml'\n");
  EXPECT_EQ(without_folder(message_of([&] { read_composed(file); })),
            "a.toml:1:11: `extends` goes round in a circle: b.toml -> a.toml -> b.toml; remove one of these links");
}

TEST_F(DocumentTest, SaysWhoExtendsAMissingFile) {
  const auto file = write("a.toml", "\nextends = 'gone.toml'\n");
  EXPECT_EQ(
      without_folder(message_of([&] { read_composed(file); })),
      "a.toml:2:11: `extends` names 'gone.toml', which is not a file; paths are relative to the file that names them");
}

TEST_F(DocumentTest, AMissingFileIsADataError) {
  try {
    read_composed(folder_.path() / "gone.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("gone.toml"), std::string::npos);
  }
}

TEST(Values, AreEqualByTypeAndValueAllThrough) {
  const auto value = [](const char* text) { return parse_argument(text, "here"); };
  EXPECT_TRUE(equal_values(value("{ a = [1, 'x'], b = true }"), parse_argument("{ b = true, a = [1, 'x'] }", "there")));
  EXPECT_FALSE(equal_values(value("['a,b']"), value("['a', 'b']")));
  EXPECT_FALSE(equal_values(value("[1]"), value("['1']")));
  EXPECT_FALSE(equal_values(value("1"), value("1.0")));
  EXPECT_FALSE(equal_values(value("{ a = 1 }"), value("{ a = 1, b = 2 }")));
}

TEST(Values, AreFoundByTheirPath) {
  const Value document = parse_toml("[train]\nlr = 2\n", "x.toml");
  ASSERT_NE(find_value(document, {"train", "lr"}), nullptr);
  EXPECT_EQ(find_value(document, {"train", "lr"})->where, "x.toml:2:6");
  EXPECT_EQ(find_value(document, {"train", "lr", "deeper"}), nullptr);
  EXPECT_EQ(find_value(document, {"loss", "lr"}), nullptr);
}

}  // namespace
}  // namespace nearfar
