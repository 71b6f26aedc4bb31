#include "store/address.h"

#include "base/error.h"
#include "store/libpq.h"

#include <fmt/core.h>

#include <map>
#include <memory>

namespace nearfar {
namespace {

constexpr std::string_view kExpected = "expected postgresql://USER@HOST/NAME, or HOST:PORT";

/// What the address says; `problem` if it says nothing that can be read.
struct Parts {
  std::map<std::string, std::string, std::less<>> values;
  std::string problem;
};

Parts parts_of(const std::string& address) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&::PQconninfoFree)> options(
      libpq().PQconninfoParse(address.c_str(), &message), libpq().PQconninfoFree);
  const std::unique_ptr<char, decltype(&::PQfreemem)> owned(message, libpq().PQfreemem);
  Parts parts;
  if (!options) {
    // The message repeats a piece of the address, which may be one of the password.
    const bool secret = address.find('@') != std::string::npos || address.find("password") != std::string::npos;
    parts.problem = secret || message == nullptr ? "it cannot be read as an address" : message;
    return parts;
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parts.values[option->keyword] = option->val;
  }
  return parts;
}

/// As addresses write what they reserve.
std::string escaped(std::string_view text) {
  constexpr std::string_view kPlain = "-._~";
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPlain.find(c) != std::string_view::npos;
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace

bool is_server(const std::filesystem::path& database) {
  const std::string text = database.string();
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

std::string shown_database(const std::filesystem::path& database) {
  if (!is_server(database)) return database.string();
  const Parts parts = parts_of(database.string());
  if (!parts.problem.empty())
    throw Error(ErrorKind::config, fmt::format("--db (or NEARFAR_DB): {}; {}", parts.problem, kExpected));
  const auto part = [&](std::string_view name) {
    const auto found = parts.values.find(name);
    return found == parts.values.end() ? std::string() : found->second;
  };
  if (part("dbname").empty())
    throw Error(ErrorKind::config, fmt::format("--db (or NEARFAR_DB): the address names no database; {}", kExpected));
  const std::string user = part("user"), host = part("host"), port = part("port");
  return fmt::format("postgresql://{}{}{}{}{}/{}", escaped(user), user.empty() ? "" : "@", escaped(host),
                     port.empty() ? "" : ":", port, escaped(part("dbname")));
}

void refuse_server(const std::filesystem::path& database, std::string_view command, std::string_view instead) {
  if (!is_server(database)) return;
  throw Error(ErrorKind::config, fmt::format("{}: `{}` is for databases that are files, this one is on a server; {}",
                                             shown_database(database), command, instead));
}

}  // namespace nearfar
