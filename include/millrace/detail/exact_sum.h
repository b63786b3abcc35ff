// A sum of floating-point numbers without rounding: the result is the exact sum, rounded once, so it depends neither on
// the order of the summands nor on how they were grouped. The method is Shewchuk's expansions of non-overlapping
// components (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

namespace millrace::detail {

class ExactSum {
 public:
  ExactSum& operator+=(double value) {
    if (!std::isfinite(value)) {
      special_ += value;
      return *this;
    }
    std::size_t kept = 0;
    for (double part : parts_) {
      while (!std::isfinite(value + part)) Reduce(std::fabs(value) < std::fabs(part) ? part : value);
      if (std::fabs(value) < std::fabs(part)) std::swap(value, part);
      const double sum = value + part;
      const double error = part - (sum - value);
      if (error != 0.0) parts_[kept++] = error;
      value = sum;
    }
    parts_.resize(kept);
    if (value != 0.0) parts_.push_back(value);
    return *this;
  }
  ExactSum& operator+=(const ExactSum& other) {
    const std::vector<double> parts = other.parts_;
    special_ += other.special_;
    overflows_ += other.overflows_;
    for (const double part : parts) *this += part;
    return *this;
  }

  /// The double nearest to the sum; ties go to the even one. A sum beyond the range of double is an infinity, but one
  /// that was beyond it only on the way is not.
  double Round() const {
    if (special_ != 0.0) return special_;  // an infinity, or NaN
    const bool large = !parts_.empty() && std::fabs(parts_.back()) >= kOverflow / 2;
    return overflows_ == 0 && !large ? RoundParts() : RoundLarge();
  }

  const std::vector<double>& parts() const { return parts_; }

  /// All that there is to a sum, for checkpoints.
  struct SavedParts {
    std::vector<double> parts;
    double special = 0.0;
    std::int64_t overflows = 0;
  };
  SavedParts Saved() const { return {parts_, special_, overflows_}; }
  /// False if no sum has these parts.
  bool Restore(SavedParts saved) {
    for (std::size_t i = 0; i < saved.parts.size(); ++i) {
      const double part = saved.parts[i];
      if (!std::isfinite(part) || (i > 0 && !(std::fabs(saved.parts[i - 1]) < std::fabs(part)))) return false;
    }
    parts_ = std::move(saved.parts);
    special_ = saved.special;
    overflows_ = saved.overflows;
    return true;
  }

 private:
  static constexpr double kOverflow = 0x1p1023;

  // Takes 2^1023 away from a number that is at least as large, which is exact, and remembers it.
  void Reduce(double& value) {
    overflows_ += value > 0.0 ? 1 : -1;
    value -= std::copysign(kOverflow, value);
  }

  double RoundParts() const {
    std::size_t index = parts_.size();
    if (index == 0) return 0.0;
    double high = parts_[--index];
    double low = 0.0;
    while (index > 0) {
      const double before = high;
      const double part = parts_[--index];
      high = before + part;
      low = part - (high - before);
      if (low != 0.0) break;
    }
    // The rest may decide a tie.
    if (index > 0 && ((low < 0.0 && parts_[index - 1] < 0.0) || (low > 0.0 && parts_[index - 1] > 0.0))) {
      const double doubled = low * 2.0;
      const double next = high + doubled;
      if (doubled == next - high) high = next;
    }
    return high;
  }

  // Near the end of the range: rounds the half of the sum.
  double RoundLarge() const {
    constexpr std::int64_t kMost = 4;  // more cannot be made up for by the parts
    if (overflows_ > kMost || overflows_ < -kMost) return std::copysign(kInfinity, static_cast<double>(overflows_));
    ExactSum half;
    for (const double part : parts_) {
      const double halved = part / 2;
      // Of the smallest numbers only the sign counts here.
      half += halved * 2 == part ? halved : std::copysign(std::numeric_limits<double>::denorm_min(), part);
    }
    for (std::int64_t i = 0; i < std::abs(overflows_); ++i) half += overflows_ > 0 ? kOverflow / 2 : -kOverflow / 2;
    if (half.overflows_ != 0) return std::copysign(kInfinity, static_cast<double>(half.overflows_));
    return half.RoundParts() * 2;
  }

  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  std::vector<double> parts_;  // in increasing order of magnitude, without overlap
  double special_ = 0.0;
  std::int64_t overflows_ = 0;  // how often 2^1023 has been taken away from the parts
};

}  // namespace millrace::detail
