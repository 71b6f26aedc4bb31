#pragma once
/// HTTP on a socket: requests to a function and its answers back, several at a time. What a client may take of this
/// server is bounded: kMostRequestBytes of a request, kRequestSeconds until it is whole and as many for the answer, one
/// request a connection, no body.
#include "serve/http.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace nearfar {

inline constexpr std::size_t kMostRequestBytes = 16384;
inline constexpr int kRequestSeconds = 10;

class Server {
 public:
  using Respond = std::function<HttpResponse(const HttpRequest& request)>;  ///< from any thread; must not throw

  /// Takes the port, 0: any that is free; requests wait until run(). Error(config) where it cannot be had.
  Server(Respond respond, const std::string& host, int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  /// "http://127.0.0.1:8080/".
  std::string url() const;

  /// Answers until stop(), then ends what it has begun. Once. Error(internal) where it ends without stop().
  void run();
  /// From any thread, but not from a signal handler; also before run().
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nearfar
