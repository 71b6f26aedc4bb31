/// Image lists are files of strangers: any bytes are either a list whose paths stay beneath the folder, or Error(data).
#include "base/error.h"
#include "data/image_list.h"
#include "data/open_beneath.h"
#include "data/printable.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const nearfar::ImageList list = nearfar::parse_image_list(text, "list.txt");
    if (list.count() == 0) std::abort();
    for (std::int64_t i = 0; i < list.count(); ++i) {
      if (!nearfar::name_problem(list.path(i)).empty() || list.label(i) < -1) std::abort();
    }
  } catch (const nearfar::Error& error) {
    // What a message quotes is printable already.
    const std::string message = error.what();
    if (error.kind() != nearfar::ErrorKind::data || nearfar::printable(message, message.size()) != message)
      std::abort();
  }
  return 0;
}
