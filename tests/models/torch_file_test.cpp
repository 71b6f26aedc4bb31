#include "models/torch_file.h"

#include "base/error.h"
#include "base/files.h"
#include "models/archive.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

namespace nearfar {
namespace {

using testing::bytes_of;
using testing::zip_archive;
using testing::zip_part;
using testing::ZipPart;
namespace pickle = testing::pickle;

std::vector<NamedTensor> parse(const std::string& content) {
  return parse_torch_file(std::as_bytes(std::span(content)), "weights.pt").front().tensors;
}

/// The message of the refusal; "" if the file was read.
std::string refusal(const std::string& content) {
  try {
    parse(content);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("weights.pt"), std::string::npos) << error.what();
    return error.what();
  }
}

void expect_refusal(const std::string& content, const std::string& says) {
  const std::string message = refusal(content);
  EXPECT_NE(message.find(says), std::string::npos) << "wanted '" << says << "' in '" << message << "'";
}

std::string floats(std::initializer_list<float> values) {
  std::string data;
  for (const float value : values) data += bytes_of(value);
  return data;
}

/// Two rows of a 2 x 2 weight and a bias, as torch.save would write them.
std::vector<ZipPart> good_parts() {
  return testing::torch_parts(pickle::state_dict({{"weight", pickle::tensor("FloatStorage", "0", 4, 0, {2, 2}, {2, 1})},
                                                  {"bias", pickle::tensor("FloatStorage", "1", 2, 0, {2}, {1})}}),
                              {{"0", floats({1, 2, 3, 4})}, {"1", floats({5, 6})}});
}

/// A whole file around one value of a dict entry "a", with a storage "0" of four floats.
std::string file_with(const std::string& value) {
  return zip_archive(testing::torch_parts(pickle::state_dict({{"a", value}}), {{"0", floats({1, 2, 3, 4})}}));
}
std::string file_with_pickle(const std::string& whole) {
  return zip_archive(testing::torch_parts(whole, {{"0", floats({1, 2, 3, 4})}}));
}

TEST(TorchFile, ReadsTensorsWrittenByHand) {
  const std::vector<NamedTensor> tensors = parse(zip_archive(good_parts()));
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "weight");
  EXPECT_TRUE(at::equal(tensors[0].tensor, at::tensor({1.f, 2.f, 3.f, 4.f}).view({2, 2})));
  EXPECT_TRUE(at::equal(tensors[1].tensor, at::tensor({5.f, 6.f})));
}

TEST(TorchFile, FollowsOffsetsAndStrides) {
  // storage 1 2 3 4: transposed rows are 1 3 and 2 4; the second row of a view that starts at 2 is 3 4
  const std::vector<NamedTensor> tensors = parse(zip_archive(
      testing::torch_parts(pickle::state_dict({{"t", pickle::tensor("FloatStorage", "0", 4, 0, {2, 2}, {1, 2})},
                                               {"o", pickle::tensor("FloatStorage", "0", 4, 2, {2}, {1})},
                                               {"e", pickle::tensor("FloatStorage", "0", 4, 4, {0, 3}, {3, 1})}}),
                           {{"0", floats({1, 2, 3, 4})}})));
  EXPECT_TRUE(at::equal(tensors[0].tensor, at::tensor({1.f, 3.f, 2.f, 4.f}).view({2, 2})));
  EXPECT_TRUE(tensors[0].tensor.is_contiguous());
  EXPECT_TRUE(at::equal(tensors[1].tensor, at::tensor({3.f, 4.f})));
  EXPECT_EQ(tensors[2].tensor.sizes(), (std::vector<std::int64_t>{0, 3}));
}

