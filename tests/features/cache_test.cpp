#include "features/cache.h"

#include "base/error.h"
#include "base/files.h"
#include "data/feature_sets.h"
#include "features/folder.h"
#include "view_stream.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace nearfar {
namespace {

class Cache : public ::testing::Test {
 protected:
  Cache() {
    for (int i = 0; i < 7 * 64; ++i) pixels_.push_back(static_cast<std::uint8_t>(i * 37 % 251));
    images_ = {pixels_, labels_, 7, 1, 8, 8, {0.5}, {0.5}};
    network_ = make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1);
  }
  std::filesystem::path root() const { return folder_.path() / "model"; }
  std::filesystem::path set() const { return root() / "test"; }
  SetRequest request(const FeatureKey& key, const std::vector<std::int64_t>& bad = {},
                     const char* name = "test") const {
    return {.name = name, .key = key, .normalization = {images_.mean, images_.std}, .open = [this, bad] {
              return std::make_unique<ViewStream>(images_, 3, bad);
            }};
  }
  bool ensure(const FeatureKey& key, const std::vector<std::int64_t>& bad = {}) {
    return FeatureCache(root()).ensure(request(key, bad), network()).forward > 0;
  }

  PassCounts look(const std::vector<Observer>& observers, const std::vector<std::int64_t>& bad = {}) {
    return FeatureCache(root()).ensure(request(key_, bad), network(), observers);
  }

  std::function<Network&()> network() {
    return [this]() -> Network& { return *network_; };
  }

  TempDir folder_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::int64_t> labels_{0, 1, 2, 0, 1, 2, 0};
  ImageView images_;
  std::unique_ptr<Network> network_;
  FeatureKey key_{"checkpoint 1", "images 1"};
};

TEST_F(Cache, RunsTheNetworkOnceAndReadsBackTheSame) {
  EXPECT_TRUE(ensure(key_));
  EXPECT_FALSE(ensure(key_));
  write_head(root(), network_->head());
  const FeatureBatch direct = run_network(*network_, images_, 3);
  const FeatureFolder folder(root());
  const FeatureBatch cached = folder.set("test", kFeatures | kLogits);
  EXPECT_TRUE(at::equal(cached.features, direct.features));
  EXPECT_TRUE(at::equal(cached.logits, direct.logits));
  EXPECT_TRUE(at::equal(cached.labels, direct.labels));
  EXPECT_TRUE(at::equal(folder.head().weight, network_->head().weight));
  EXPECT_EQ(folder.sets(), std::vector<std::string>{"test"});
}

/// Keeps the first logit of every image, and counts the images it saw.
Observer first_logit(const std::string& key, std::int64_t& seen) {
  return {.key = key,
          .needs = kInputGradients,
          .observe =
              [&seen](NetworkBatch& batch) {
                seen += batch.images().size(0);
                return batch.logits().narrow(1, 0, 1).contiguous();
              },
          .failed = [](const std::exception_ptr& why) { std::rethrow_exception(why); }};
}

TEST_F(Cache, ShowsEveryImageToTheObserversOnceAndKeepsTheirColumns) {
  std::int64_t first = 0, second = 0;
  const PassCounts all = look({first_logit("a", first), first_logit("b", second), first_logit("a", first)});
  EXPECT_EQ(all.forward, 7);
  EXPECT_EQ(first, 7);  // one key, one look
  EXPECT_EQ(second, 7);
  const FeatureBatch cached = FeatureFolder(root()).set("test", kLogits);
  EXPECT_TRUE(at::equal(map_columns(set(), "a"), cached.logits.narrow(1, 0, 1)));
  EXPECT_EQ(look({first_logit("a", first)}).forward, 0);
  std::int64_t third = 0;
  const std::string manifest = read_file(set() / "manifest.json");
  EXPECT_EQ(look({first_logit("a", first), first_logit("c", third)}).forward,
            7);  // the features stay, the new column needs a pass
  EXPECT_EQ(first, 7);
  EXPECT_EQ(third, 7);
  EXPECT_EQ(read_file(set() / "manifest.json"), manifest);
  EXPECT_TRUE(columns_cached(set(), key_, "c"));
  EXPECT_FALSE(columns_cached(set(), key_, "d"));
  FeatureKey other = key_;
  other.checkpoint += " changed";
  EXPECT_FALSE(columns_cached(set(), other, "c"));
}

TEST_F(Cache, LeavesOutTheColumnsOfUnreadableImages) {
  std::int64_t seen = 0;
  look({first_logit("a", seen)}, {1, 6});
  EXPECT_TRUE(at::equal(map_columns(set(), "a"), FeatureFolder(root()).set("test", kLogits).logits.narrow(1, 0, 1)));
}

