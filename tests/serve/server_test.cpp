/// The server on a port of this machine, asked by the library's own client and by bare sockets.
#include "serve/server.h"

#include "base/descriptor.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <string>

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerTest : public ::testing::Test {
 protected:
  static HttpResponse echo(const HttpRequest& request) {
    HttpResponse response{.body = request.method + " " + request.path + " " + request.argument("q")};
    response.headers = {{"X-Host", request.host}};
    if (request.path == "/same") response.status = 304;
    return response;
  }
  ~ServerTest() override {
    server_.stop();
    running_.get();
  }
  /// What a socket is answered to these bytes.
  std::string say(const std::string& bytes) const {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t put = ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (put <= 0) break;
      sent += static_cast<std::size_t>(put);
    }
    std::string answer;
    char block[4096];
    for (ssize_t got = 0; (got = ::recv(socket.get(), block, sizeof block, 0)) > 0;)
      answer.append(block, static_cast<std::size_t>(got));
    return answer;
  }

  Server server_{echo, "127.0.0.1", 0};
  std::future<void> running_ = std::async(std::launch::async, [this] { server_.run(); });
  httplib::Client client_{"127.0.0.1", server_.port()};
};

TEST_F(ServerTest, GivesPathAndQueryDecodedAndAnswers) {
  const auto answer = client_.Get("/a%20b?q=%3Cx%3E");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "GET /a b <x>");
  EXPECT_THAT(answer->get_header_value("X-Host"), StartsWith("127.0.0.1"));
  EXPECT_EQ(server_.url(), "http://127.0.0.1:" + std::to_string(server_.port()) + "/");
}

TEST_F(ServerTest, HeadHasTheLengthAndNoBody) {
  const std::string answer = say("HEAD /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));  // "HEAD /x "
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(ServerTest, PartsAreNotAskedFor) {
  const std::string answer = say("GET /abc HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1,2-3,0-99999\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nGET /abc "));
}

TEST_F(ServerTest, NotModifiedHasNoBody) {
  const auto answer = client_.Get("/same");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 304);
  EXPECT_EQ(answer->body, "");
}

TEST_F(ServerTest, ABodyIsNotReadAndTheAnswerStillArrives) {
  const std::string answer =
      say("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + std::string(100000, 'x'));
  EXPECT_THAT(answer, HasSubstr("POST / "));
}

TEST_F(ServerTest, EndlessHeadersAndNonsenseEndTheConnection) {
  std::string headers = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  while (headers.size() < 4 * kMostRequestBytes) headers += "X-More: " + std::string(100, 'x') + "\r\n";
  EXPECT_THAT(say(headers + "\r\n"), ::testing::Not(HasSubstr("GET /")));
  EXPECT_THAT(say("GET " + std::string(9000, '/') + " HTTP/1.1\r\n\r\n"), ::testing::Not(HasSubstr("200 OK")));
  EXPECT_THAT(say("nonsense\r\n\r\n"), ::testing::Not(HasSubstr("200 OK")));
  EXPECT_TRUE(client_.Get("/still"));
}

TEST_F(ServerTest, APortIsTakenOnce) {
  try {
    const Server second(echo, "127.0.0.1", server_.port());
    FAIL() << "two servers have one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("--port"));
  }
}

TEST(Server, MayBeStoppedBeforeItRuns) {
  Server server([](const HttpRequest&) { return HttpResponse{}; }, "127.0.0.1", 0);
  server.stop();
  server.run();
}

}  // namespace
}  // namespace nearfar
