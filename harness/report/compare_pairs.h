#pragma once
/// Private to report/: which rows are compared with which. Pure functions.
#include "report/compare.h"

#include <string>
#include <vector>

namespace nearfar {

/// Points into the boards it was made of.
struct RowPair {
  const SelectedBoard* board = nullptr;  ///< A's
  const SelectedRow *a = nullptr, *b = nullptr;
  std::vector<std::string> also_differ = {};  ///< as ComparedPair::also_differ
};

/// As compare_rows() and compare_databases() say. In the order of A's boards and rows.
std::vector<RowPair> pair_rows(const std::vector<SelectedBoard>& boards, const RowChoice& a, const RowChoice& b,
                               std::vector<std::string>& left_out);
std::vector<RowPair> pair_databases(const std::vector<SelectedBoard>& a, const std::vector<SelectedBoard>& b,
                                    std::vector<std::string>& left_out);

/// "supcon (temperature=0.2)/resnet8 knn (k=5)".
std::string row_label(const RowName& name);

}  // namespace nearfar
