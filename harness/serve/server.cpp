#include "serve/server.h"

#include "base/error.h"
#include "serve/bounded_stream.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace nearfar {
namespace {

constexpr std::size_t kThreads = 8;

HttpRequest request_of(const httplib::Request& given) {
  HttpRequest request{.method = given.method, .path = given.path};
  for (const auto& [name, value] : given.params) request.query.emplace(name, value);
  request.host = given.get_header_value("Host");
  request.authorization = given.get_header_value("Authorization");
  request.cookie = given.get_header_value("Cookie");
  request.if_none_match = given.get_header_value("If-None-Match");
  return request;
}

/// The library's server on streams of ours.
class BoundedServer final : public httplib::Server {
 private:
  bool process_and_close_socket(socket_t socket) override {
    BoundedStream stream(socket, kMostRequestBytes, std::chrono::seconds(kRequestSeconds));
    bool closed = false;
    const bool done = process_request(stream, true, closed, nullptr);
    stream.finish();
    ::close(socket);
    return done;
  }
};

/// Not SO_REUSEPORT, which the library sets: with that a second server takes half of the requests of the first.
void set_options(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

}  // namespace

struct Server::Impl {
  Respond respond;
  std::string host;
  int port = 0;
  BoundedServer server = {};
  std::mutex mutex = {};
  bool started = false, stopped = false;  // under the mutex
  std::atomic<bool> ended = false;
};

Server::Server(Respond respond, const std::string& host, int port) : impl_(std::make_unique<Impl>()) {
  impl_->respond = std::move(respond);
  impl_->host = host;
  httplib::Server& server = impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };  // the library deletes it
  server.set_socket_options(set_options);
  server.set_tcp_nodelay(true);
  server.set_pre_routing_handler([this](const httplib::Request& given, httplib::Response& response) {
    const HttpResponse answer = impl_->respond(request_of(given));
    response.status = answer.status;
    for (const auto& [name, value] : answer.headers) response.set_header(name, value);
    if (answer.status != 304) response.set_content(answer.body, answer.type);
    return httplib::Server::HandlerResponse::Handled;
  });
  errno = 0;
  impl_->port = port == 0 ? server.bind_to_any_port(host) : server.bind_to_port(host, port) ? port : -1;
  if (impl_->port > 0) return;
  const std::string why = errno == EADDRINUSE ? "another program has this port"
                          : errno != 0        ? std::strerror(errno)
                                              : "no such address, or another program has this port";
  throw Error(ErrorKind::config,
              fmt::format("cannot listen on {} port {}: {}; choose another with --port (0: any that is free) or --host",
                          host, port, why));
}

Server::~Server() { stop(); }

int Server::port() const { return impl_->port; }

std::string Server::url() const {
  const bool is_v6 = impl_->host.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", is_v6 ? "[" : "", impl_->host, is_v6 ? "]" : "", impl_->port);
}

void Server::run() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) return;
    impl_->started = true;
  }
  impl_->server.listen_after_bind();
  impl_->ended = true;
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->stopped)
    throw Error(ErrorKind::internal,
                fmt::format("{}: the server has stopped by itself: {}", url(), std::strerror(errno)));
}

void Server::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true) || !impl_->started) return;
  }
  // Before it accepts, the library would not notice.
  while (!impl_->server.is_running() && !impl_->ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  impl_->server.stop();
}

}  // namespace nearfar
