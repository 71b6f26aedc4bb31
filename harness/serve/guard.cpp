#include "serve/guard.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace nearfar {
namespace {

constexpr std::string_view kCookie = "nearfar";
constexpr std::string_view kBearer = "bearer ";

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// "[::1]:8080" → "::1", "lab:80" → "lab".
std::string without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? "" : lower(host.substr(1, end - 1));
  }
  std::string name = lower(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

bool is_address(const std::string& host) {
  in6_addr bytes{};
  return ::inet_pton(AF_INET, host.c_str(), &bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

/// Of two hashes, in a time that does not depend on where they differ.
bool same_hash(const std::string& one, const std::string& other) {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    difference |= static_cast<unsigned char>(one[i]) ^ static_cast<unsigned>(static_cast<unsigned char>(other[i]));
  return difference == 0;
}

std::string cookie_value(std::string_view cookies) {
  for (const std::string& one : split(cookies, ';')) {
    const std::string_view pair = trim(one);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == kCookie)
      return std::string(pair.substr(equals + 1));
  }
  return "";
}

HttpResponse plain(int status, std::string text) { return {.status = status, .body = std::move(text) + "\n"}; }

/// The cookie, and on to the same page without the token in its address. Not a redirect: a browser that comes from
/// another site (a link in a mail) does not send a SameSite=Strict cookie along one.
HttpResponse with_cookie(const HttpRequest& request, const std::string& cookie) {
  std::string target = request.path, separator = "?";
  for (const auto& [name, value] : request.query) {
    if (name == "token") continue;
    const auto escaped = [](std::string_view text) {
      std::string result;
      for (const char c : text) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
        result += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
      }
      return result;
    };
    target += separator + escaped(name) + "=" + escaped(value);
    separator = "&";
  }
  for (const auto& [from, to] : {std::pair("&", "&amp;"), std::pair("<", "&lt;"), std::pair("\"", "&quot;")})
    target = replace_all(target, from, to);
  HttpResponse response{.type = "text/html; charset=utf-8"};
  response.body = fmt::format(
      "<!DOCTYPE html><html lang=\"en\"><title>nearfar</title><meta http-equiv=\"refresh\" content=\"0;url={0}\">"
      "<p><a href=\"{0}\">Go on</a></p></html>\n",
      target);
  response.headers = {
      {"Set-Cookie", fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000", kCookie, cookie)}};
  return response;
}

}  // namespace

bool is_loopback(std::string_view host) {
  in_addr bytes{};
  const std::string text = lower(host);
  if (::inet_pton(AF_INET, text.c_str(), &bytes) == 1) return (ntohl(bytes.s_addr) >> 24) == 127;
  return text == "::1" || text == "localhost";
}

Guard::Guard(const std::string& host, const std::string& token, const std::vector<std::string>& names)
    : loopback_only_(is_loopback(host)), names_{"localhost", lower(host)} {
  for (const std::string& name : names) names_.push_back(lower(name));
  if (token.empty()) {
    if (loopback_only_) return;
    throw Error(ErrorKind::config,
                fmt::format("--host {}: other machines can reach this address, so a token is needed; set NEARFAR_TOKEN "
                            "(or --token), for instance to the output of `openssl rand -hex 16`, or stay on 127.0.0.1 "
                            "and reach it by `ssh -L`",
                            host));
  }
  if (!std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; })) {
    throw Error(ErrorKind::config,
                "--token (or NEARFAR_TOKEN) has a blank or a character beyond ASCII, which a header cannot carry; take "
                "letters and digits");
  }
  token_hash_ = sha256(token);
  cookie_ = sha256("nearfar cookie " + token);  // what a browser keeps is not the token
  cookie_hash_ = sha256(cookie_);
}

bool Guard::knows(const std::string& host) const {
  const std::string name = without_port(host);
  // No name leads to a bare address, so nobody can have turned one.
  if (is_address(name)) return !loopback_only_ || is_loopback(name);
  return std::ranges::find(names_, name) != names_.end();
}

bool Guard::has_token(const HttpRequest& request) const {
  const std::string& given = request.authorization;
  if (lower(given.substr(0, kBearer.size())) == kBearer)
    return same_hash(sha256(trim(std::string_view(given).substr(kBearer.size()))), token_hash_);
  if (request.query.contains("token")) return same_hash(sha256(request.argument("token")), token_hash_);
  return same_hash(sha256(cookie_value(request.cookie)), cookie_hash_);
}

std::optional<HttpResponse> Guard::refusal(const HttpRequest& request) const {
  if (!knows(request.host)) {
    return plain(421,
                 fmt::format("This server is not called '{}'. Use the address that nearfar serve printed, or start "
                             "it with --allow-host NAME.",
                             request.host.substr(0, 100)));
  }
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse response = plain(405, "Nothing can be changed here: GET and HEAD only.");
    response.headers = {{"Allow", "GET, HEAD"}};
    return response;
  }
  if (token_hash_.empty()) return std::nullopt;
  if (!has_token(request)) {
    HttpResponse response = plain(401,
                                  "A token is needed: open this address with ?token=TOKEN once, or send the header "
                                  "Authorization: Bearer TOKEN. It is what nearfar serve was started with.");
    response.headers = {{"WWW-Authenticate", "Bearer realm=\"nearfar\""}};
    return response;
  }
  const bool is_page = !request.path.starts_with("/api/") && request.path != "/healthz";
  if (request.query.contains("token") && is_page) return with_cookie(request, cookie_);
  return std::nullopt;
}

}  // namespace nearfar
