#pragma once
/// A request and its answer as plain values, so that what is answered (site.h) knows no sockets (server.h).
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

struct HttpRequest {
  std::string method = "GET";
  std::string path = "/";                         ///< without the query, decoded
  std::map<std::string, std::string> query = {};  ///< decoded; the first of several of one name
  std::string host = {}, authorization = {}, cookie = {}, if_none_match = {};  ///< headers; "" where there is none

  /// "" where it is not given.
  std::string argument(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? "" : found->second;
  }
};

struct HttpResponse {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< besides those of every answer
};

}  // namespace nearfar
