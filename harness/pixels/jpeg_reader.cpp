/// JPEG through libjpeg-turbo with Pillow's settings (slow integer DCT, fancy upsampling) and Pillow's way with damaged
/// files: the end of the file is taken for an EOI marker, which leaves gray; after an error of libjpeg the rest stays
/// as Pillow's fresh image, 0 in every channel.
#include <csetjmp>
#include <cstdio>
// after cstdio, which it needs
#include <fmt/format.h>
#include <jpeglib.h>
// after jpeglib.h
#include "base/error.h"
#include "pixels/jpeg_header.h"
#include "pixels/row_reader.h"

#include <jerror.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace nearfar {
namespace {

constexpr int kMaxScans = 500;  // real files have about 10; each costs a pass over the whole image
constexpr long kMaxMemory =
    1L << 30;  // coefficients of a progressive file; more than any real image of kMaxPixels / 3 needs
constexpr std::size_t kAlignment = 64, kOffAlignment = 4;
constexpr std::array<JOCTET, 2> kEndOfImage{0xFF, JPEG_EOI};

/// libjpeg's structures and where its errors land. Only trivially destructible things live between setjmp and longjmp.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf failed{};
  bool ended = false;  // the EOI marker has been made up
  bool too_many_scans = false;
  bool damaged = false;  // libjpeg warned of data that are missing or wrong
};

Decoder& decoder_of(void* client_data) { return *static_cast<Decoder*>(client_data); }

void on_error(j_common_ptr info) { std::longjmp(decoder_of(info->client_data).failed, 1); }

/// Of libjpeg's warnings those that leave pixels in doubt; extraneous bytes and odd markers are frequent and harmless.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      decoder_of(info->client_data).damaged = true;
      break;
    default:
      break;
  }
}

void on_output(j_common_ptr) {}
void no_op(j_decompress_ptr) {}

boolean fill_input(j_decompress_ptr info) {
  Decoder& decoder = decoder_of(info->client_data);
  if (decoder.ended) ERREXIT(info, JERR_INPUT_EOF);  // Pillow would wait for more, in vain
  decoder.ended = true;
  info->src->next_input_byte = kEndOfImage.data();
  info->src->bytes_in_buffer = kEndOfImage.size();
  return TRUE;
}

void skip_input(j_decompress_ptr info, long count) {
  while (count > 0) {
    const auto step = std::min(static_cast<std::size_t>(count), info->src->bytes_in_buffer);
    info->src->next_input_byte += step;
    info->src->bytes_in_buffer -= step;
    count -= static_cast<long>(step);
    if (count > 0) fill_input(info);
  }
}

void watch_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  decoder_of(info->client_data).too_many_scans = true;
  ERREXIT(info, JERR_CANT_SUSPEND);
}

/// Pillow's naive CMYK, stored inverted as Adobe does: c = k - (255 - c) * k / 255.
void cmyk_to_rgb(const std::uint8_t* in, std::uint8_t* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const int k = in[i * 4 + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int product = (255 - in[i * 4 + c]) * k + 128;
      out[i * 3 + c] = static_cast<std::uint8_t>(std::max(0, k - ((product >> 8) + product) / 256));
    }
  }
}

