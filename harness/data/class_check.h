#pragma once
/// What must hold of the classes of a benchmark's images: the same words for `data check` and for a run. Pure
/// functions, torch-free.
#include "data/benchmark.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// "" unless `set` is train or test and has no image of some class: then how many classes are there and which are not
/// (the first five). `labels` are classes of the benchmark.
std::string missing_classes_text(const Benchmark& benchmark, std::string_view set,
                                 std::span<const std::int64_t> labels);

/// Class folders of a set in the order of their labels, where the order of the folders alone numbers them.
struct FolderOrder {
  std::string set;
  std::vector<std::string> folders;
};

/// How classes were numbered, for a person: "" where nothing was numbered by folders alone. Error(data) if two sets
/// have other folders, so that one label would mean two classes.
std::string class_order_text(const Benchmark& benchmark, const std::vector<FolderOrder>& orders);

}  // namespace nearfar
