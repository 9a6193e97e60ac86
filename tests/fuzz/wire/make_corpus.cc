// Writes the seeds of the corpora: make_corpus tests/fuzz/corpus. Deterministic, so that a run on an unchanged tree
// changes nothing.
#include <bgp/decode.h>
#include <bgp/text.h>
#include <tests/fuzz/wire/options.h>
#include <tests/support/testing/random.h>
#include <tests/support/testing/random_messages.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace minibgp;
using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kHeader = 19;

void write(const std::filesystem::path& folder, int number, const Octets& octets) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / ("seed-" + std::to_string(number)), std::ios::binary);
  file.write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
}

Octets without_header(const Octets& message) { return {message.begin() + kHeader, message.end()}; }

Octets joined(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A small message of the wanted kind under the options that `bits` choose.
template <typename Value, typename Make>
Octets message(std::uint8_t bits, std::size_t max, Make make) {
  for (;;) {
    const auto octets = encode_message(Value{make()}, fuzz::options_from(bits));
    if (octets && octets->size() <= max) return *octets;
  }
}

Octets mrt_record(std::uint16_t type, std::uint16_t subtype, const Octets& body) {
  Octets out{0x65, 0, 0, 0, 0, static_cast<std::uint8_t>(type), 0, static_cast<std::uint8_t>(subtype), 0, 0};
  out.push_back(static_cast<std::uint8_t>(body.size() >> 8U));
  out.push_back(static_cast<std::uint8_t>(body.size() & 0xFFU));
  return joined(out, body);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path root = argv[1];
  testing::Random random{testing::Seed{7606}};
  for (int i = 0; i < 24; ++i) {
    const auto bits = static_cast<std::uint8_t>(i < 8 ? static_cast<std::uint64_t>(i) : random.next() & 0x7FU);
    const DecodeOptions options = fuzz::options_from(bits);
    const Octets update = message<MessageValue>(bits, 400, [&] { return testing::random_update(random, options); });
    const Octets open = message<MessageValue>(bits, 200, [&] { return testing::random_open(random); });
    const Octets any = message<MessageValue>(bits, 300, [&] { return testing::random_message(random, options); });
    write(root / "update", i, joined({bits}, without_header(update)));
    write(root / "open", i, without_header(open));
    write(root / "stream", i, joined({bits}, joined(open, joined(update, any))));
    if (i < 12) {
      Octets head{0xFA, 0x56, 0xEA, 0x01, 0, 0, 0xFD, 0xE9, 0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2};
      write(root / "mrt", i, mrt_record(16, 4, joined(head, any)));
    }
  }
  const Octets peers{10, 0,    0,    1, 0,  0, 0, 2, 0,   10, 0, 0, 2, 192, 0,    2,
                     1,  0xFD, 0xE9, 2, 10, 0, 0, 3, 192, 0,  2, 2, 0, 0,   0xFD, 0xEA};
  const Octets attributes{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xFD, 0xE9, 0x40, 3, 4, 192, 0, 2, 1};
  Octets entry{0, 0, 0, 0, 0, 1, 0, static_cast<std::uint8_t>(attributes.size())};
  entry = joined(entry, attributes);
  Octets rib{0, 0, 0, 0, 8, 10, 0, 2};
  rib = joined(rib, joined(entry, entry));
  write(root / "mrt", 12, joined(mrt_record(13, 1, peers), mrt_record(13, 2, rib)));
  write(root / "mrt", 13, joined(mrt_record(13, 1, peers), mrt_record(13, 8, rib)));
  write(root / "mrt", 14,
        mrt_record(16, 5, {0, 0, 0xFD, 0xE9, 0, 0, 0xFD, 0xEA, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 3, 0, 6}));
  const Octets notifications[] = {{6, 2, 2, 'h', 'i'},
                                  {6, 4, 0},
                                  {3, 4, 1, 2, 3},
                                  {6, 9, 6, 2, 3, 'b', 'y', 'e'},
                                  {0, 1, 0, 1},
                                  {0, 1, 1, 1},
                                  {6, 2, 3, 0xE2, 0x82, 0xAC},
                                  {4, 0}};
  for (int i = 0; i < static_cast<int>(std::size(notifications)); ++i)
    write(root / "notification", i, notifications[i]);
  const char* const texts[] = {"192.0.2.1",    "2001:db8::1",    "10.0.0.0/8", "::/0",
                               "AS65001",      "1.10",           "65001:100",  "no-export",
                               "rt:65001:100", "ro:192.0.2.1:5", "lb:1:2",     "0x0002fde900000064",
                               "65001:1:2",    "1 2 {3,4} 5",    "{1} {2}",    "::ffff:1.2.3.4"};
  for (int i = 0; i < static_cast<int>(std::size(texts)); ++i) {
    const std::string_view text = texts[i];
    write(root / "text", i, {text.begin(), text.end()});
  }
  return 0;
}
