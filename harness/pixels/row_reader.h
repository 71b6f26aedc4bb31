#pragma once
/// The seam between a file format and what is done with its pixels: rows of RGB, top to bottom, only those asked for.
/// Internal to pixels/.
#include "pixels/decode.h"

#include <cstdint>
#include <memory>
#include <span>

namespace nearfar {

/// Columns [left, right) and rows [top, bottom) of an image.
struct Window {
  std::int64_t left = 0, right = 0, top = 0, bottom = 0;
};

/// Every row that next_row() returns may be read this many bytes past its end: vector loads need no tail.
inline constexpr std::size_t kRowSlack = 64;

/// One format's decoder with its scratch memory, used for one file after another; not thread-safe. All throw
/// Error(data).
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// Reads the header. `file` must outlive the rows. The size is within kMaxPixels and kMaxSide, and not zero.
  virtual ImageSize open(std::span<const std::uint8_t> file) = 0;
  /// Then, if wanted: rows come at 1/divisor of the size, rounded up, and the window lies in that. 1, 2, 4 or 8, at
  /// most most_reduced().
  virtual void reduce([[maybe_unused]] int divisor) {}
  virtual int most_reduced() const { return 1; }
  /// Then, once a file: what next_row() will give. The window is not empty and lies in the image.
  virtual void start(const Window& window) = 0;
  /// RGB of the window's next row, valid until the next call. A row the file has no data for is what Pillow leaves
  /// there.
  virtual const std::uint8_t* next_row() = 0;
  /// After the window's last row: the file is cut off or has errors, so that some of its pixels, not always the
  /// window's, are made up. Errors that leave no pixel in doubt (a checksum, a missing end mark) need not be told.
  virtual bool damaged() const = 0;
};

std::unique_ptr<RowReader> make_jpeg_reader();
std::unique_ptr<RowReader> make_png_reader();
std::unique_ptr<RowReader> make_webp_reader();  ///< open() throws where libwebp is not built in

std::unique_ptr<RowReader> make_gif_reader();
std::unique_ptr<RowReader> make_bmp_reader();
std::unique_ptr<RowReader> make_pnm_reader();
std::unique_ptr<RowReader> make_tiff_reader();

/// Error(data) if a header declares no pixels or more than we decode.
void check_size(std::int64_t width, std::int64_t height);

/// Readers by content, each made when first needed.
class AnyReader {
 public:
  /// Error(data) if the format is none of ours.
  RowReader& of(std::span<const std::uint8_t> file);

 private:
  std::unique_ptr<RowReader> jpeg_, png_, webp_, gif_, bmp_, pnm_, tiff_;
};

}  // namespace nearfar
