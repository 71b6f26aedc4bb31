#include "models/safetensors.h"

#include "base/error.h"
#include "base/files.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <gtest/gtest.h>

#include <cstring>

namespace nearfar {
namespace {

/// A file with this header and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::string content(sizeof length, '\0');
  std::memcpy(content.data(), &length, sizeof length);
  return content + header + std::string(data, '\0');
}

std::string ones(std::size_t count) {
  std::string text = "1";
  for (std::size_t i = 1; i < count; ++i) text += ",1";
  return text;
}

class Safetensors : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "a.safetensors"; }

  /// The message of the refusal; "" if it was read.
  std::string refusal(const std::string& content) {
    write_file_atomic(file(), content);
    try {
      read_safetensors(file());
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find(file().string()), std::string::npos);
      return error.what();
    }
  }

  TempDir folder_;
};

TEST_F(Safetensors, WritesTheBytesOfTheFormat) {
  write_safetensors(file(), {{"a", at::arange(2, at::kInt)}}, {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})";
  std::string padded = header;
  padded.resize((header.size() + 7) / 8 * 8, ' ');
  std::string expected = file_of(padded, 8);
  expected[expected.size() - 4] = 1;  // the second int32
  EXPECT_EQ(read_file(file()), expected);
}

TEST_F(Safetensors, ReadsBackEveryTypeAndShape) {
  std::vector<NamedTensor> tensors;
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                                    at::kChar, at::kByte, at::kBool}) {
    tensors.push_back({std::string("t") + c10::toString(type), at::randn({3, 5}).mul(3).to(type), false});
  }
  tensors.push_back({"empty", at::empty({0, 4}), false});
  tensors.push_back({"scalar", at::scalar_tensor(2.5), false});
  tensors.push_back({"strided", at::randn({4, 6}).t(), false});
  tensors.push_back({"channels last", at::randn({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast), false});
  write_safetensors(file(), tensors, {{"quote \" and ü", "line\nbreak"}});
  const TensorFile back = read_safetensors(file());
  EXPECT_EQ(back.metadata.at("quote \" and ü"), "line\nbreak");
  ASSERT_EQ(back.tensors.size(), tensors.size());
  for (const NamedTensor& named : back.tensors) {
    const auto original =
        std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == named.name; });
    ASSERT_NE(original, tensors.end()) << named.name;
    EXPECT_EQ(named.tensor.scalar_type(), original->tensor.scalar_type()) << named.name;
    EXPECT_TRUE(at::equal(named.tensor, original->tensor)) << named.name;
  }
}

TEST_F(Safetensors, WritesTheSameBytesForTheSameTensors) {
  const std::vector<NamedTensor> tensors{{"b", at::arange(5)}, {"a", at::arange(3, at::kFloat)}};
  write_safetensors(file(), tensors, {});
  const std::string first = read_file(file());
  write_safetensors(file(), tensors, {});
  EXPECT_EQ(read_file(file()), first);
}

TEST_F(Safetensors, RefusesHostileHeaders) {
  const struct {
    const char* says;
    std::string content;
  } cases[] = {
      {"too few", "1234567"},
      {"at most", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + "{}"},
      {"longer than the file", std::string("\x10\0\0\0\0\0\0\0", 8) + "{}"},
      {"not a JSON object", file_of("", 0)},
      {"not a JSON object", file_of("[]", 0)},
      {"broken header", file_of("{\"a\":", 0)},
      {"broken header", file_of("{\"a\xff\":1}", 0)},
      {"exactly dtype", file_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4)},
      {"exactly dtype", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4)},
      {"exactly dtype", file_of(R"({"a":7})", 4)},
      {"unknown dtype", file_of(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4)},
      {"unknown dtype", file_of(R"({"a":{"dtype":5,"shape":[1],"data_offsets":[0,4]}})", 4)},
      {"a size is -1", file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)},
      {"a size is 1.5", file_of(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4)},
      {"overflows", file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4)},
      {"too large", file_of(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4)},
      {"list of at most",
       file_of(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4)},
      {"shape x dtype is 8", file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4)},
      {"not a pair", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4)},
      {"reversed", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4)},
      {"the data at 4", file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4)},
      {"the one before ends at 4",
       file_of(
           R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
           6)},
      {"the one before ends at 0", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8)},
      {"belong to no tensor", file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 6)},
      {"repeats 'a'",
       file_of(
           R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
           0)},
      {"repeats 'dtype'", file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0)},
      {"nested too deeply", file_of(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4)},
      {"nested too deeply", file_of(R"({"__metadata__":{"k":{"x":{}}}})", 0)},
      {"more than 2000000 values", file_of("{\"a\":[" + ones(2000001) + "]}", 0)},
      {"unknown dtype \"F8_E4M3\"", file_of(R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4)},
      {"\\x1b", file_of("{\"\\u001b[31m\":7}", 0)},  // a name reaches the terminal without its escapes
      {"overflows", file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})", 0)},
      {"broken header", file_of(R"({"a":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}})", 4)},
      {"an offset is 1.8446744073709552e+19",
       file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616]}})", 4)},
      {"the one before ends at 8",
       file_of(
           R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
           8)},
      {"__metadata__ 'k'", file_of(R"({"__metadata__":{"k":1}})", 0)},
      {"__metadata__ is not", file_of(R"({"__metadata__":[]})", 0)},
  };
  for (const auto& one : cases) {
    const std::string message = refusal(one.content);
    EXPECT_NE(message.find(one.says), std::string::npos) << "wanted '" << one.says << "' in '" << message << "'";
  }
  std::string bad_bool = file_of(R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 1);
  bad_bool.back() = 2;
  EXPECT_NE(refusal(bad_bool).find("neither 0 nor 1"), std::string::npos);
  EXPECT_EQ(refusal(file_of("{}", 0)), "");
}

TEST_F(Safetensors, RefusesAFileCutAnywhere) {
  write_safetensors(file(), {{"a", at::arange(4)}, {"b", at::arange(3, at::kFloat)}}, {{"k", "v"}});
  const std::string whole = read_file(file());
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
}

TEST_F(Safetensors, SurvivesADeeplyNestedHeader) {
  EXPECT_NE(refusal(file_of("{\"a\":" + std::string(1 << 20, '['), 0)), "");
}

}  // namespace
}  // namespace nearfar
