/// In a file of its own: where compilers can see both ends, they pair new with free() and complain.
#include <tests/unit/xfrm/freed_memory.h>

#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

std::string_view wanted;
std::size_t found = 0;

void give_back(void* memory) {
  if (memory != nullptr && !wanted.empty()) {
    const std::string_view block{static_cast<const char*>(memory), ::malloc_usable_size(memory)};
    if (block.find(wanted) != std::string_view::npos) ++found;
  }
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  // Cleared: the rest of a block must not be what an earlier one left there.
  if (void* memory = std::calloc(1, size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }

namespace minibgp::testing {

FreedMemory::FreedMemory(std::string_view text) {
  wanted = text;
  found = 0;
}
FreedMemory::~FreedMemory() { wanted = {}; }
std::size_t FreedMemory::blocks() const { return found; }

}  // namespace minibgp::testing
