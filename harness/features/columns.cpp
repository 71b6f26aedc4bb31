#include "features/columns.h"

#include "base/error.h"
#include "device/out_of_memory.h"
#include "features/folder.h"
#include "features/manifest.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <span>
#include <vector>

namespace nearfar {

namespace fs = std::filesystem;

at::Tensor map_columns(const fs::path& folder, const std::string& columns) {
  return map_floats(columns_file(folder, columns), 2);
}

ColumnWriter::ColumnWriter(const Observer& observer, const fs::path& folder)
    : observer_(observer), file_(columns_file(folder, observer.key)) {}

at::Tensor ColumnWriter::look(NetworkBatch& batch, bool may_be_less) {
  if (failed_) return {};
  try {
    at::Tensor rows = observer_.observe(batch);
    if (rows.size(1) != width_ && width_ != 0) {
      throw Error(
          ErrorKind::plugin,
          fmt::format("observe() gave {} columns, then {}; expected the same for every batch", width_, rows.size(1)));
    }
    width_ = rows.size(1);
    return rows;
  } catch (const DeviceOutOfMemory&) {
    if (may_be_less) throw;
    fail(std::current_exception());
    return {};
  } catch (const std::exception&) {
    fail(std::current_exception());
    return {};
  }
}

void ColumnWriter::fail(const std::exception_ptr& why) {
  if (failed_) return;
  failed_ = true;
  writer_.reset();
  fs::remove(file_);
  observer_.failed(why);
}

void ColumnWriter::append(const at::Tensor& rows) {
  if (failed_) return;
  if (!writer_) writer_.emplace(file_, NpyType::float32, std::vector<std::int64_t>{width_});
  append_rows(*writer_, rows);
}

bool ColumnWriter::finish() {
  if (failed_) return false;
  if (!writer_) writer_.emplace(file_, NpyType::float32, std::vector<std::int64_t>{1});  // no image
  writer_->finish();
  return true;
}

void append_rows(NpyWriter& writer, const at::Tensor& rows) {
  const at::Tensor whole = rows.detach().to(at::kFloat).contiguous();
  writer.append(std::as_bytes(std::span(whole.const_data_ptr<float>(), static_cast<std::size_t>(whole.numel()))));
}

}  // namespace nearfar
