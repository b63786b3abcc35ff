// What a user writes first: only installed headers, only installed libraries.
#include <millrace/core/status.h>
#include <millrace/core/timestamp.h>

#include <chrono>
#include <iostream>

int main() {
  const millrace::StatusOr<millrace::Timestamp> start = millrace::Timestamp::Parse("2001-01-01T12:30:00+02:00");
  if (!start.ok()) {
    std::cerr << start.status() << "\n";
    return 1;
  }
  std::cout << *start + std::chrono::hours(1) << " " << millrace::Timestamp::Parse("noon").status() << "\n";
}
