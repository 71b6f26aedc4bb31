#pragma once
/// Progress of several jobs at once on stderr: one redrawn line on a terminal (bar, rate, ETA), plain lines otherwise.
/// Not thread-safe: one thread owns it.
#include "base/stopwatch.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar {

/// "1:02:03", "4:05" or "7 s".
std::string duration_text(double seconds);

class Progress {
 public:
  enum class Mode { automatic, bar, lines, quiet };
  /// `total` in `unit`s ("cells"). Automatic: a bar on a terminal, lines elsewhere.
  Progress(std::int64_t total, std::string unit, Mode mode = Mode::automatic);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` may be fractional (a cell half trained); `note` is what goes on now. Redraws at most ten times a second.
  void update(double done, std::string_view note);
  /// Prints a line that stays (a cell finished), above the bar.
  void line(std::string_view text);
  /// Removes the bar.
  void finish();

 private:
  void draw();
  std::int64_t total_;
  std::string unit_;
  Mode mode_;
  Stopwatch watch_, since_draw_;
  double done_ = 0;
  std::string note_;
  bool drawn_ = false;
};

}  // namespace nearfar
