#include "host/plugin_note.h"

#include <nearfar/note.h>

#include <gtest/gtest.h>

#include <string>

namespace nearfar {
namespace {

constexpr Param kParams[] = {{"k", 50, 1, 1000, "which neighbour"}, {"mode", "mean", "mean|max", "how"}};
constexpr PluginText kText{.name = "knn",
                           .version = "1.2.0",
                           .summary = "distances",
                           .reference = "a paper",
                           .needs = kFeatures | kTrain,
                           .params = kParams};
constexpr auto kNote = make_note<[](NoteWriter& note) {
  write_note_begin(note, "stable", PluginKind::loss, kText);
  note.number("abi", 1);
  note.text("torch", "2.11");
  note.text("new-key", "of a later nearfar");
  write_note_end(note, kText, "abc");
}>();

/// NUL-terminated strings of words that are separated by '|'.
std::string descriptor(std::string text) {
  for (char& one : text) one = one == '|' ? '\0' : one;
  return text + '\0';
}

std::string found(const std::string& text) {
  const auto read = read_note(descriptor(text));
  const auto* fault = std::get_if<PluginFault>(&read);
  return fault != nullptr ? fault->found : "";
}

TEST(PluginNote, ReadsWhatTheMacrosWrite) {
  const auto read = read_note(std::string_view(kNote.descriptor, kNote.descriptor_size));
  ASSERT_TRUE(std::holds_alternative<PluginNote>(read)) << std::get<PluginFault>(read).text();
  const auto& note = std::get<PluginNote>(read);
  EXPECT_EQ(note.tier, PluginTier::stable);
  EXPECT_EQ(note.kind, PluginKind::loss);
  EXPECT_EQ(note.name, "knn");
  EXPECT_EQ(note.version, "1.2.0");
  EXPECT_EQ(note.summary, "distances");
  EXPECT_EQ(note.reference, "a paper");
  EXPECT_EQ(note.abi, 1u);
  EXPECT_EQ(note.build_tag.torch, "2.11");
  EXPECT_EQ(note.source_hash, "abc");
  EXPECT_EQ(need_names(note.needs), (std::vector<std::string>{"features", "train"}));
  ASSERT_EQ(note.params.size(), 2u);
  EXPECT_EQ(note.params[0].default_value, ParamValue(std::int64_t{50}));
  EXPECT_EQ(note.params[0].maximum, 1000);
  EXPECT_EQ(note.params[0].help, "which neighbour");
  EXPECT_EQ(note.params[1].choices, (std::vector<std::string>{"mean", "max"}));
}

TEST(PluginNote, MayBeShortWhenWrittenByHand) {
  const auto read = read_note(descriptor("note=1|tier=c|kind=postprocessor|name=ebo|version=1|abi=1"));
  ASSERT_TRUE(std::holds_alternative<PluginNote>(read)) << std::get<PluginFault>(read).text();
  EXPECT_EQ(std::get<PluginNote>(read).needs, 0u);
  EXPECT_TRUE(std::get<PluginNote>(read).params.empty());
}

TEST(PluginNote, NamesWhatIsWrong) {
  const std::string right = "note=1|tier=c|kind=loss|name=a|version=1|abi=1";
  EXPECT_EQ(found(right), "");
  EXPECT_EQ(found("note=2|tier=c"), "its note begins with 'note=2'");
  EXPECT_EQ(found("tier=c|note=1"), "its note begins with 'tier=c'");
  EXPECT_EQ(found("note=1|tier=d"), "its tier is 'd'");
  EXPECT_EQ(found("note=1|tier=c|kind=x"), "its kind is 'x'");
  EXPECT_EQ(found("note=1|tier=c|kind=loss|name=A b"), "name is 'A b'");
  EXPECT_EQ(found("note=1|tier=c|kind=loss|name=a"), "version is empty");
  EXPECT_EQ(found(right + "|abi=2"), "its note has 'abi' twice");
  EXPECT_EQ(found(right + "|words"), "its note has 'words'");
  EXPECT_EQ(found(right + "|needs=-1"), "its note has needs '-1'");
  EXPECT_EQ(found(right + "|needs=99999999999"), "its note has needs '99999999999'");
  EXPECT_EQ(found(right + "|needs=256"), "its needs are 256");
  EXPECT_EQ(found("note=1|tier=stable|kind=loss|name=a|version=1|abi=1|torch=new"), "its note has torch 'new'");
  EXPECT_EQ(std::get<PluginFault>(read_note("note=1")).found, "its note begins with 'note=1'");
  EXPECT_EQ(std::get<PluginFault>(read_note(descriptor("note=1") + "tier=c")).found, "its note ends within a text");
}

TEST(PluginNote, NamesTheParameterThatIsWrong) {
  const std::string right = "note=1|tier=c|kind=loss|name=a|version=1|abi=1|param=";
  const std::string one = "3ff0000000000000", zero = "0000000000000000", half = "3fe0000000000000";
  EXPECT_EQ(found(right + "t\tnumber\t" + one + "\t" + zero + "\t" + one + "\t\thelp"), "");
  EXPECT_EQ(found(right + "t\tnumber\t" + one + "\t" + zero + "\t" + half + "\t\t"),
            "parameter 1 ('t'): its default 1 is outside 0 to 0.5");
  EXPECT_EQ(found(right + "t\tinteger\t" + half + "\t" + zero + "\t" + one + "\t\t"),
            "parameter 1 ('t'): its default or range is not whole");
  EXPECT_EQ(found(right + "t\tinteger\t" + zero + "\t" + zero + "\t7fe0000000000000\t\t"),
            "parameter 1 ('t'): its default or range is beyond 2^53");
  EXPECT_EQ(found(right + "t\tcolour\t" + one + "\t" + one + "\t" + one + "\t\t"),
            "its note has the parameter 't' of type 'colour'");
  EXPECT_EQ(found(right + "t\tnumber\t1.0\t" + zero + "\t" + one + "\t\t"),
            "its note has a parameter with the number '1.0'");
  EXPECT_EQ(found(right + "t\tnumber"), "its note has the parameter 't' with 2 columns");
}

}  // namespace
}  // namespace nearfar