TEST(TorchFile, ReadsEveryElementTypeThatPyTorchSaves) {
  const auto folder = testing::source_dir() / "tests/golden/models";
  std::ifstream stream(folder / "types.json");
  const nlohmann::json expected = nlohmann::json::parse(stream);
  const std::vector<NamedTensor> tensors = read_torch_file(folder / "types.pt").front().tensors;
  EXPECT_EQ(tensors.size(), expected.size());
  for (const NamedTensor& named : tensors) {
    const nlohmann::json& one = expected.at(named.name);
    EXPECT_EQ(named.tensor.sizes(), one.at("shape").get<std::vector<std::int64_t>>()) << named.name;
    const at::Tensor values = named.tensor.to(at::kDouble).flatten();
    EXPECT_TRUE(named.tensor.is_contiguous());
    EXPECT_EQ(std::vector<double>(values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()),
              one.at("values").get<std::vector<double>>())
        << named.name;
  }
}

TEST(TorchFile, ReadsModulesStateAndDictsAroundIt) {
  const auto folder = testing::source_dir() / "tests/golden/models";
  for (const char* name : {"module.pt", "nested.pt"}) {
    const std::vector<NamedTensor> tensors = read_torch_file(folder / name).front().tensors;
    ASSERT_EQ(tensors.size(), 7u) << name;  // linear 2, batch norm 5
    EXPECT_EQ(tensors[0].name, "0.weight");
    EXPECT_TRUE(at::equal(tensors[0].tensor, at::tensor({3.f, -1.f}).view({1, 2})));
  }
}

TEST(TorchFile, WhatLiesBesideTheWeightsIsInert) {
  const std::vector<StateDict> dicts = read_torch_file(testing::source_dir() / "tests/golden/models/surroundings.pt");
  ASSERT_EQ(dicts.size(), 3u);  // the optimiser's are not looked at
  EXPECT_EQ(dicts[0].place, "model_ema");
  EXPECT_EQ(dicts[0].rank, StateDict::Rank::average);
  EXPECT_TRUE(at::equal(dicts[0].tensors.at(0).tensor, at::tensor({3.f, 4.f}).view({1, 2})));
  EXPECT_EQ(dicts[1].place, "state_dict");
  EXPECT_TRUE(at::equal(dicts[1].tensors.at(0).tensor, at::tensor({1.f, 2.f}).view({1, 2})));
  EXPECT_EQ(dicts[2].place, "");
  EXPECT_EQ(dicts[2].tensors.at(0).name, "best");
  const std::vector<std::string>& others = dicts[2].others;
  for (const char* entry :
       {"'args' is an object of 'argparse.Namespace'", "'when' is an object of 'datetime.datetime'",
        "'spectrum' is an object of 'torch.ComplexFloatStorage'", "'dtype' is the name 'torch.complex64'",
        "'layer' is an object of 'torch.nn.modules.activation.ReLU'"}) {
    EXPECT_NE(std::find(others.begin(), others.end(), entry), others.end()) << entry;
  }
}

/// A value of a dict beside a tensor.
std::vector<StateDict> beside(const std::string& value) {
  const std::string content = file_with_pickle(
      pickle::state_dict({{"weight", pickle::tensor("FloatStorage", "0", 4, 0, {4}, {1})}, {"x", value}}));
  return parse_torch_file(std::as_bytes(std::span(content)), "weights.pt");
}

TEST(TorchFile, ObjectsTakeWhatIsPutIntoThem) {
  const std::string object = "cfoo\nBar\n)\x81", called = "cfoo\nbar\n)R";
  for (const std::string& value :
       {object, called, object + "}b", called + "(" + pickle::text("k") + "K\x01u", called + "(K\x01K\x02" + "e",
        called + "K\x01" + "a", called + pickle::text("k") + "N" + "s", called + ")R"}) {
    const std::vector<StateDict> dicts = beside(value);
    ASSERT_EQ(dicts.size(), 1u);
    EXPECT_EQ(dicts[0].tensors.size(), 1u);
    ASSERT_EQ(dicts[0].others.size(), 1u);
    EXPECT_TRUE(dicts[0].others[0].starts_with("'x' is an object of 'foo.")) << dicts[0].others[0];
  }
  EXPECT_EQ(beside("ccollections\ndefaultdict\n(c__builtin__\nlist\ntR").size(), 1u);
  EXPECT_THROW(beside("N)R"), Error);
  EXPECT_THROW(beside("N)\x81"), Error);
  EXPECT_THROW(beside("cfoo\nBar\nN\x81"), Error);
  // Code is refused wherever it stands.
  EXPECT_THROW(beside("cos\nsystem\n(" + pickle::text("touch x") + "tR"), Error);
  EXPECT_THROW(beside("csubprocess\nPopen\n"), Error);
}

