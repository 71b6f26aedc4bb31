#include "data/pack.h"

#include "base/error.h"
#include "data/decode_pool.h"
#include "data/listed_set.h"
#include "data/pack_format.h"
#include "data/pack_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kChunkBytes = std::int64_t{16} << 20;

PackHeader header_of(const ListedSet& set, const std::string& preprocess, std::int64_t chunk_images) {
  PackHeader header;
  header.count = set.info.count;
  header.height = set.preprocess.height;
  header.width = set.preprocess.width;
  header.channels = 3;
  const std::int64_t chunk =
      chunk_images > 0 ? chunk_images : kChunkBytes / (header.height * header.width * header.channels);
  header.chunk_images = std::clamp<std::int64_t>(chunk, 1, header.count);
  NEARFAR_ASSERT(set.list_hash.size() == sizeof header.list_hash && preprocess.size() < sizeof header.preprocess);
  std::copy(set.list_hash.begin(), set.list_hash.end(), header.list_hash);
  std::copy(preprocess.begin(), preprocess.end(), header.preprocess);
  const std::optional<PackLayout> layout = pack_layout(header);
  if (!layout) {
    throw Error(ErrorKind::data, fmt::format("set '{}' is too large for a packed copy: {} images of {} x {}",
                                             set.info.name, header.count, header.height, header.width));
  }
  header.file_bytes = layout->file_bytes;
  return header;
}

ListedSet open_to_pack(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  if (!is_listed(benchmark.source(benchmark.set(set_name).source))) {
    throw Error(ErrorKind::config,
                fmt::format("set '{}' of benchmark '{}' does not come from image files, so there is nothing to pack",
                            set_name, benchmark.name));
  }
  LoadOptions strict = options;
  strict.on_unreadable = OnUnreadable::fail;
  strict.identity = DataIdentity::stat;  // every file is read once, to be packed: its hash comes with it
  return open_listed_set(benchmark, set_name, strict);
}

}  // namespace

PackReport pack_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options,
                    const PackOptions& packing) {
  const ListedSet set = open_to_pack(benchmark, set_name, options);
  const std::string preprocess = preprocess_id(set.preprocess);
  const fs::path folder = packed_folder(benchmark, options);
  const PackHeader header = header_of(set, preprocess, packing.chunk_images);
  PackReport report{.file = folder / packed_name(set.list_hash),
                    .images = set.info.count,
                    .bytes = header.file_bytes,
                    .already_there = set.packed};
  if (report.already_there) return report;

  std::error_code code;
  fs::create_directories(folder, code);
  if (code) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: the folder for packed copies cannot be made: {}; set data.packed (or NEARFAR_PACKED) to "
                    "another",
                    folder.string(), code.message()));
  }
  PackWriter writer(report.file, header, set.files);
  // Another process may have finished it between our look and our lock.
  if (PackedSet::find(folder, set.list_hash, preprocess)) {
    report.already_there = true;
    writer.abandon();
    return report;
  }
  report.resumed = writer.done();
  if (packing.progress) packing.progress(writer.done(), set.info.count);
  DecodePool pool(set, writer.done(), header.chunk_images, options.threads);
  for (DecodedSlab slab; pool.next(slab);) {
    if (!slab.failures.empty()) {
      throw Error(ErrorKind::data, slab.failures.front().message +
                                       "; a packed copy is always complete: get the file again, or go on without "
                                       "a packed copy and with data.on_unreadable=skip");
    }
    writer.add(slab.pixels, slab.contents);
    if (packing.progress) packing.progress(writer.done(), set.info.count);
    if (packing.should_stop && writer.done() < set.info.count && packing.should_stop()) {
      throw Error(ErrorKind::interrupted,
                  fmt::format("packing of set '{}' stopped after {} of {} images; the same command goes on there",
                              set_name, writer.done(), set.info.count));
    }
  }
  writer.finish();
  return report;
}

}  // namespace nearfar
