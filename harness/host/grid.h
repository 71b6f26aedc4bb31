#pragma once
/// What a search of parameters tries: a grid of values, or a list of points. Torch-free (library nearfar::host_text).
/// Values; safe from any thread.
#include "host/params.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearfar {

/// Every combination of the axes' values, the first axis fastest, as in OpenOOD's search; or, zipped, a list of points:
/// the first value of each axis, the second of each, … in this order.
struct ParamGrid {
  struct Axis {
    std::string name;
    std::vector<ParamValue> values;
    bool operator==(const Axis&) const = default;
  };
  std::vector<Axis> axes;
  bool zipped = false;  ///< then the axes are of one length, two or more, and no point stands twice

  bool empty() const { return axes.empty(); }
  std::size_t size() const;                 ///< points; 0 without axes
  ParamMap point(std::size_t index) const;  ///< index < size()
  bool operator==(const ParamGrid&) const = default;
};

/// "k=50,100;alpha=0.1,1" by the schema's types and ranges; "" is an empty grid. A text that holds a comma, a quote or
/// blanks at its ends is a JSON text: `fit=val,"a,b"`. Error(config) that begins with
/// `where`: an unknown or repeated parameter, a value that is not allowed or stands twice, an axis without values, more
/// than 100,000 points. "zip;k=50,100;alpha=0.1,1" are two points, zipped; axes of other lengths and a point that
/// stands twice are errors.
ParamGrid grid_from_text(const ParamSchema& schema, std::string_view text, std::string_view where);

/// The same checks for axes that come from a config, put into the schema's order.
ParamGrid checked_grid(const ParamSchema& schema, std::vector<ParamGrid::Axis> axes, std::string_view where);

/// A list of points, each with the same parameters; the same checks. Of one parameter: a grid of its values.
ParamGrid checked_points(const ParamSchema& schema, const std::vector<ParamMap>& points, std::string_view where);

/// What grid_from_text reads back. Part of identities: values that need no quotes are printed bare.
std::string grid_text(const ParamGrid& grid);

}  // namespace nearfar