TEST(TorchFile, SharedDictsAreLookedAtOnce) {
  // Each level holds the one below 200 times: 200^3 walks if they were followed again and again.
  const std::string value = pickle::tensor("FloatStorage", "0", 4, 0, {4}, {1});
  std::string nested = "}(" + pickle::text("w") + value + "uq\x01";
  for (char level = 2; level < 5; ++level) {
    std::string next = "}(";
    for (int i = 0; i < 200; ++i)
      next += pickle::text(std::to_string(i)) + (i == 0 ? nested : "h" + std::string(1, static_cast<char>(level - 1)));
    nested = next + "uq" + std::string(1, level);
  }
  const std::string content = file_with_pickle(pickle::whole(nested));
  EXPECT_EQ(parse_torch_file(std::as_bytes(std::span(content)), "weights.pt").size(), 1u);
}

TEST(TorchFile, RefusesOtherFilesOfPyTorch) {
  const auto folder = testing::source_dir() / "tests/golden/models";
  const auto message = [&](const char* name) -> std::string {
    try {
      read_torch_file(folder / name);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_NE(message("legacy.pt").find("legacy format"), std::string::npos) << message("legacy.pt");
  EXPECT_NE(message("legacy.pt").find("torch.save(torch.load("), std::string::npos);
  EXPECT_NE(message("whole_module.pt").find("an object of 'torch.nn.modules.container.Sequential'"), std::string::npos)
      << message("whole_module.pt");
  EXPECT_NE(message("complex.pt").find("torch.ComplexFloatStorage"), std::string::npos) << message("complex.pt");
}

TEST(TorchFile, RefusesWhatIsNoArchive) {
  expect_refusal("", "not a torch.save file");
  expect_refusal("hello", "found 'hello'");
  expect_refusal("\x80\x02}.", "a bare pickle");
  std::string tar(600, '\0');
  tar.replace(257, 5, "ustar");
  expect_refusal(tar, "tar archive");
}

TEST(TorchFile, RefusesCodeByName) {
  const auto call = [](const std::string& module, const std::string& name) {
    return file_with(pickle::global(module, name) + pickle::tuple({pickle::text("touch /tmp/owned")}) + "R");
  };
  expect_refusal(call("os", "system"), "'os.system'");
  expect_refusal(call("posix", "system"), "'posix.system'");
  expect_refusal(call("builtins", "eval"), "'builtins.eval'");
  expect_refusal(call("__builtin__", "eval"), "'__builtin__.eval'");
  expect_refusal(call("runpy", "_run_code"), "'runpy._run_code'");
  expect_refusal(call("torch", "load"), "'torch.load'");
  expect_refusal(call("torch._utils", "_rebuild_tensor"), "'torch._utils._rebuild_tensor'");
  expect_refusal(call("numpy.core.multiarray", "_reconstruct"), "numpy");
  expect_refusal(call("collections", "OrderedDict\x1b[31m"), "\\x1b[31m");  // no escape reaches the terminal
  expect_refusal(file_with("(" + pickle::text("x") + "ios\nsystem\n"), "INST");
  expect_refusal(file_with(pickle::text("os") + pickle::text("system") + "\x93"), "STACK_GLOBAL");
  expect_refusal(file_with("cos\nsystem\n)\x81"), "'os.system'");
  expect_refusal(file_with("cfoo\nBar\n)\x81"), "entry 'a' is an object of 'foo.Bar'");
  expect_refusal(file_with("\x82\x01"), "EXT1");
  // os.system hidden in what is thrown away: the attributes of the dict
  expect_refusal(file_with_pickle(pickle::whole(pickle::global("collections", "OrderedDict") + ")R" +
                                                pickle::global("os", "system") + "b")),
                 "'os.system'");
}

TEST(TorchFile, RefusesPicklesThatAreNotWhatTheyClaim) {
  const std::string float4 = pickle::tensor("FloatStorage", "0", 4, 0, {4}, {1});
  const struct {
    const char* says;
    std::string content;
  } cases[] = {
      {"protocol 4", file_with_pickle("\x80\x04}.")},
      {"cut off", file_with_pickle("\x80\x02}")},
      {"stack is empty", file_with_pickle("\x80\x02.")},
      {"stack is empty", file_with_pickle("\x80\x02(s.")},
      {"a mark is missing", file_with_pickle("\x80\x02}u.")},
      {"follow its end", file_with_pickle("\x80\x02}.}")},
      {"left on the stack", file_with_pickle("\x80\x02}}.")},
      {"a text of 4294967295 bytes", file_with_pickle("\x80\x02X\xff\xff\xff\xff")},
      {"a key without a value", file_with_pickle("\x80\x02}(" + pickle::text("a") + "u.")},
      {"memo slot 4294967295", file_with_pickle("\x80\x02}r\xff\xff\xff\xff.")},
      {"memo slot 7 is empty", file_with_pickle("\x80\x02h\x07.")},
      {"nested deeper", file_with_pickle("\x80\x02" + std::string(100000, '(') + ".")},
      {"nested deeper", file_with_pickle("\x80\x02)" + std::string(100000, '\x85') + ".")},
      {"nested deeper", file_with_pickle("\x80\x02" + std::string(100000, ']') + std::string(100000, 'a') + ".")},
      {"more than 1048576 values", file_with_pickle("\x80\x02(" + std::string(2000000, ')') + "t.")},
      {"bytes, at most", file_with_pickle("\x80\x02" + std::string(17 << 20, ')') + ".")},
      {"name of a global is longer", file_with_pickle("\x80\x02"
                                                      "c" +
                                                      std::string(5000, 'x'))},
      {"in the name of a global", file_with_pickle("\x80\x02"
                                                   "ccollections")},
      {"put into a tuple", file_with_pickle("\x80\x02)" + pickle::text("a") + pickle::text("a") + "s.")},
      {"put into a dict", file_with_pickle("\x80\x02}" + pickle::text("a") + "a.")},
      {"it holds a list", file_with_pickle("\x80\x02].")},
      {"its dict is empty", file_with_pickle("\x80\x02}.")},
      {"a key of its dict is an integer", file_with_pickle("\x80\x02}K\x01" + float4 + "s.")},
      {"entry 'a' is an integer", file_with("K\x01")},
      {"'a' is there twice", file_with_pickle(pickle::state_dict({{"a", float4}, {"a", float4}}))},
      {"no storage of a zip file", file_with(pickle::tuple({pickle::text("module"), "N", "N", "N", "N"}) + "Q")},
      {"a persistent id is None", file_with("NQ")},
      {"an object of 'torch.float32'",
       file_with(pickle::tuple({pickle::text("storage"), pickle::global("torch", "float32"), pickle::text("0"),
                                pickle::text("cpu"), pickle::integer(4)}) +
                 "Q")},
      {"'torch.float32' is called", file_with(pickle::global("torch", "float32") + ")R")},
      {"what is called is None", file_with("N)R")},
      {"a call with too many", file_with(pickle::global("collections", "OrderedDict") +
                                         pickle::tuple(std::vector<std::string>(20, "N")) + "R")},
      {"BUILD on", file_with("NNb")},
      {"data of a Parameter is None",
       file_with(pickle::global("torch._utils", "_rebuild_parameter") + pickle::tuple({"N"}) + "R")},
      {"a tensor with 1 arguments",
       file_with(pickle::global("torch._utils", "_rebuild_tensor_v2") + pickle::tuple({"N"}) + "R")},
  };
  for (const auto& one : cases) expect_refusal(one.content, one.says);
}

TEST(TorchFile, RefusesTensorsThatLeaveTheirStorage) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const auto tensor = [](std::int64_t elements, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                         const std::vector<std::int64_t>& strides) {
    return file_with(pickle::tensor("FloatStorage", "0", elements, offset, sizes, strides));
  };
  EXPECT_EQ(refusal(tensor(4, 0, {4}, {1})), "");
  expect_refusal(tensor(4, 0, {5}, {1}), "element 4 lies outside");
  expect_refusal(tensor(4, 3, {2}, {1}), "element 4 lies outside");
  expect_refusal(tensor(4, 0, {2}, {kHuge}), "lies outside");
  expect_refusal(tensor(4, 0, {kHuge, 16}, {0, 0}), "overflow");
  expect_refusal(tensor(4, 0, {kHuge, 4, 0}, {1, 1, 1}), "overflow");
  expect_refusal(tensor(4, 0, {kHuge}, {kHuge}), "overflow");
  expect_refusal(tensor(4, 0, {1000000}, {0}), "expanded");
  expect_refusal(tensor(4, 5, {0}, {1}), "element 5 lies outside");
  expect_refusal(tensor(4, -1, {1}, {1}), "-1 is negative");
  expect_refusal(tensor(4, 3, {2}, {-1}), "-1 is negative");
  expect_refusal(tensor(4, 0, {-2}, {1}), "-2 is negative");
  expect_refusal(tensor(4, 0, {2, 2}, {2}), "2 sizes and 1 strides");
  expect_refusal(tensor(4, 0, std::vector<std::int64_t>(17, 1), std::vector<std::int64_t>(17, 1)), "17 dimensions");
  expect_refusal(tensor(400, 0, {400}, {1}), "has 16 bytes, expected 1600");
  expect_refusal(tensor(kHuge, 0, {1}, {1}), "elements");
  expect_refusal(tensor(-4, 0, {0}, {1}), "-4 elements");
  expect_refusal(file_with(pickle::tensor("FloatStorage", "9", 4, 0, {4}, {1})), "'data/9' is missing");
  expect_refusal(file_with(pickle::tensor("BoolStorage", "0", 16, 0, {16}, {1})), "neither 0 nor 1");
  expect_refusal(file_with(pickle::tensor("QInt8Storage", "0", 16, 0, {16}, {1})), "torch.QInt8Storage");
}

TEST(TorchFile, RefusesASmallFileThatWouldBecomeALargeNetwork) {
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < 3000; ++i)
    items.emplace_back(std::to_string(i),
                       i == 0 ? pickle::tensor("FloatStorage", "0", 100000, 0, {100000}, {1}) + "q\1" : "h\1");
  expect_refusal(zip_archive(testing::torch_parts(pickle::state_dict(items), {{"0", std::string(400000, '\0')}})),
                 "share storages");
}

