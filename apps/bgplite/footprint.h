/// Footprint: the memory that a daemon holds once it has started.
#pragma once

namespace bgplite {

/// Gives back what only the start needed: freed heap, and the pages of program and libraries that hold code and
/// constants. What is still needed is mapped again from the page cache at its next use, one minor fault for 64 KiB.
/// Cost: some 100 such faults. For the end of the start and of a reload.
void give_back_startup_memory();

}  // namespace bgplite
