#pragma once
/// The pairs of N rows by square tiles of the upper triangle, for supcon.cpp and reweightood.cpp. Every block of rows
/// is visited by one tile at a time, in one order, so that threads may add to anything that belongs to a tile's rows or
/// columns and every such sum is the same for any number of threads. The order is that of a tournament's rounds: in a
/// round no two tiles share a block, so there is work for half as many threads as there are blocks. One object serves
/// one call of one thread.
#include "kernels/pair_loops.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace nearfar {

/// What kernels of two types start with: body.operator()<float>() or <double>(), by the tensor's.
template <class Body>
auto by_type(const at::Tensor& tensor, Body&& body) {
  return tensor.scalar_type() == at::kDouble ? body.template operator()<double>() : body.template operator()<float>();
}

template <class T>
class PairTiles {
 public:
  static constexpr std::int64_t kMostSide = 256;
  struct Place {
    std::int64_t row_block, column_block;  ///< row_block <= column_block
    std::int64_t first_row, first_column;
    std::int64_t index;  ///< among all tiles
    PairTile<T> tile;    ///< its memory
    T* scratch;          ///< room for as many numbers more
  };

  /// Borrows `rows`, [N,E] contiguous. Tiles are kept from visit to visit where all of them take little memory.
  explicit PairTiles(const at::Tensor& rows)
      : count_(rows.size(0)), side_(side_of(count_)), blocks_((count_ + side_ - 1) / side_) {
    for (std::int64_t b = 0; b < blocks_; ++b) {
      rows_.push_back(rows.narrow(0, b * side_, height(b)));
      columns_.push_back(rows_.back().t().contiguous());  // products of what lies row by row are the faster ones
    }
    plan();
    const std::int64_t numbers = tiles() * side_ * side_;
    kept_ = numbers * static_cast<std::int64_t>(sizeof(T)) <= kMostKeptBytes;
    const std::int64_t threads = at::get_num_threads();
    memory_ = at::empty({(kept_ ? tiles() : threads) * side_ * side_}, rows.options());
    scratch_ = at::empty({threads * side_ * side_}, rows.options());
  }

  std::int64_t side() const { return side_; }
  std::int64_t blocks() const { return blocks_; }
  std::int64_t tiles() const { return blocks_ * (blocks_ + 1) / 2; }
  bool kept() const { return kept_; }
  std::int64_t height(std::int64_t block) const { return std::min(side_, count_ - block * side_); }

  /// Calls visit(place) for every tile, on several threads. An exception of one ends the visit.
  template <class Visit>
  void for_each(const Visit& visit) const {
    std::vector<std::atomic<std::int64_t>> done(at(blocks_));  // visits of each block
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    const auto wait = [&](std::int64_t block, std::int64_t visits) {
      while (done[at(block)].load(std::memory_order_acquire) != visits && !failed) std::this_thread::yield();
    };
    // What a tile waits for has a lower number, so it is being visited or has been, however many threads there are.
    const auto work = [&] {
      for (std::size_t i = next++; i < order_.size() && !failed; i = next++) {
        const Turn& turn = order_[i];
        wait(turn.row_block, turn.row_visits);
        wait(turn.column_block, turn.column_visits);
        if (failed) return;
        visit(place(turn.row_block, turn.column_block));
        done[at(turn.row_block)].fetch_add(1, std::memory_order_release);
        if (turn.row_block != turn.column_block) done[at(turn.column_block)].fetch_add(1, std::memory_order_release);
      }
    };
    at::parallel_for(0, std::min<std::int64_t>(at::get_num_threads(), tiles()), 1, [&](std::int64_t, std::int64_t) {
      const at::AutoDispatchBelowAutograd below;  // of this thread
      try {
        work();
      } catch (...) {
        failed = true;
        throw;
      }
    });
  }

  /// The tile's numbers become the products of its rows and columns.
  void multiply(const Place& place) const {
    at::Tensor out = matrix(place);
    at::mm_out(out, rows_[at(place.row_block)], columns_[at(place.column_block)]);
  }

  /// With the tile as half of a symmetric matrix G: adds G times the rows to `sums`, [N,E] contiguous.
  void add_products(const Place& place, const at::Tensor& sums) const {
    const at::Tensor factors = matrix(place);
    if (place.tile.diagonal) {
      for (std::int64_t i = 0; i < place.tile.rows; ++i)
        for (std::int64_t j = 0; j < i; ++j)
          place.tile.numbers[i * place.tile.rows + j] = place.tile.numbers[j * place.tile.rows + i];
      return add_product(sums, place.row_block, factors, rows_[at(place.row_block)]);
    }
    add_product(sums, place.row_block, factors, rows_[at(place.column_block)]);
    add_product(sums, place.column_block, factors.t(), rows_[at(place.row_block)]);
  }

 private:
  /// A tile, and how often its blocks have been visited before.
  struct Turn {
    std::int64_t row_block, column_block, row_visits, column_visits;
  };

  static constexpr std::int64_t kMostKeptBytes = std::int64_t{64} << 20;

  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  /// Of N alone, so that the number of threads changes no sum.
  static std::int64_t side_of(std::int64_t count) { return count <= 4096 ? 128 : kMostSide; }

  /// First the tiles on the diagonal, then everybody against everybody.
  void plan() {
    std::vector<std::int64_t> visits(at(blocks_));
    const auto add = [&](std::int64_t a, std::int64_t b) {
      if (std::max(a, b) >= blocks_) return;  // an odd block has a round off
      const auto [row, column] = std::minmax(a, b);
      order_.push_back({row, column, visits[at(row)], visits[at(column)]});
      ++visits[at(row)];
      if (row != column) ++visits[at(column)];
    };
    for (std::int64_t block = 0; block < blocks_; ++block) add(block, block);
    const std::int64_t last = blocks_ + blocks_ % 2 - 1;
    for (std::int64_t round = 0; round < last; ++round) {
      add(last, round);
      for (std::int64_t k = 1; k <= last / 2; ++k) add((round + k) % last, (round + last - k) % last);
    }
  }

  Place place(std::int64_t row_block, std::int64_t column_block) const {
    const std::int64_t index = row_block * blocks_ - row_block * (row_block - 1) / 2 + column_block - row_block;
    const std::int64_t area = side_ * side_, thread = at::get_thread_num();
    T* numbers = memory_.template mutable_data_ptr<T>() + (kept_ ? index : thread) * area;
    return {.row_block = row_block,
            .column_block = column_block,
            .first_row = row_block * side_,
            .first_column = column_block * side_,
            .index = index,
            .tile = {numbers, height(row_block), height(column_block), row_block == column_block},
            .scratch = scratch_.template mutable_data_ptr<T>() + thread * area};
  }

  at::Tensor matrix(const Place& place) const {
    const std::int64_t offset = place.tile.numbers - memory_.template const_data_ptr<T>();
    return memory_.as_strided({place.tile.rows, place.tile.columns}, {place.tile.columns, 1}, offset);
  }

  void add_product(const at::Tensor& sums, std::int64_t block, const at::Tensor& a, const at::Tensor& b) const {
    at::Tensor out = sums.narrow(0, block * side_, height(block));
    at::addmm_out(out, out, a, b, 1, 1);
  }

  std::int64_t count_, side_, blocks_;
  bool kept_ = false;
  std::vector<at::Tensor> rows_, columns_;
  std::vector<Turn> order_;
  at::Tensor memory_, scratch_;
};

}  // namespace nearfar
