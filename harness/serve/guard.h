#pragma once
/// Who may ask, and from where: looked at before anything is read. Pure, safe from any thread.
///
/// The Host header must name this server: a page of another site that has its own name lead here (DNS rebinding) sends
/// that name. A token, where there is one, comes as "Authorization: Bearer TOKEN", or once as ?token=TOKEN, which
/// gives the browser a cookie that no script reads and no other site makes it send.
#include "serve/http.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// "127.0.0.1" and the rest of 127/8, "::1", "localhost".
bool is_loopback(std::string_view host);

class Guard {
 public:
  /// `host`: what is listened on. `names`: further names by which it is reached. Error(config) for an address that is
  /// not loopback without a token, and for a token that a header cannot carry.
  Guard(const std::string& host, const std::string& token, const std::vector<std::string>& names);

  /// What to answer instead: 405, 421 (another Host), 401, or 200 with the cookie. nullopt: the request is answered.
  std::optional<HttpResponse> refusal(const HttpRequest& request) const;

 private:
  bool knows(const std::string& host) const;
  bool has_token(const HttpRequest& request) const;
  bool loopback_only_;
  std::vector<std::string> names_;
  std::string token_hash_, cookie_, cookie_hash_;  ///< "" without a token
};

}  // namespace nearfar
