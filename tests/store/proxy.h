#pragma once
/// Between a test and its PostgreSQL server: lets everything through until it is told to break off at a COMMIT.
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace nearfar::testing {

class Proxy {
 public:
  enum class Break {
    never,
    before_commit,  ///< the server does not hear of it: it rolls back
    after_commit,   ///< the server commits, the answer does not arrive
  };

  /// Listens in `folder` for a server whose socket lies in another one. Both as in "postgresql:///name?host=FOLDER".
  Proxy(const std::filesystem::path& folder, const std::filesystem::path& server_folder);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  /// Once, at the next COMMIT of any connection.
  void break_off(Break when) { break_ = when; }
  bool has_broken_off() const { return broken_; }

 private:
  void accept_all();
  void serve(int client);

  std::filesystem::path server_;
  int listener_ = -1;
  std::atomic<Break> break_{Break::never};
  std::atomic<bool> broken_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace nearfar::testing
