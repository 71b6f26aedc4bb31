#pragma once
/// What keeps a set of tensors from fitting a network. Internal to models/.
#include "models/named_tensor.h"

#include <string>
#include <vector>

namespace nearfar {

struct Mismatch {
  std::vector<std::string> missing, unexpected;  ///< names
  std::vector<std::string> wrong;                ///< "NAME is Float [3], expected Float [4]"

  std::size_t count() const { return missing.size() + unexpected.size() + wrong.size(); }
  /// "missing 12 (a, b, …); unexpected 0; wrong shape 1 (…)": the first 10 of each.
  std::string text() const;
};

enum class Types {
  equal,
  convertible,  ///< another precision will do: floats for floats, integers for integers
};

/// Names, shapes and element types of `given` against those of `expected`.
Mismatch compare_tensors(const std::vector<NamedTensor>& expected, const std::vector<NamedTensor>& given,
                         Types types = Types::equal);

/// "Float [3,4]".
std::string shape_text(const at::Tensor& tensor);

/// At most 100 printable characters of text that a file gave us.
std::string printable(std::string_view text);

}  // namespace nearfar
