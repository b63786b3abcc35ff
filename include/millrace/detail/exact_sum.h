// A sum of floating-point numbers without rounding: the result is the exact sum, rounded once, so it depends neither on
// the order of the summands nor on how they were grouped. The method is Shewchuk's expansions of non-overlapping
// components (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997).
#pragma once

#include <cmath>
#include <cstddef>
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
      if (std::fabs(value) < std::fabs(part)) std::swap(value, part);
      const double sum = value + part;
      const double error = part - (sum - value);
      if (error != 0.0) parts_[kept++] = error;
      value = sum;
    }
    parts_.resize(kept);
    if (!std::isfinite(value)) {  // beyond the range of double, and beyond what can be kept exactly
      special_ += value;
      parts_.clear();
    } else if (value != 0.0) {
      parts_.push_back(value);
    }
    return *this;
  }
  ExactSum& operator+=(const ExactSum& other) {
    const std::vector<double> parts = other.parts_;
    special_ += other.special_;
    for (const double part : parts) *this += part;
    return *this;
  }

  /// The double nearest to the sum; ties go to the even one.
  double Round() const {
    if (special_ != 0.0) return special_;  // an infinity, or NaN
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

  const std::vector<double>& parts() const { return parts_; }

 private:
  std::vector<double> parts_;  // in increasing order of magnitude, without overlap
  double special_ = 0.0;
};

}  // namespace millrace::detail
