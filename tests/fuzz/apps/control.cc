// A client of the control socket, at a whole daemon that keeps away from kernel and network. Every line is one request;
// each is answered or refused.
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/server.h>

#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using namespace bgplite;

constexpr const char* kConfig = R"(
router: { asn: 65001, router_id: 10.0.0.1 }
listen: { enabled: false }
fib: { enabled: false }
networks: [10.1.0.0/16]
peers: { 192.0.2.2: { asn: 65002, name: cloud-1, import: in, export: in } }
policies: { in: [ { match: { prefix: 10.0.0.0/8 le 24 }, then: { med: 5 }, accept: true } ] }
)";

FileSource files() {
  return {[](const std::string&, std::string&) { return std::optional<std::string>{kConfig}; },
          [](const std::string&) { return std::vector<std::string>{}; }};
}

struct World {
  boost::asio::io_context io{1};
  Logging log{LogFormat::text};
  LoopTurns turns;
  Daemon daemon{io, log, load_config("x.yaml", files()).config};
  std::string directory = "/tmp/bgplite-fuzz-XXXXXX";
  std::unique_ptr<Life> life;
  std::unique_ptr<control::Commands> commands;
  control::Server server{io, log, [this](const control::Request& request, const control::Reply& reply) {
                           commands->handle(request, reply);
                         }};
  World() {
    LogConfig quiet;
    quiet.level = "error";
    log.set_levels(quiet);
    if (::mkdtemp(directory.data()) == nullptr || !daemon.start()) std::abort();
    life = std::make_unique<Life>(io, log, daemon, directory + "/none.yaml", StartConfig{});
    commands = std::make_unique<control::Commands>(control::Context{daemon, *life, log, turns});
    if (!server.reserve(path()) || !server.open(path(), "")) std::abort();
  }
  ~World() { std::system(("rm -rf " + directory).c_str()); }
  [[nodiscard]] std::string path() const { return directory + "/control.sock"; }
};

/// The answer's octets; the connection is closed afterwards.
std::size_t ask(World& world, std::string_view line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = world.path();
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  static_cast<void>(::send(fd, line.data(), line.size(), MSG_NOSIGNAL));
  static_cast<void>(::send(fd, "\n", 1, MSG_NOSIGNAL));
  std::size_t answered = 0;
  // A plan is read in a thread of its own: the loop waits a moment for it.
  for (int turn = 0; turn < 50; ++turn) {
    if (world.io.poll() == 0) world.io.run_one_for(std::chrono::milliseconds{100});
    char block[65536];
    const ssize_t got = ::recv(fd, block, sizeof block, MSG_DONTWAIT);
    if (got == 0) break;
    if (got > 0) answered += static_cast<std::size_t>(got);
    if (got < 0 && errno != EAGAIN) break;
  }
  ::close(fd);
  world.io.poll();
  return answered;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const std::string_view line{reinterpret_cast<const char*>(data), size};
  if (ask(world, line) == 0) std::abort();
  return 0;
}
