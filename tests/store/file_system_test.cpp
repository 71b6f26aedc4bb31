/// Where a database may lie, and the faults that tests may ask for.
#include "store/file_system.h"

#include "base/error.h"
#include "base/files.h"
#include "store/faults.h"
#include "store/sample.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

namespace nearfar {
namespace {

TEST(FileSystem, KnowsTheTypesThatHostsShare) {
  EXPECT_EQ(network_name_of(0x6969), "NFS");
  EXPECT_EQ(network_name_of(0xFF534D42), "CIFS");
  EXPECT_EQ(network_name_of(0xFE534D42), "SMB2");
  EXPECT_EQ(network_name_of(0x65735546), "FUSE");
  EXPECT_EQ(network_name_of(0x0BD00BD0), "Lustre");
  EXPECT_EQ(network_name_of(0x01021997), "9p");
  EXPECT_EQ(network_name_of(0x47504653), "GPFS");
  EXPECT_EQ(network_name_of(0xEF53), "") << "ext4";
  EXPECT_EQ(network_name_of(0x01021994), "") << "tmpfs";
  EXPECT_EQ(network_name_of(0x58465342), "") << "XFS";
}

TEST(FileSystem, IsThatOfTheNearestFolderThatIsThere) {
  const TempDir folder;
  const FileSystem system = file_system_of(folder.path() / "not" / "yet" / "there.sqlite");
  EXPECT_EQ(system.folder, folder.path());
  EXPECT_GT(system.free_bytes, 0u);
}

/// Faults are those of a process: a child has its own.
int in_child(const char* fault, const char* one_host, const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    faults() = Faults(fault);
    setenv("NEARFAR_ONE_HOST", one_host, 1);
    int result = 2;
    try {
      result = work() ? 0 : 1;
    } catch (const std::exception& error) {
      (void)fprintf(stderr, "%s\n", error.what());
    }
    _exit(result);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class Network : public ::testing::Test {
 protected:
  static std::string refusal(const std::filesystem::path& file) {
    try {
      Session::open(file);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::store ? error.what() : "";
    }
    return "";
  }
  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
};

TEST_F(Network, IsRefusedForWritingWithAdvice) {
  EXPECT_EQ(in_child("file-system=0x6969", "",
                     [&] {
                       const std::string message = refusal(file_);
                       return message.find("NFS") != std::string::npos &&
                              message.find("nearfar merge") != std::string::npos &&
                              message.find("--db") != std::string::npos && !std::filesystem::exists(file_);
                     }),
            0);
}

TEST_F(Network, IsAcceptedWhereOneHostHasItForItself) {
  EXPECT_EQ(in_child("file-system=0x65735546", "1", [&] { return refusal(file_).empty(); }), 0);
}

TEST_F(Network, IsReadWithWhatTheLogHoldsAndNothingIsWrittenThere) {
  Session session = Session::open(file_);
  testing::fill_sample(session);
  const std::filesystem::path copy = folder_.path() / "copied" / "results.sqlite";
  std::filesystem::create_directories(copy.parent_path());
  std::filesystem::copy_file(file_, copy);
  std::filesystem::copy_file(file_.string() + "-wal", copy.string() + "-wal");
  EXPECT_EQ(in_child("file-system=0x6969", "",
                     [&] {
                       return Session::open_read_only(copy).results().cells().size() == 18 &&
                              !std::filesystem::exists(copy.string() + "-shm");
                     }),
            0);
}

TEST_F(Network, FaultsAreCounted) {
  const auto write_twice = [&] {
    Session session = Session::open(file_);  // the schema: the first write
    session.planning().put_benchmark(testing::sample_benchmark());
    return true;
  };
  EXPECT_EQ(in_child("kill-before-write=2", "", write_twice), -SIGKILL);
  EXPECT_EQ(Session::open_read_only(file_).results().benchmarks().size(), 0u);
  EXPECT_EQ(in_child("kill-after-write=2", "", write_twice), -SIGKILL);
  EXPECT_EQ(Session::open_read_only(file_).results().benchmarks().size(), 1u);
  EXPECT_EQ(in_child("kill-after-write=20", "", write_twice), 0);
}

TEST(Faults, UnknownOnesAreRefused) {
  EXPECT_THROW(Faults("kill-everything=1"), Error);
  EXPECT_THROW(Faults("kill-after-write=soon"), Error);
  EXPECT_NO_THROW(Faults("kill-before-write=3,kill-after-write=4"));
}

}  // namespace
}  // namespace nearfar
