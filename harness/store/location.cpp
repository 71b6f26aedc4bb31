/// Where the files of runs lie.
#include "store/parts.h"
#include "store/process.h"

#include <fmt/core.h>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::weakly_canonical(path, error);
  if (error) result = fs::absolute(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();  // without a '/' at the end
}

}  // namespace

std::int64_t put_location(const Database& database, const fs::path& root) {
  const fs::path whole = resolved(root);
  const std::optional<fs::path> folder = database.folder();
  const fs::path relative = folder ? whole.lexically_relative(resolved(*folder)) : fs::path();
  const bool beneath = !relative.empty() && *relative.begin() != "..";
  const std::string host = beneath ? "" : host_name();
  const std::string text = beneath ? relative.string() : whole.string();
  // Looked for first: where there is one already, nobody has to be waited for.
  constexpr const char* kFind = "SELECT id FROM location WHERE host = ? AND root = ?";
  if (const auto known = database.number(kFind, host, text)) return *known;
  database.run("INSERT INTO location(host, root) VALUES(?, ?) ON CONFLICT DO NOTHING", host, text);
  return database.number(kFind, host, text).value();
}

Place place_of(const Database& database, std::string_view host, std::string_view root) {
  Place place{location_folder(database, host, root), ""};
  std::error_code error;
  if (!database.folder() && !host.empty() && host != host_name() && !fs::is_directory(place.folder, error))
    place.elsewhere = fmt::format("{}:{}", host, root);
  return place;
}

fs::path location_folder(const Database& database, std::string_view host, std::string_view root) {
  if (root.empty()) return {};
  if (!host.empty()) return root;
  const fs::path folder = database.folder().value_or(fs::path());
  return root == "." ? folder : folder / root;
}

std::string located(const Database& database, std::string_view host, std::string_view root, const std::string& path) {
  return path.empty() ? "" : (location_folder(database, host, root) / path).string();
}

}  // namespace nearfar
