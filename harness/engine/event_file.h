#pragma once
/// Numbers of a training as TensorBoard reads them: records of a "tfevents" file (TFRecord framing of
/// tensorflow.Event messages). Torch-free.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

/// CRC-32C (Castagnoli) of bytes.
std::uint32_t crc32c(std::string_view bytes);

/// One file of a run's folder; TensorBoard shows all files of a folder as one run. Not thread-safe. Readers see whole
/// records only, so a killed training leaves a readable file.
class EventFile {
 public:
  /// `events.out.tfevents.TIME.nearfar[.N]` in `folder`, which is made. What earlier files have from `first_step` on is
  /// void from now on: training goes on there. Error(data) if it cannot be written.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);

  /// Numbers at a step, each with its tag ("train/loss").
  void add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace nearfar
