#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstring>
#include <string_view>

namespace millrace::base {

namespace {

// Notes are aligned to four bytes.
std::size_t Padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

// The build id among the notes, or nothing.
std::string FindBuildId(std::string_view notes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  ElfW(Nhdr) note;
  while (notes.size() >= sizeof note) {
    std::memcpy(&note, notes.data(), sizeof note);
    notes.remove_prefix(sizeof note);
    if (notes.size() < Padded(note.n_namesz) + Padded(note.n_descsz)) break;
    const std::string_view name = notes.substr(0, note.n_namesz);
    const std::string_view content = notes.substr(Padded(note.n_namesz), note.n_descsz);
    if (note.n_type == NT_GNU_BUILD_ID && name == std::string_view("GNU\0", 4)) {
      std::string text;
      for (const char byte : content) {
        text += kDigits[static_cast<unsigned char>(byte) >> 4];
        text += kDigits[static_cast<unsigned char>(byte) & 15];
      }
      return text;
    }
    notes.remove_prefix(Padded(note.n_namesz) + Padded(note.n_descsz));
  }
  return {};
}

// The first object is the program itself.
int LookAtProgram(dl_phdr_info* info, std::size_t /*size*/, void* result) {
  for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const std::string found = FindBuildId(
        {reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr), static_cast<std::size_t>(header.p_memsz)});
    if (!found.empty()) *static_cast<std::string*>(result) = found;
  }
  return 1;
}

std::string ReadBuildId() {
  std::string id;
  ::dl_iterate_phdr(LookAtProgram, &id);
  return id.empty() ? "unknown" : id;
}

}  // namespace

const std::string& BuildId() {
  static const std::string id = ReadBuildId();
  return id;
}

}  // namespace millrace::base
