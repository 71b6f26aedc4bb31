/// Files of torch.export.save that were cut, changed or made up: refused with a message, whatever they hold.
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "models/archive.h"
#include "models/exported/archive.h"
#include "models/exported/exported_network.h"
#include "models/exported/functional.h"
#include "models/torch_file.h"
#include "models/zip_file.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace nearfar {
namespace {
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string message(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

std::span<const std::byte> bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Entries of the plain tiny network by their names below its folder.
class ExportedFile : public ::testing::Test {
 protected:
  void SetUp() override {
    whole_ = read_file(testing::golden("exported/tiny-plain.pt2").value());
    const ZipFile zip(bytes(whole_), "tiny");
    for (const ZipEntry& entry : zip.entries()) {
      const std::string name(entry.name.substr(entry.name.find('/') + 1));
      entries_.emplace_back(name, std::string(reinterpret_cast<const char*>(entry.data.data()), entry.data.size()));
    }
  }
  std::string& entry(const std::string& name) {
    for (auto& [key, data] : entries_) {
      if (key == name) return data;
    }
    throw Error(ErrorKind::internal, "no entry " + name);
  }
  std::string& json() { return entry("models/model.json"); }
  std::string archive() const {
    std::vector<testing::ZipPart> parts;
    for (const auto& [name, data] : entries_) parts.push_back(testing::zip_part("a/" + name, data));
    return testing::zip_archive(parts);
  }
  /// What opening says of the entries as they are now.
  std::string said() {
    const TempDir folder;
    write_file_atomic(folder.path() / "a.pt2", archive());
    return message([&] { open_exported(folder.path() / "a.pt2"); });
  }
  /// The same with a piece of the graph replaced; the piece is there.
  std::string said_after(const std::string& from, const std::string& to) {
    const std::string before = json();
    EXPECT_NE(before.find(from), std::string::npos) << from;
    json() = replace_all(before, from, to);
    const std::string result = said();
    json() = before;
    return result;
  }
  std::string whole_;
  std::vector<std::pair<std::string, std::string>> entries_;
};

TEST_F(ExportedFile, IsReadWithoutChanges) { EXPECT_EQ(said(), "nothing was thrown"); }

TEST_F(ExportedFile, CutAnywhereItIsRefused) {
  for (std::size_t size = 0; size < whole_.size(); size += 64) {
    const std::string cut = whole_.substr(0, size);
    EXPECT_THAT(message([&] { exported::parse_export(bytes(cut), "cut.pt2"); }), HasSubstr("cut.pt2: ")) << size;
  }
}

TEST_F(ExportedFile, AGraphCutAnywhereIsRefused) {
  const std::string graph = json();
  for (std::size_t size = 0; size < graph.size(); size += 64) {
    EXPECT_THAT(message([&] { exported::parse_graph(graph.substr(0, size), "cut"); }), HasSubstr("no JSON")) << size;
  }
}

TEST_F(ExportedFile, UnknownOperatorsAreRefusedByName) {
  EXPECT_THAT(said_after("torch.ops.aten.linear.default", "torch.ops.aten.from_file.default"),
              HasSubstr("from_file.default): is not among"));
  EXPECT_THAT(said_after("torch.ops.aten.linear.default", "torch.ops.mine.linear.default"), HasSubstr("is not among"));
  EXPECT_THAT(said_after("torch.ops.aten.linear.default", "torch.ops.aten.linear.out"),
              HasSubstr("writes into its arguments"));
  EXPECT_THAT(said_after("torch.ops.aten.linear.default", "torch.ops.aten.linear.mine"),
              HasSubstr("unknown to this LibTorch"));
  EXPECT_THAT(said_after("torch.ops.aten.linear.default", "os.system"), HasSubstr("is not among"));
}

TEST_F(ExportedFile, ArgumentsFitTheOperator) {
  EXPECT_THAT(said_after(R"("name": "weight", "arg": {"as_tensor": {"name": "p_fc_weight"}})",
                         R"("name": "weight", "arg": {"as_string": "w"})"),
              HasSubstr("'weight' is text, expected Tensor"));
  EXPECT_THAT(said_after(R"("name": "padding")", R"("name": "paddings")"), HasSubstr("no parameter 'paddings'"));
  EXPECT_THAT(said_after(R"({"as_ints": [2, 3]})", R"({"as_string": "2, 3"})"), HasSubstr("'dim' is text, expected"));
}

TEST_F(ExportedFile, CyclesAndNamesThatNothingMakesAreRefused) {
  // The first convolution reads what the last layer makes.
  EXPECT_THAT(said_after(R"({"name": "input", "arg": {"as_tensor": {"name": "x"}})",
                         R"({"name": "input", "arg": {"as_tensor": {"name": "linear"}})"),
              HasSubstr("a cycle"));
  EXPECT_THAT(said_after(R"({"name": "input", "arg": {"as_tensor": {"name": "x"}})",
                         R"({"name": "input", "arg": {"as_tensor": {"name": "y"}})"),
              HasSubstr("reads 'y', which nothing makes"));
  EXPECT_THAT(said_after(R"("outputs": [{"as_tensor": {"name": "conv2d_1"}}])",
                         R"("outputs": [{"as_tensor": {"name": "conv2d"}}])"),
              HasSubstr("'conv2d' is made twice"));
}

TEST_F(ExportedFile, OtherVersionsAreNamedWithWhatToDo) {
  EXPECT_THAT(said_after(R"("schema_version": {"major": 8)", R"("schema_version": {"major": 9)"),
              AllOf(HasSubstr("schema is 9."), HasSubstr("PyTorch 2.11"), HasSubstr("export the module")));
  entry("archive_version") = "1";
  EXPECT_THAT(said(), HasSubstr("container is version '1', version 0 is read"));
}

TEST_F(ExportedFile, PickledTensorsAreNotOpened) {
  std::string& weights = entry("data/weights/model_weights_config.json");
  const std::string before = weights;
  weights = replace_all(before, R"("use_pickle": false)", R"("use_pickle": true)");
  EXPECT_THAT(said(), HasSubstr("pickles are not opened"));
  for (const auto& [from, to, says] :
       {std::tuple{R"("storage_offset": {"as_int": 0})", R"("storage_offset": {"as_int": 9000})", "reaches beyond"},
        {R"("storage_offset": {"as_int": 0})", R"("storage_offset": {"as_int": -1})", "reaches beyond"},
        {R"("sizes": [{"as_int": 10}])", R"("sizes": [{"as_int": 4611686018427387904}])", "reaches beyond"},
        {R"("dtype": 7)", R"("dtype": 10)", "ComplexFloat"},
        {R"("weight_0")", R"("../weight_0")", "are missing"}}) {
    weights = replace_all(before, from, to);
    EXPECT_THAT(said(), HasSubstr(says)) << to;
  }
  weights = R"({"config": {}})";
  EXPECT_THAT(said(), HasSubstr("is missing"));
}

TEST_F(ExportedFile, OtherArchivesAreToldApart) {
  const auto of = [](const std::string& file) {
    return message([&] { open_exported(testing::golden(file).value()); });
  };
  EXPECT_THAT(of("exported/tiny-plain.torchscript.pt"), HasSubstr("model.torchscript"));
  EXPECT_THAT(of("models/types.pt"), HasSubstr("model.checkpoint"));
  EXPECT_THAT(message([] { read_torch_file(testing::golden("exported/tiny-plain.pt2").value()); }),
              HasSubstr("model.file"));
  EXPECT_THAT(of("exported/inputs.npy"), HasSubstr("expected what torch.export.save writes"));
}

TEST_F(ExportedFile, DepthAndStrangeJsonAreBounded) {
  json() = std::string(100'000, '[');
  EXPECT_THAT(said(), HasSubstr("nested deeper"));
  json() = R"({"graph_module": 3, "schema_version": {"major": 8, "minor": 17}})";
  EXPECT_THAT(said(), HasSubstr("'graph_module' is number"));
  json() = "[]";
  EXPECT_THAT(said(), HasSubstr("no JSON object"));
}

TEST(ExportedEffects, WritesBecomeResultsUnlessAViewIsReadLater) {
  const auto graph_of = [](const char* form) {
    return exported::read_export(testing::golden(std::string("exported/tiny-") + form + ".pt2").value()).graph;
  };
  const auto targets = [](const exported::Graph& graph) {
    std::vector<std::string> names;
    for (const exported::Node& node : graph.nodes) names.push_back(node.target);
    return names;
  };
  exported::Graph plain = graph_of("plain"), views = graph_of("views");
  const exported::Effects none = exported::make_functional(plain, "plain"),
                          some = exported::make_functional(views, "views");
  EXPECT_THAT(targets(plain), ::testing::Not(::testing::Contains(HasSubstr("relu_."))));
  EXPECT_TRUE(std::none_of(none.after.begin(), none.after.end(), [](const auto& after) { return !after.empty(); }));
  EXPECT_THAT(targets(views), ::testing::Contains(HasSubstr("mul_.")));
  EXPECT_TRUE(some.written[static_cast<std::size_t>(views.find("conv2d_1"))]);
  EXPECT_FALSE(some.written[static_cast<std::size_t>(views.find("conv2d"))]);
}

}  // namespace
}  // namespace nearfar
