// A growable array of one column of a batch. Unlike std::vector it can be lengthened without writing the new elements,
// and a column of bool is an array of bool.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace millrace::detail {

template <class T>
class Column {
 public:
  Column() = default;
  Column(Column&& other) noexcept { Swap(other); }
  Column& operator=(Column&& other) noexcept {
    Column(std::move(other)).Swap(*this);
    return *this;
  }
  ~Column() {
    Clear();
    Free();
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  template <class... Args>
  T& Append(Args&&... args) {
    if (size_ == capacity_) [[unlikely]] {
      Reserve(size_ + 1);
    }
    T* at = new (data_ + size_) T{std::forward<Args>(args)...};
    ++size_;
    return *at;
  }

  /// Appends where `Reserve` has made room.
  template <class... Args>
  T& AppendReserved(Args&&... args) {
    T* at = new (data_ + size_) T{std::forward<Args>(args)...};
    ++size_;
    return *at;
  }
  /// Appends what `make()` returns, constructed in place, where `Reserve` has made room.
  template <class Make>
  void AppendMade(Make&& make) {
    new (data_ + size_) T(make());
    ++size_;
  }

  /// Lengthens by `count` and gives the first new element; those of a trivial type hold whatever was there.
  T* Extend(std::size_t count) {
    if (size_ + count > capacity_) Reserve(size_ + count);
    T* first = data_ + size_;
    if constexpr (!std::is_trivially_copyable_v<T>) std::uninitialized_value_construct_n(first, count);
    size_ += count;
    return first;
  }

  void Truncate(std::size_t count) {
    if constexpr (!std::is_trivially_destructible_v<T>) std::destroy(data_ + count, data_ + size_);
    size_ = count;
  }
  void Clear() { Truncate(0); }

  void Reserve(std::size_t count) {
    if (count <= capacity_) return;
    const std::size_t capacity = count < 2 * capacity_ ? 2 * capacity_ : count < 16 ? 16 : count;
    T* grown = static_cast<T*>(::operator new(capacity * sizeof(T), std::align_val_t{kAlignment}));
    if (size_ > 0) {
      std::uninitialized_move_n(data_, size_, grown);
      std::destroy_n(data_, size_);
    }
    Free();
    data_ = grown;
    capacity_ = capacity;
  }

  /// Sets the length to that of `other` and copies its elements.
  void Assign(const Column& other) {
    Clear();
    Reserve(other.size_);
    if (other.size_ > 0) std::uninitialized_copy_n(other.data_, other.size_, data_);
    size_ = other.size_;
  }

  void Swap(Column& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  static constexpr std::size_t kAlignment = alignof(T) > 16 ? alignof(T) : 16;

  void Free() {
    if (data_ != nullptr) ::operator delete(data_, std::align_val_t{kAlignment});
    data_ = nullptr;
    capacity_ = 0;
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::detail
