#include "cli/progress_line.h"

#include <algorithm>

#include "cli/row_writer.h"

namespace millrace::cli {

namespace {

constexpr double kLineEvery_s = 5;
constexpr int kBarWidth = 20;
constexpr int kBlockWidth = 5;

// How much of the input has been read; where nobody knows how much there is, a block that goes from side to side shows
// that the run is alive.
std::string Bar(const std::optional<double>& fraction, int frame) {
  std::string bar(kBarWidth, ' ');
  if (fraction) {
    std::fill_n(bar.begin(), std::clamp(static_cast<int>(*fraction * kBarWidth), 0, kBarWidth), '=');
  } else {
    const int steps = kBarWidth - kBlockWidth;
    const int phase = frame % (2 * steps);
    const int left = phase < steps ? phase : 2 * steps - phase;
    std::fill_n(bar.begin() + left, kBlockWidth, '=');
  }
  return "[" + bar + "]";
}

std::string PercentText(const std::optional<double>& fraction) {
  return fraction ? std::to_string(static_cast<int>(*fraction * 100)) + " %, " : "";
}

std::string Elapsed(double elapsed_s) {
  const auto seconds = static_cast<std::int64_t>(elapsed_s);
  const std::string rest = std::to_string(seconds % 60);
  return std::to_string(seconds / 60) + ":" + (rest.size() < 2 ? "0" : "") + rest;
}

std::string ShownWatermark(Timestamp watermark) {
  if (watermark == Timestamp::Min()) return "at the start of time";
  if (watermark >= Timestamp::Max()) return "at the end of time";
  // Whole seconds: the digits behind would only flicker.
  const std::int64_t second = watermark.millis() / 1000 - (watermark.millis() % 1000 < 0 ? 1 : 0);
  return Timestamp::FromSeconds(second).ToString();
}

}  // namespace

std::string ProgressLine::Text(const Progress& progress) {
  const double span_s = progress.elapsed_s - last_.elapsed_s;
  if (span_s > 0) {
    const double now_per_s = static_cast<double>(progress.elements_read - last_.elements_read) / span_s;
    // On a terminal a mean over about two seconds, so that the number can be read.
    const double weight = is_terminal_ && last_.elapsed_s > 0 ? std::min(1.0, span_s / 2) : 1.0;
    rate_per_s_ += weight * (now_per_s - rate_per_s_);
  }
  last_ = progress;
  return PercentText(progress.fraction) + GroupedDigits(progress.elements_read) + " " + std::string(words_.counted) +
         ", " + GroupedDigits(static_cast<std::int64_t>(rate_per_s_)) + " per second, " + std::string(words_.time) +
         " " + ShownWatermark(progress.watermark) + ", " + Elapsed(progress.elapsed_s);
}

void ProgressLine::Show(const Progress& progress) {
  if (progress.done) return Clear();
  if (is_terminal_) {
    out_ << "\r\x1b[K" << Bar(progress.fraction, frame_++) << " " << Text(progress) << std::flush;
    drawn_ = true;
  } else if (progress.elapsed_s >= next_line_s_) {
    out_ << Text(progress) << "\n" << std::flush;
    next_line_s_ = progress.elapsed_s + kLineEvery_s;
  }
}

void ProgressLine::Clear() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace millrace::cli
