#include "base/error.h"
#include "base/log.h"
#include "cli/options.h"

#include <exception>
#include <string>

int main(int argc, char** argv) {
  nearfar::init_logging(nearfar::LogLevel::info);
  try {
    return nearfar::dispatch(argc, argv);
  } catch (const nearfar::Error& error) {
    nearfar::log_error(error.what());
    return nearfar::exit_code(error.kind());
  } catch (const std::exception& error) {
    nearfar::log_error(std::string(error.what()) + "; this is a bug in nearfar, please report it");
    return nearfar::exit_code(nearfar::ErrorKind::internal);
  }
}
