#include "data/benchmark.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/benchmark_read.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

template <class T>
const T& named(const std::vector<T>& all, std::string_view name, const char* what, const Benchmark& benchmark,
               bool list_all = false) {
  std::vector<std::string> names;
  for (const T& one : all) {
    if (one.name == name) return one;
    names.push_back(one.name);
  }
  throw Error(ErrorKind::config,
              fmt::format("benchmark '{}' ({}) has no {} '{}'{}{}", benchmark.name, benchmark.file.string(), what, name,
                          suggestion(name, names), list_all ? "; there are: " + join(names, ", ") : ""));
}

/// Papers write CIFAR-10 and ImageNet-1k, OpenOOD's folders are cifar10 and imagenet.
std::string bare(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '-' && c != '_') result += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return result == "imagenet1k" ? "imagenet" : result;
}

}  // namespace

const SetSpec& Benchmark::set(std::string_view set_name) const { return named(sets, set_name, "image set", *this); }
const SourceSpec& Benchmark::source(std::string_view source_name) const {
  return named(sources, source_name, "source", *this);
}
const ProtocolSpec& Benchmark::protocol(std::string_view protocol_name) const {
  return named(protocols, protocol_name, "protocol", *this, true);
}

Benchmark load_benchmark(const std::string& name_or_path, const std::vector<fs::path>& search) {
  if (name_or_path.ends_with(".toml")) return read_benchmark(name_or_path);
  std::error_code ignored;
  for (const fs::path& folder : search) {
    for (const std::string& name : {name_or_path, plugin_key(name_or_path)}) {
      const fs::path file = folder / (name + ".toml");
      if (name.find('/') == std::string::npos && fs::is_regular_file(file, ignored)) return read_benchmark(file);
    }
  }
  const std::vector<std::string> names = benchmark_names(search);
  for (const std::string& name : names) {
    if (bare(name) == bare(name_or_path)) return load_benchmark(name, search);
  }
  std::string folders;
  for (const fs::path& folder : search) folders += (folders.empty() ? "" : ", ") + folder.string();
  throw Error(ErrorKind::config, fmt::format("unknown benchmark '{}'{}; there are: {} (in {}); a benchmark of your own "
                                             "is named by its path, ending in .toml",
                                             name_or_path, suggestion(name_or_path, names),
                                             names.empty() ? "none" : join(names, ", "), folders));
}

std::string benchmark_identity(const Benchmark& benchmark) {
  std::string text = fmt::format("{} {} {};{};{}", benchmark.channels, benchmark.height, benchmark.width,
                                 fmt::join(benchmark.mean, " "), fmt::join(benchmark.std, " "));
  for (const std::string& name : benchmark.classes) text += "\nclass " + name;
  for (const ProtocolSpec& protocol : benchmark.protocols) {
    text += fmt::format("\nprotocol {}: {}", protocol.name, fmt::join(protocol.csid, " "));
  }
  return sha256(text);
}

std::vector<std::string> benchmark_names(const std::vector<fs::path>& search) {
  std::vector<std::string> names;
  for (const fs::path& folder : search) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace nearfar