TEST(TorchFile, RefusesArchivesThatDoNotAddUp) {
  const auto with = [](std::size_t index, const std::function<void(ZipPart&)>& change) {
    std::vector<ZipPart> parts = good_parts();
    change(parts[index]);
    return zip_archive(parts);
  };
  expect_refusal(with(2, [](ZipPart& p) { p.method = 8; }), "compressed (method 8)");
  expect_refusal(with(2, [](ZipPart& p) { p.flags = 1; }), "encrypted");
  expect_refusal(with(2, [](ZipPart& p) { p.flags = 1u << 13; }), "flags");
  expect_refusal(with(2, [](ZipPart& p) { p.crc ^= 1; }), "another size or CRC");
  expect_refusal(with(2, [](ZipPart& p) { p.data[3] ^= 1; }), "the file is damaged");
  expect_refusal(with(2, [](ZipPart& p) { p.crc = p.local_crc = 1; }), "CRC-32 is");
  expect_refusal(with(2, [](ZipPart& p) { p.local_name = "a/data/7"; }), "has the name 'a/data/7'");
  expect_refusal(with(2, [](ZipPart& p) { p.offset_shift = 4; }), "no local header");
  expect_refusal(with(2, [](ZipPart& p) { p.offset_shift = 1 << 30; }), "the directory at");
  expect_refusal(with(2, [](ZipPart& p) { p.size = p.local_size = 1u << 31; }), "leave the file");
  expect_refusal(with(2, [](ZipPart& p) { p.size = p.local_size = 0xfffffffe; }), "leave the file");
  expect_refusal(with(2, [](ZipPart& p) { p.size = 0xffffffff; }), "no zip64 field");
  expect_refusal(with(2, [](ZipPart& p) { p.name = "a/data/1"; }), "there twice");
  expect_refusal(with(2, [](ZipPart& p) { p.name = p.name + '\0' + "x"; }), "NUL");
  expect_refusal(with(2, [](ZipPart& p) { p.flags = 8; }), "no matching data descriptor");
  expect_refusal(with(1, [](ZipPart& p) { p = zip_part("a/byteorder", "big"); }), "byte order is 'big'");
  expect_refusal(with(0, [](ZipPart& p) { p.name = "a/other.pkl"; }), "without an entry NAME/data.pkl");
  expect_refusal(with(4, [](ZipPart& p) { p = zip_part("b/data.pkl", "x"); }), "two entries data.pkl");
  expect_refusal(with(4, [](ZipPart& p) { p = zip_part("a/constants.pkl", "x"); }), "TorchScript");
  expect_refusal(zip_archive(good_parts(), 60000), "do not fit");
  expect_refusal(zip_archive(good_parts(), 3), "belong to no entry");
  expect_refusal(zip_archive(good_parts(), 6), "no header of entry 5");
  expect_refusal("PK\3\4" + zip_archive(good_parts()), "the end record is at");
  expect_refusal(zip_archive(good_parts()) + "x", "no end-of-directory record");
  EXPECT_EQ(refusal(zip_archive(good_parts(), -1, "a comment")), "");
}

