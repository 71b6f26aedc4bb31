#include "base/progress.h"

#include "base/terminal.h"
#include "base/text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace nearfar {
namespace {
bool stderr_is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

std::size_t terminal_width() {
  const std::size_t columns = terminal_size(STDERR_FILENO).value_or(TerminalSize{}).columns;
  return columns > 20 ? columns : TerminalSize{}.columns;
}
}  // namespace

std::string duration_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

Progress::Progress(std::int64_t total, std::string unit, Mode mode)
    : total_(total), unit_(std::move(unit)), mode_(mode) {
  if (mode_ == Mode::automatic) mode_ = stderr_is_terminal() ? Mode::bar : Mode::lines;
}

Progress::~Progress() { finish(); }

void Progress::update(double done, std::string_view note) {
  done_ = done;
  note_ = note;
  if (mode_ == Mode::bar && (!drawn_ || since_draw_.seconds() > 0.1)) draw();
}

void Progress::line(std::string_view text) {
  if (mode_ == Mode::quiet) return;
  const bool redraw = drawn_;
  finish();
  fmt::print(stderr, "{}\n", text);
  if (redraw) draw();
}

void Progress::finish() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void Progress::draw() {
  constexpr double kBarWidth = 24;
  const double share = total_ > 0 ? std::clamp(done_ / static_cast<double>(total_), 0.0, 1.0) : 0.0;
  const auto filled = static_cast<std::size_t>(std::lround(share * kBarWidth));
  const double elapsed = watch_.seconds();
  const std::string eta = share > 0.01 ? "ETA " + duration_text(elapsed * (1 - share) / share) : duration_text(elapsed);
  const double rate = elapsed > 0 ? done_ / elapsed * 60 : 0;
  const std::string text = fmt::format("[{}{}] {:.1f}/{} {}  {:.1f}/min  {}  {}", std::string(filled, '#'),
                                       std::string(static_cast<std::size_t>(kBarWidth) - filled, '.'), done_, total_,
                                       unit_, rate, eta, note_);
  fmt::print(stderr, "\r\x1b[K{}", clipped(text, terminal_width() - 1));
  std::fflush(stderr);
  drawn_ = true;
  since_draw_.restart();
}

}  // namespace nearfar
