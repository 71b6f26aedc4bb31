#pragma once
/// `nearfar data check`: is a benchmark's data what the benchmark says? Every file is read and decoded once.
/// Torch-free.
///
/// Two images are the same if their preprocessed pixels are: that is what a network sees, so an image that is stored
/// twice in other formats, or once as it is and once already cut out, is found, and another encoding of other pixels is
/// not taken for the same.
#include "data/image_set.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nearfar {

struct SetCheck {
  std::string name, group;
  std::int64_t expected = 0;               ///< what the benchmark says; 0 = it does not
  std::int64_t listed = 0;                 ///< images, before a limit
  std::int64_t checked = 0;                ///< that were looked at: fewer with a limit
  std::int64_t missing = 0;                ///< files that are not there
  std::int64_t unreadable = 0;             ///< files that are there and cannot be used
  std::int64_t damaged = 0;                ///< files that are cut off or have errors, and are used as far as they go
  std::int64_t stale = 0;                  ///< images whose packed copy has other pixels than the file
  std::int64_t duplicates = 0;             ///< images whose content was in this set before
  std::int64_t classes_present = 0;        ///< of id and csid sets
  std::vector<std::string> first_bad;      ///< up to 5: "LIST:LINE: FILE: reason"
  std::vector<std::string> first_damaged;  ///< up to 5: "LIST:LINE: FILE: reason"; a warning, `ok` does not know it
  std::string error;                       ///< the set cannot be read at all; then little else is known
};

/// Two sets that share images by content.
struct Overlap {
  std::string first, second;  ///< names of sets, in the benchmark's order
  std::int64_t images = 0;    ///< of `second` that are in `first`
  std::string example;        ///< one file of each
  /// In-distribution against near, far or ood_val; or train, val or ood_val against any other set but controls. A
  /// warning; others are notes.
  bool leak = false;
};

struct DataCheck {
  std::string benchmark, data_root;
  std::int64_t classes = 0;
  std::vector<SetCheck> sets;
  std::vector<Overlap> overlaps;
  bool ok =
      true;  ///< no missing, unreadable, stale or (unless allowed) wrongly counted image, every class in train and test
  std::string class_order;  ///< class_order_text(); "" = classes have names, or nothing comes from class folders
  std::vector<std::string> problems;  ///< other than bad files and sets that cannot be read
  std::string first_problem;          ///< the message for exit code 6: the first bad file, else the first other fault
};

/// Errors of single sets are entries, not exceptions; data.on_unreadable is not looked at. With a limit the classes are
/// not asked for. `progress`: images done and in all.
DataCheck check_data(const Benchmark& benchmark, const LoadOptions& options,
                     const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

std::string check_text(const DataCheck& check);  ///< a table for people, ends with a newline
std::string check_json(const DataCheck& check);  ///< one document

}  // namespace nearfar
