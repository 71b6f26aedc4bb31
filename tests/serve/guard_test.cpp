#include "serve/guard.h"

#include "base/error.h"

#include <gmock/gmock.h>

#include <string>

namespace nearfar {
namespace {

using ::testing::HasSubstr;

HttpRequest asking(const std::string& host, const std::string& path = "/") { return {.path = path, .host = host}; }

int status(const Guard& guard, const HttpRequest& request) {
  const auto refusal = guard.refusal(request);
  return refusal ? refusal->status : 0;
}

TEST(Guard, LetsThisMachineInWithoutAToken) {
  const Guard guard("127.0.0.1", "", {});
  for (const char* host : {"127.0.0.1:8080", "127.0.0.1", "localhost:9", "LOCALHOST", "[::1]:8080", "localhost.:1"})
    EXPECT_EQ(status(guard, asking(host)), 0) << host;
}

TEST(Guard, RefusesNamesThatAreNotItsOwn) {
  const Guard guard("127.0.0.1", "", {"lab.example"});
  for (const char* host : {"evil.example", "evil.example:8080", "", "192.0.2.1:8080", "localhost.evil.example", "[::1",
                           "127.0.0.1.evil.example", "evil.example:127.0.0.1"})
    EXPECT_EQ(status(guard, asking(host)), 421) << host;
  EXPECT_EQ(status(guard, asking("Lab.Example:80")), 0);
}

TEST(Guard, OnAnOpenAddressAnyBareAddressIsItsName) {
  const Guard guard("0.0.0.0", "secret", {});
  HttpRequest request = asking("192.0.2.1:8080");
  request.authorization = "Bearer secret";
  EXPECT_EQ(status(guard, request), 0);
  request.host = "evil.example";
  EXPECT_EQ(status(guard, request), 421);
}

TEST(Guard, AnOpenAddressNeedsATokenAndSaysHow) {
  for (const char* host : {"0.0.0.0", "192.0.2.1", "::", "lab.example", "128.0.0.1"}) {
    try {
      Guard(host, "", {});
      FAIL() << host;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_THAT(error.what(), HasSubstr("NEARFAR_TOKEN"));
    }
  }
  EXPECT_THROW(Guard("127.0.0.1", "two words", {}), Error);
  EXPECT_THROW(Guard("127.0.0.1", "line\r\nbreak", {}), Error);
}

TEST(Guard, ReadsOnly) {
  const Guard guard("127.0.0.1", "", {});
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    HttpRequest request = asking("localhost");
    request.method = method;
    EXPECT_EQ(status(guard, request), 405) << method;
  }
  HttpRequest head = asking("localhost");
  head.method = "HEAD";
  EXPECT_EQ(status(guard, head), 0);
}

TEST(Guard, TakesTheTokenFromHeaderOrCookieAndNothingElse) {
  const Guard guard("127.0.0.1", "secret", {});
  EXPECT_EQ(status(guard, asking("localhost")), 401);
  HttpRequest request = asking("localhost");
  for (const auto& [header, wanted] :
       {std::pair("Bearer secret", 0), std::pair("bearer secret", 0), std::pair("Bearer secre", 401),
        std::pair("Bearer secret1", 401), std::pair("Bearer ", 401), std::pair("Basic secret", 401)}) {
    request.authorization = header;
    EXPECT_EQ(status(guard, request), wanted) << header;
  }
  request.authorization = "";
  request.cookie = "nearfar=secret";  // the cookie is not the token
  EXPECT_EQ(status(guard, request), 401);
}

TEST(Guard, GivesACookieForTheTokenInTheAddressOnce) {
  const Guard guard("127.0.0.1", "secret", {});
  HttpRequest request = asking("localhost", "/cells");
  request.query = {{"token", "secret"}, {"k", "a&b\"><script>"}};
  const auto answer = guard.refusal(request);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->body, HasSubstr("url=/cells?k=a%26b%22%3E%3Cscript%3E\""));
  EXPECT_EQ(answer->body.find("secret"), std::string::npos);
  ASSERT_EQ(answer->headers.size(), 1U);
  const std::string& cookie = answer->headers[0].second;
  EXPECT_THAT(cookie, HasSubstr("HttpOnly; SameSite=Strict"));
  EXPECT_EQ(cookie.find("secret"), std::string::npos);

  HttpRequest next = asking("localhost");
  next.cookie = "other=1; " + cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(status(guard, next), 0);
  request.query["token"] = "wrong";
  EXPECT_EQ(status(guard, request), 401);
  request = asking("localhost", "/api/status.json");
  request.query = {{"token", "secret"}};
  EXPECT_EQ(status(guard, request), 0);
}

}  // namespace
}  // namespace nearfar