TEST(TorchFile, RefusesEntriesThatOverlap) {
  // A whole entry inside the data of another, with headers that agree: a bomb's trick.
  const std::string inner = zip_archive({zip_part("a/data/9", "12345678")});
  std::vector<ZipPart> parts = good_parts();
  parts.push_back(zip_part("a/data/8", inner));
  parts.push_back(zip_part("a/data/9", "12345678"));
  const std::string whole = zip_archive(parts);
  EXPECT_EQ(refusal(whole), "");
  // where the copy inside entry 8 begins, and where the real entry 9 does
  const std::size_t copy = whole.find("a/data/9") - 30, real = whole.rfind("12345678") - 38;
  ASSERT_LT(copy, real);
  std::vector<ZipPart> moved = parts;
  moved.back().offset_shift = static_cast<std::int64_t>(copy) - static_cast<std::int64_t>(real);
  expect_refusal(zip_archive(moved), "overlaps 'a/data/8'");
}

TEST(TorchFile, NamesInAnArchiveAreOnlyKeys) {
  std::vector<ZipPart> parts = good_parts();
  parts.push_back(zip_part("../../etc/passwd", "x"));
  parts.push_back(zip_part("/etc/passwd", "x"));
  EXPECT_EQ(refusal(zip_archive(parts)), "");
}

TEST(TorchFile, RefusesAFileCutAnywhere) {
  const std::string whole = zip_archive(good_parts());
  for (std::size_t length = 0; length < whole.size(); length += length < 512 ? 1 : 64)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  const std::string real = read_file(testing::source_dir() / "tests/golden/models/types.pt");
  for (std::size_t length = 0; length < real.size(); length += 64)
    EXPECT_NE(refusal(real.substr(0, length)), "") << length;
}

TEST(TorchFile, SurvivesEveryFlippedByte) {
  const std::string real = read_file(testing::source_dir() / "tests/golden/models/module.pt");
  for (std::size_t at = 0; at < real.size(); ++at) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string changed = real;
      changed[at] = static_cast<char>(changed[at] ^ mask);
      refusal(changed);  // read or refused; sanitizers watch
    }
  }
}

}  // namespace
}  // namespace nearfar
