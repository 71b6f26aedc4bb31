/// Where the files of runs lie.
#include "store/parts.h"
#include "store/process.h"

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
  const fs::path relative = whole.lexically_relative(resolved(database.folder()));
  const bool beneath = !relative.empty() && *relative.begin() != "..";
  const std::string host = beneath ? "" : host_name();
  const std::string text = beneath ? relative.string() : whole.string();
  database.run("INSERT INTO location(host, root) VALUES(?, ?) ON CONFLICT DO NOTHING", host, text);
  return database.number("SELECT id FROM location WHERE host = ? AND root = ?", host, text).value();
}

fs::path location_folder(const Database& database, std::string_view host, std::string_view root) {
  if (root.empty()) return {};
  if (!host.empty()) return root;
  return root == "." ? database.folder() : database.folder() / root;
}

std::string located(const Database& database, std::string_view host, std::string_view root, const std::string& path) {
  return path.empty() ? "" : (location_folder(database, host, root) / path).string();
}

}  // namespace nearfar
