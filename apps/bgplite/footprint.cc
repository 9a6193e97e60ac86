#include <apps/bgplite/footprint.h>

#include <cstddef>
#include <cstdint>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace bgplite {
namespace {

/// Segments that were never writable hold exactly what the file holds, so that they can go and come at any time; the
/// others hold the linker's relocations.
int give_back_segments(dl_phdr_info* object, std::size_t, void*) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));  // The vDSO refuses.
  }
  return 0;
}

}  // namespace

void give_back_startup_memory() {
  // First the heap, then the code: what is needed again comes back page by page from the file.
  ::malloc_trim(0);
  ::dl_iterate_phdr(give_back_segments, nullptr);
}

}  // namespace bgplite