class JpegReader final : public RowReader {
 public:
  JpegReader() = default;
  ~JpegReader() override { jpeg_destroy_decompress(&decoder_.info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  ImageSize open(std::span<const std::uint8_t> file) override;
  void reduce(int divisor) override { divisor_ = divisor; }
  int most_reduced() const override { return 8; }
  void start(const Window& window) override;
  const std::uint8_t* next_row() override;
  bool damaged() const override;

 private:
  /// Runs calls into libjpeg; false if it gave up. `calls` must own nothing.
  template <typename Calls>
  bool guarded(const Calls& calls) {
    if (setjmp(decoder_.failed) != 0) return false;
    calls();
    return true;
  }
  /// Where a row is decoded to. Not aligned, on purpose: libjpeg-turbo writes an aligned row past the caches, and
  /// reading it back then costs a third of the whole pipeline's time.
  std::uint8_t* decoded() {
    const auto address = reinterpret_cast<std::uintptr_t>(row_.data());
    return row_.data() + (kAlignment - address % kAlignment) % kAlignment + kOffAlignment;
  }
  void create();
  void begin();
  bool step(JSAMPROW row);
  void give_up();

  Decoder decoder_;
  JpegHeader header_;
  std::span<const std::uint8_t> file_;
  Window window_;
  int divisor_ = 1;         // of both sides: libjpeg's inverse transform of fewer coefficients
  std::size_t offset_ = 0;  // of the window in a decoded row, in pixels
  bool alive_ = false;      // libjpeg has rows to give
  bool several_scans_ = false;
  std::vector<std::uint8_t> row_, cmyk_;  // decoded row, at decoded(); CMYK before conversion
};

ImageSize JpegReader::open(std::span<const std::uint8_t> file) {
  header_ = read_jpeg_header(file);
  check_size(header_.width, header_.height);
  divisor_ = 1;
  file_ = file;
  return {header_.width, header_.height};
}

/// A fresh libjpeg object: one used again keeps the tables of the file before, and would lend them to a file that lacks
/// its own.
void JpegReader::create() {
  jpeg_decompress_struct& info = decoder_.info;
  jpeg_destroy_decompress(&info);
  info.err = jpeg_std_error(&decoder_.errors);
  info.client_data = &decoder_;
  decoder_.errors.error_exit = on_error;
  decoder_.errors.emit_message = on_message;
  decoder_.errors.output_message = on_output;
  decoder_.ended = decoder_.too_many_scans = decoder_.damaged = false;
  jpeg_create_decompress(&info);
  info.mem->max_memory_to_use = kMaxMemory;
  decoder_.source.init_source = no_op;
  decoder_.source.fill_input_buffer = fill_input;
  decoder_.source.skip_input_data = skip_input;
  decoder_.source.resync_to_restart = jpeg_resync_to_restart;
  decoder_.source.term_source = no_op;
  decoder_.source.next_input_byte = file_.data();
  decoder_.source.bytes_in_buffer = file_.size();
  info.src = &decoder_.source;
  decoder_.progress.progress_monitor = watch_scans;
  info.progress = &decoder_.progress;
}

/// Into the state from which rows can be read: the window's columns chosen, the rows above it skipped.
void JpegReader::begin() {
  create();
  jpeg_decompress_struct& info = decoder_.info;
  jpeg_read_header(&info, TRUE);
  if (info.image_width != header_.width || info.image_height != header_.height ||
      info.num_components != header_.components) {
    ERREXIT(&info, JERR_BAD_STATE);
  }
  info.out_color_space = header_.components == 4 ? JCS_CMYK : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  info.scale_num = 1;
  info.scale_denom = static_cast<unsigned>(divisor_);
  jpeg_start_decompress(&info);
  several_scans_ = jpeg_has_multiple_scans(&info) != FALSE;

  // The columns at the border of libjpeg's crop are upsampled without their neighbours, so one block more on each side
  // is decoded.
  const auto block = static_cast<JDIMENSION>(info.max_h_samp_factor * DCTSIZE);
  const auto left = static_cast<JDIMENSION>(window_.left), right = static_cast<JDIMENSION>(window_.right);
  JDIMENSION first = left > block ? left - block : 0;
  JDIMENSION width = std::min(right + block, info.output_width) - first;
  if (width < info.output_width)
    jpeg_crop_scanline(&info, &first, &width);
  else
    first = 0;
  offset_ = left - first;
  const auto skipped = static_cast<JDIMENSION>(window_.top);
  if (skipped > 0 && jpeg_skip_scanlines(&info, skipped) != skipped) ERREXIT(&info, JERR_BAD_STATE);
}

void JpegReader::start(const Window& window) {
  window_ = window;
  alive_ = guarded([&] { begin(); });
  if (!alive_) give_up();
  const auto channels = header_.components == 4 ? 4U : 3U;
  const auto width = static_cast<std::size_t>(header_.width);
  row_.resize(std::max(row_.size(), width * 3 + kRowSlack + 2 * kAlignment));
  if (channels == 4) cmyk_.resize(std::max(cmyk_.size(), width * 4));
}

/// After an error: refuses what is a bomb rather than a damaged file.
void JpegReader::give_up() {
  alive_ = false;
  const int code = decoder_.errors.msg_code;
  const bool memory = code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE;
  const bool scans = decoder_.too_many_scans;
  jpeg_destroy_decompress(&decoder_.info);
  if (scans) throw Error(ErrorKind::data, fmt::format("JPEG: more than {} scans", kMaxScans));
  if (memory) {
    throw Error(ErrorKind::data, fmt::format("JPEG: decoding {} x {} pixels needs more than {} MiB", header_.width,
                                             header_.height, kMaxMemory >> 20));
  }
}

bool JpegReader::step(JSAMPROW row) {
  return guarded([&] {
    if (jpeg_read_scanlines(&decoder_.info, &row, 1) != 1) ERREXIT(&decoder_.info, JERR_BAD_STATE);
  });
}

/// Of a file of one scan the data below the window are not looked at, only whether the end mark is there: within the
/// scan its bytes cannot occur. Several scans are read to the end at once, and a file without an end mark may lack
/// some.
bool JpegReader::damaged() const {
  if (!alive_ || decoder_.damaged || (several_scans_ && decoder_.ended)) return true;
  if (window_.bottom == (header_.height + divisor_ - 1) / divisor_ || several_scans_) return false;
  constexpr std::array<std::uint8_t, 2> kEnd{0xFF, JPEG_EOI};
  return std::find_end(file_.begin() + static_cast<std::ptrdiff_t>(header_.scan), file_.end(), kEnd.begin(),
                       kEnd.end()) == file_.end();
}

const std::uint8_t* JpegReader::next_row() {
  const bool cmyk = header_.components == 4;
  if (alive_ && !step(cmyk ? cmyk_.data() : decoded())) give_up();
  if (!alive_) {
    std::fill(row_.begin(), row_.end(), cmyk ? std::uint8_t{255} : std::uint8_t{0});  // no ink is white
    return row_.data();
  }
  if (cmyk)
    cmyk_to_rgb(cmyk_.data() + offset_ * 4, decoded() + offset_ * 3,
                static_cast<std::size_t>(window_.right - window_.left));
  return decoded() + offset_ * 3;
}

}  // namespace

std::unique_ptr<RowReader> make_jpeg_reader() { return std::make_unique<JpegReader>(); }

}  // namespace nearfar
