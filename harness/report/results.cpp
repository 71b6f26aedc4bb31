#include "report/results.h"

namespace nearfar {
namespace {

std::vector<Gap> gaps(const ResultStore& store, const ReportFilter& filter, std::vector<CellState> states) {
  std::vector<Gap> result;
  for (CellStatus& cell : store.cells(filter.experiment, std::move(states)))
    result.push_back({std::move(cell.benchmark), std::move(cell.label), cell.state, std::move(cell.message)});
  return result;
}

}  // namespace

Results load_results(const ResultStore& store, const ReportFilter& filter) {
  return {.filter = filter,
          .frame = store.frame(filter.experiment),
          .benchmarks = store.benchmarks(),
          .not_applicable = gaps(store, filter, {CellState::not_applicable}),
          .failed = gaps(store, filter,
                         {CellState::failed, CellState::crashed, CellState::timeout, CellState::nan, CellState::oom,
                          CellState::hung, CellState::cancelled, CellState::invalid}),
          .waiting_count = store.waiting_count(filter.experiment)};
}

}  // namespace nearfar
