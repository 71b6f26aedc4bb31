#include "host/torch_symbols.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

// From PyTorch's release notes and headers: torch_from_blob came with 2.11, torch_call_dispatcher with 2.10, and
// aoti_torch_delete_tensor_object is older than the table.
TEST(TorchSymbols, KnowsWhenAFunctionCame) {
  EXPECT_EQ(oldest_known_torch(), (TorchVersion{2, 9}));
  EXPECT_GE(newest_known_torch(), (TorchVersion{2, 15}));
  EXPECT_EQ(torch_symbol("torch_from_blob")->first, (TorchVersion{2, 11}));
  EXPECT_EQ(torch_symbol("torch_call_dispatcher")->first, (TorchVersion{2, 10}));
  EXPECT_EQ(torch_symbol("aoti_torch_delete_tensor_object")->first, (TorchVersion{2, 9}));
  EXPECT_FALSE(torch_symbol("torch_from_the_future").has_value());
  EXPECT_FALSE(torch_symbol("").has_value());
}

TEST(TorchSymbols, AFunctionIsThereFromItsFirstVersionUntilItIsGone) {
  const TorchSymbol symbol{.first = {2, 10}, .gone = TorchVersion{2, 13}};
  EXPECT_FALSE(symbol.in({2, 9}));
  EXPECT_TRUE(symbol.in({2, 10}));
  EXPECT_TRUE(symbol.in({2, 12}));
  EXPECT_FALSE(symbol.in({2, 13}));
  EXPECT_TRUE(torch_symbol("torch_from_blob")->in({3, 0}));
}

TEST(TorchSymbols, ReadsVersions) {
  EXPECT_EQ(torch_version("2.11"), (TorchVersion{2, 11}));
  EXPECT_EQ(torch_version("2.11.0+cu130"), (TorchVersion{2, 11}));
  EXPECT_FALSE(torch_version("2").has_value());
  EXPECT_FALSE(torch_version("2.x").has_value());
  EXPECT_FALSE(torch_version("2.11a").has_value());
  EXPECT_FALSE(torch_version("-2.11").has_value());
  EXPECT_LT((TorchVersion{2, 9}), (TorchVersion{2, 10}));
}

TEST(TorchSymbols, TellsNamesApart) {
  EXPECT_TRUE(is_torch_c_name("aoti_torch_cpu_mm"));
  EXPECT_TRUE(is_torch_c_name("torch_from_blob"));
  EXPECT_FALSE(is_torch_c_name("_ZN5torch3fooEv"));
  EXPECT_TRUE(is_torch_device_name("aoti_torch_cuda_mm"));
  EXPECT_FALSE(is_torch_device_name("aoti_torch_cpu_mm"));
}

}  // namespace
}  // namespace nearfar