TEST_F(Cache, GoesOnWithoutAnObserverThatFails) {
  std::int64_t seen = 0;
  int failures = 0;
  Observer bad = first_logit("bad", seen);
  bad.observe = [](NetworkBatch&) -> at::Tensor { throw Error(ErrorKind::plugin, "no"); };
  bad.failed = [&](const std::exception_ptr&) { ++failures; };
  EXPECT_EQ(look({bad, first_logit("good", seen)}).forward, 7);
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(columns_cached(set(), key_, "good"));
  EXPECT_FALSE(columns_cached(set(), key_, "bad"));
  EXPECT_THROW(map_columns(set(), "bad"), Error);
}

/// The message that asking for these of "test" gives.
std::string refusal_of(const std::filesystem::path& root, Needs needs) {
  try {
    FeatureFolder(root).set("test", needs);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
}

TEST_F(Cache, LogitsThatAreNoNumbersCostOnlyWhoNeedsThem) {
  for (const NamedTensor& named : network_->named_tensors()) {
    if (named.name == "head.weight") named.tensor.detach()[0][0] = std::numeric_limits<float>::quiet_NaN();
  }
  std::string told;
  std::int64_t seen = 0, maps = 0;
  Observer gradients = first_logit("gradients", seen), statistics = first_logit("statistics", maps);
  gradients.failed = [&](const std::exception_ptr& why) {
    try {
      std::rethrow_exception(why);
    } catch (const Error& error) {
      told = error.what();
    }
  };
  statistics.needs = kMapStatistics;  // looks at no logit
  EXPECT_EQ(look({gradients, statistics}).forward, 7);
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(maps, 7);
  const std::string cause = "of the weights, 'head.weight' holds NaN; get or train them again";
  EXPECT_EQ(told, "'': logits of image 0 are not finite (nan), 3 of 7 images in all: " + cause);  // the first slab of 3
  EXPECT_EQ(refusal_of(root(), kFeatures), "");
  EXPECT_EQ(refusal_of(root(), kLogits),
            "'test': logits of image 0 are not finite (nan), 7 of 7 images in all: " + cause);
  EXPECT_FALSE(ensure(key_));  // the set itself is whole
}

TEST_F(Cache, FeaturesThatAreNoNumbersAreEverybodysError) {
  std::string first;
  for (const NamedTensor& named : network_->named_tensors()) {
    if (!named.name.ends_with("running_var") || !first.empty()) continue;
    named.tensor.detach()[0] = -1;
    first = named.name;
  }
  ensure(key_, {0});
  for (const Needs needs : {Needs{kFeatures}, Needs{kNormalizedFeatures}, Needs{kLogits}}) {
    const std::string text = refusal_of(root(), needs);
    EXPECT_NE(text.find("of image 1 are not finite (nan), 6 of 6 images in all: of the weights, '" + first +
                        "' holds a negative variance"),
              std::string::npos)
        << text;
  }
}

TEST_F(Cache, LeavesOutUnreadableImagesAndSaysWhich) {
  EXPECT_TRUE(ensure(key_, {1, 6}));
  const FeatureBatch direct = run_network(*network_, images_, 3);
  const FeatureBatch cached = FeatureFolder(root()).set("test", kFeatures | kLogits);
  const at::Tensor kept = at::tensor({0, 2, 3, 4, 5}, at::kLong);
  EXPECT_TRUE(at::equal(cached.features, direct.features.index_select(0, kept)));
  EXPECT_TRUE(at::equal(cached.logits, direct.logits.index_select(0, kept)));
  EXPECT_TRUE(at::equal(cached.labels, direct.labels.index_select(0, kept)));
  const FeatureFacts facts = read_facts(set());
  EXPECT_EQ(facts.images, 5);
  EXPECT_EQ(facts.unreadable, (std::vector<std::int64_t>{1, 6}));
}

TEST_F(Cache, SaysWhichImagesWereDamagedAndStillDoesWhenItIsReadAgain) {
  EXPECT_TRUE(ensure(key_));
  EXPECT_EQ(read_facts(set()).damaged, std::vector<std::int64_t>{6});
  EXPECT_FALSE(ensure(key_));  // all is there
  const FeatureFacts facts = read_facts(set());
  EXPECT_EQ(facts.damaged, std::vector<std::int64_t>{6});
  EXPECT_EQ(facts.images, 7);
  // A manifest of before this was noted.
  std::string manifest = read_file(set() / "manifest.json");
  const auto begin = manifest.find("  \"damaged\""), end = manifest.find("  \"pixels\"");
  write_file_atomic(set() / "manifest.json", manifest.erase(begin, end - begin));
  EXPECT_TRUE(read_facts(set()).damaged.empty());
}

TEST_F(Cache, KeepsItsColumnsWhereAnotherProcessMadeTheSetMeanwhile) {
  EXPECT_TRUE(ensure(key_));
  const std::filesystem::path made = folder_.path() / "made elsewhere";
  std::filesystem::rename(set(), made);
  const Observer observer{.key = "logits", .observe = [](NetworkBatch& batch) { return batch.logits(); }, .failed = {}};
  const auto open = [&] {
    std::filesystem::rename(made, set());  // the other process is done
    return std::make_unique<ViewStream>(images_, 3);
  };
  ensure_features(set(), key_, network(), {images_.mean, images_.std}, open, {observer});
  EXPECT_TRUE(features_cached(set(), key_, true));
  EXPECT_TRUE(columns_cached(set(), key_, "logits"));
  EXPECT_TRUE(at::equal(map_columns(set(), "logits"), FeatureFolder(root()).set("test", kLogits).logits));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root()), {}), 1);
}

