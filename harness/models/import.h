#pragma once
/// Weights made elsewhere (OpenOOD, torchvision, our own safetensors) as a Network. Which names mean what is data:
/// configs/models/*.toml. Free functions, pure but for the files they read and write.
#include "models/network.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct ImportOptions {
  std::string architecture;  ///< "" = the one whose names and shapes fit
  std::int64_t height = 0, width = 0,
               in_channels = 3;    ///< of the images it will see; 0 = the size the architecture was made for
  std::filesystem::path mappings;  ///< folder of mapping files (configs/models)
};

struct Imported {
  NetworkSpec spec;     ///< classes and head found from the shapes; classes is 0 for an embedding: files do not say
  std::string format;   ///< "safetensors", "torch", "nearfar"
  std::string mapping;  ///< name of the mapping file that fitted; "" for "nearfar"
  std::string taken;    ///< for people, what of the file was taken: "'state_dict', names without 'model.'"; "" = all
  std::vector<NamedTensor> tensors;  ///< under our names, complete, in the network's order
  std::vector<std::string> ignored;  ///< names in the file that the mapping says are not needed (tau, prototypes, …)
  std::vector<std::string> converted;  ///< "fc.weight: Half": names in the file whose numbers became float32
};

/// The kind of file is told by its content. A nearfar checkpoint needs no mapping; its own image size stays unless
/// options give one. Error(data): neither kind; what read_torch_file and read_safetensors say; or what the tensors
/// probably are (conclusion.h), with the missing, unexpected and wrongly shaped names of the nearest network (the first
/// 10 of each and how many), or why networks of this kind are not read. Where a file holds weights and their moving
/// average, the average is taken, as the tools that write such files do. Error(config): unknown architecture, with a
/// suggestion; mappings that are absent or broken; images of a size it does not take.
Imported import_weights(const std::filesystem::path& file, const ImportOptions& options);
/// The same for tensors already read. `source` names them in messages.
Imported import_tensors(std::vector<NamedTensor> tensors, const std::string& source, const ImportOptions& options);

/// The network with these weights, in evaluation mode.
std::unique_ptr<Network> network_of(const Imported& imported, at::Device device = at::kCPU);

/// A nearfar checkpoint without training state: what `nearfar import` writes and model.checkpoint reads again. Same
/// weights, same bytes.
void write_imported(const std::filesystem::path& file, const Imported& imported);

}  // namespace nearfar