TEST_F(Cache, LeavesNothingWhenTheStreamFails) {
  const auto broken = [&]() -> std::unique_ptr<ImageStream> { throw Error(ErrorKind::data, "list.txt:1: gone"); };
  EXPECT_THROW(ensure_features(set(), key_, network(), {images_.mean, images_.std}, broken), Error);
  EXPECT_TRUE(std::filesystem::is_empty(root()));
}

TEST_F(Cache, WritesNoLogitsForAnEmbedding) {
  network_ = make_network({"resnet8", 1, 8, 8, 3, HeadKind::embedding, "mlp", 4}, 1);
  ensure(key_);
  EXPECT_FALSE(std::filesystem::exists(set() / "logits.npy"));
  EXPECT_FALSE(ensure(key_));
}

TEST_F(Cache, RunsAgainWhenAnyPartOfTheKeyChanges) {
  ensure(key_);
  for (std::string FeatureKey::*part :
       {&FeatureKey::checkpoint, &FeatureKey::images, &FeatureKey::preprocess, &FeatureKey::dtype}) {
    FeatureKey other = key_;
    other.*part += " changed";
    EXPECT_FALSE(features_cached(set(), other));
    EXPECT_TRUE(ensure(other));
    EXPECT_FALSE(features_cached(set(), key_));
    ensure(key_);
  }
}

TEST_F(Cache, MakesADamagedSetAgain) {
  const auto damage = [&](const char* file, const std::function<std::string(std::string)>& change) {
    ensure(key_);
    write_file_atomic(set() / file, change(read_file(set() / file)));
  };
  damage("features.npy", [](std::string all) { return all.substr(0, all.size() - 1); });
  EXPECT_FALSE(features_cached(set(), key_));
  damage("manifest.json", [](std::string all) { return all.substr(0, all.size() / 2); });
  EXPECT_FALSE(features_cached(set(), key_));
  ensure(key_);
  std::filesystem::remove(set() / "labels.npy");
  EXPECT_TRUE(ensure(key_));
  damage("features.npy", [](std::string all) { return all.back() = static_cast<char>(~all.back()), all; });
  EXPECT_TRUE(features_cached(set(), key_));  // same size: seen only by the full check
  EXPECT_FALSE(features_cached(set(), key_, true));
}

TEST_F(Cache, LeavesNothingBesideTheSet) {
  ensure(key_);
  FeatureKey other = key_;
  other.images = "images 2";
  ensure(other);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root()))
    names.push_back(entry.path().filename().string());
  EXPECT_EQ(names, std::vector<std::string>{"test"});
}

TEST_F(Cache, TakesASetByItsNameOrByItsFolder) {
  const FeatureCache cache(root());
  EXPECT_EQ(cache.ensure(request(key_, {}, "near/a"), network()).forward, 7);
  EXPECT_EQ(
      ensure_features(root() / "near/a", key_, network(), {images_.mean, images_.std}, request(key_).open).forward,
      0);  // the same set, named by its folder
  EXPECT_EQ(FeatureFolder(root()).sets(), std::vector<std::string>{"near/a"});
}

TEST_F(Cache, IsNoImageSetWhileItIsBeingWritten) {
  std::vector<std::string> during;
  const auto look_around = [&](std::int64_t) { during = feature_folder_sets(root()); };
  FeatureCache(root()).ensure(request(key_, {}, "near/a"), network(), {}, look_around);
  EXPECT_TRUE(during.empty());
}

TEST_F(Cache, RemovesWhatAKilledProcessLeftADayAgo) {
  const std::filesystem::path left = root() / ".test.1234.tmp", now = root() / ".test.5678.tmp";
  for (const auto& folder : {left, now}) write_file_atomic(folder / "features.npy", "half");
  const auto yesterday = std::filesystem::file_time_type::clock::now() - std::chrono::hours(25);
  std::filesystem::last_write_time(left / "features.npy", yesterday);
  std::filesystem::last_write_time(left, yesterday);
  ensure(key_);
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(now));
}

TEST_F(Cache, SaysWhereItCannotWrite) {
  write_file_atomic(root(), "a file where the folder should be");
  EXPECT_THROW(ensure(key_), Error);
}

}  // namespace
}  // namespace nearfar
