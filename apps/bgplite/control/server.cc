#include <apps/bgplite/background.h>
#include <apps/bgplite/control/server.h>
#include <apps/bgplite/json_text.h>
#include <apps/bgplite/socket_path.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite::control {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Error = boost::system::error_code;

constexpr std::size_t kRequestOctetsMax = 64U << 10U;
constexpr int kRequestDepthMax = 8;
constexpr std::size_t kClientsMax = 32;  ///< More wait in the kernel's backlog.
constexpr std::size_t kStreamsMax = 8;
constexpr std::size_t kStreamLinesMax = 1024;  ///< Waiting for one client.
constexpr std::chrono::seconds kRequestTimeout{2};
constexpr std::chrono::seconds kAnswerTimeout{60};
/// An answer of this size left pages with the allocator that are worth giving back.
constexpr std::size_t kLargeAnswer = 1U << 20U;

/// More values than this in one list are not turned into text on the loop.
constexpr std::size_t kSmallList = 256;

/// Of an answer: a command's lists are what grows.
bool is_small(const Json& answer) {
  return !answer.is_structured() ||
         (answer.size() <= kSmallList &&
          // The sizes of two levels are looked at, not the whole: this runs on the loop.
          std::all_of(answer.begin(), answer.end(), [](const Json& one) { return one.size() <= kSmallList; }));
}

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Null when it is no JSON, too long, or deeper than any request.
Json parse(const std::string& line) {
  if (line.size() > kRequestOctetsMax) return {};
  JsonProblem problem{};
  return parse_json<Json>(line, problem, kRequestDepthMax).value_or(Json());
}

/// What the kernel says of the process at the other end.
struct Credentials {
  uid_t user = static_cast<uid_t>(-1);
  gid_t group = static_cast<gid_t>(-1);
  std::vector<gid_t> groups;
};

Credentials credentials_of(int fd) {
  Credentials found;
  ucred peer{};
  socklen_t size = sizeof peer;
  // As at the time of connect(): a later change of the client's user does not count.
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) found.user = peer.uid, found.group = peer.gid;
  // With more than 256 groups the call fails (ERANGE), and the primary group alone decides.
  std::array<gid_t, 256> groups{};
  socklen_t octets = sizeof groups;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &octets) == 0)
    found.groups.assign(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(octets / sizeof(gid_t)));
  return found;
}

}  // namespace

/// One client.
class Reply::Sink : public std::enable_shared_from_this<Reply::Sink> {
 public:
  Sink(stream_protocol::socket socket, Server::Impl& server);
  ~Sink() = default;

  void start();
  void close();
  void answer(const Json& value);
  void answer_later(std::function<Json()> make);
  void later(std::function<void()> next);
  bool begin_stream();
  void put_line(const Json& value);
  [[nodiscard]] bool open();
  [[nodiscard]] bool streaming() const { return streaming_; }

 private:
  bool begin_answer();
  void send(std::string text);
  void read();
  void on_line(std::string line);
  void expire_after(std::chrono::seconds time);
  void write_next();
  void watch_for_close();

  stream_protocol::socket socket_;
  std::weak_ptr<Server::Impl> server_;
  asio::steady_timer deadline_;
  std::array<char, 1024> buffer_{};
  std::string request_;
  std::deque<std::string> lines_;
  std::size_t dropped_ = 0;
  bool answered_ = false, streaming_ = false, writing_ = false;
};

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::io_context& io, Logging& log, Handler handler)
      : io_(io), log_(log), handler_(std::move(handler)), acceptor_(io), retry_(io), background_(io) {}

  minibgp::Result<void, std::string> reserve(const std::string& path);
  minibgp::Result<void, std::string> open(const std::string& path, const std::string& group);
  void accept();
  void close();
  void forget(const std::shared_ptr<Reply::Sink>& client) {
    // The place that is free now goes to a connection that waits.
    clients_.erase(std::remove(clients_.begin(), clients_.end(), client), clients_.end());
    if (std::exchange(full_, false)) accept();
  }
  void handle(const Request& request, const Reply& reply) { handler_(request, reply); }
  /// `job` in the thread, after those that were given before; then `done` on the loop. `wanted` is asked on the loop
  /// when its turn has come: of what is not wanted any more, what it holds is only freed.
  struct Job {
    std::function<void()> work, done;
    std::function<bool()> wanted;
  };
  void beside(Job job) {
    jobs_.push_back(std::move(job));
    if (jobs_.size() == 1) begin_next_job();
  }
  [[nodiscard]] bool may_change(const Credentials& who) const {
    if (who.user == 0 || who.user == ::geteuid()) return true;
    if (!has_group_) return false;
    return who.group == group_ || std::find(who.groups.begin(), who.groups.end(), group_) != who.groups.end();
  }
  [[nodiscard]] std::size_t streams() const {
    return static_cast<std::size_t>(
        std::count_if(clients_.begin(), clients_.end(), [](const auto& client) { return client->streaming(); }));
  }
  asio::io_context& io() { return io_; }

 private:
  void begin_next_job();

  asio::io_context& io_;
  Logging& log_;
  Handler handler_;
  stream_protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  std::vector<std::shared_ptr<Reply::Sink>> clients_;
  std::string path_;
  gid_t group_ = 0;
  bool has_group_ = false;
  bool full_ = false;
  int lock_ = -1;
  std::deque<Job> jobs_;   ///< The first is under way.
  Background background_;  ///< Last: it ends first.
};

// --- One client ----------------------------------------------------------------------------------------------------

Reply::Sink::Sink(stream_protocol::socket socket, Server::Impl& server)
    : socket_(std::move(socket)), server_(server.weak_from_this()), deadline_(server.io()) {}

void Reply::Sink::start() {
  expire_after(kRequestTimeout);
  read();
}

void Reply::Sink::expire_after(std::chrono::seconds time) {
  deadline_.expires_after(time);
  deadline_.async_wait([self = shared_from_this()](const Error& error) {
    // Twice the same timer: before the request is complete it guards against silence, afterwards against a handler that
    // never answers and a client that never reads.
    if (error || self->streaming_) return;
    // A handler that was queued already cannot be cancelled: the time was set anew in the same turn of the loop.
    if (self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
    if (!self->answered_ && self->request_.empty()) return self->close();
    if (!self->answered_) return self->answer({{"ok", false}, {"error", "no answer in time"}, {"exit", 3}});
    self->close();
  });
}

void Reply::Sink::read() {
  socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](const Error& error, std::size_t count) {
    if (error) return self->close();
    self->request_.append(self->buffer_.data(), count);
    // One request a connection; what follows the line is not looked at.
    const std::size_t end = self->request_.find('\n');
    if (end != std::string::npos) return self->on_line(self->request_.substr(0, end));
    if (self->request_.size() > kRequestOctetsMax)
      return self->answer({{"ok", false}, {"error", "request is too long"}, {"exit", 2}});
    self->read();
  });
}

void Reply::Sink::on_line(std::string line) {
  const auto server = server_.lock();
  if (!server) return close();
  Request request;
  Json parsed = parse(line);
  const bool sound = parsed.is_object() && parsed.contains("verb") && parsed["verb"].is_string() &&
                     (!parsed.contains("arguments") || parsed["arguments"].is_object());
  if (!sound)
    return answer(
        {{"ok", false}, {"error", "not a request: {\"verb\": \"show.summary\", \"arguments\": {}}"}, {"exit", 2}});
  request.verb = parsed["verb"].get<std::string>();
  request.arguments = parsed.value("arguments", Json::object());
  // Asked at the request, not at the accept: the socket is the same, and many connections never ask.
  const Credentials who = credentials_of(socket_.native_handle());
  request.user = who.user;
  request.may_change = server->may_change(who);
  expire_after(kAnswerTimeout);
  watch_for_close();
  // It may answer at once, later, or not at all; the timer covers the last.
  server->handle(request, Reply{shared_from_this()});
}

/// After its request a client has nothing to say: what arrives is its end.
void Reply::Sink::watch_for_close() {
  socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](const Error& error, std::size_t) {
    // A client may shut its own direction down and still read.
    // Then nothing watches any more; writing finds out when the client is gone.
    if (error == asio::error::eof && !self->streaming_) return;
    if (error) return self->close();
    self->watch_for_close();
  });
}

/// A client that shut its own direction down may still read; one that closed does not, and reading says the same of
/// both.
bool Reply::Sink::open() {
  if (!socket_.is_open()) return false;
  pollfd state{socket_.native_handle(), 0, 0};
  return ::poll(&state, 1, 0) <= 0 || (state.revents & (POLLHUP | POLLERR)) == 0;
}

bool Reply::Sink::begin_answer() {
  // A second answer is dropped: the first one has won, for instance the timer's.
  if (answered_ || !socket_.is_open()) return false;
  answered_ = true;
  expire_after(kAnswerTimeout);
  return true;
}

void Reply::Sink::answer(const Json& value) {
  if (begin_answer()) send(dump(value) + "\n");
}

void Reply::Sink::answer_later(std::function<Json()> make) {
  const auto server = server_.lock();
  if (!server) return;
  // One thread for all answers, in their order: eight clients that ask for the whole table take turns, and need the
  // memory of one text at a time.
  // Without a client nothing is made, but what was read for it is freed beside the loop, too.
  // Marked as answered now and not when the text is there: no other answer comes meanwhile, and the timer runs for it.
  const bool begun = begin_answer();
  const auto text = std::make_shared<std::string>();
  server->beside({[make = std::move(make), text] { *text = dump(make()) + "\n"; },
                  [self = shared_from_this(), text] { self->send(std::move(*text)); },
                  [self = shared_from_this(), begun] { return begun && self->open(); }});
}

void Reply::Sink::later(std::function<void()> next) {
  if (const auto server = server_.lock()) asio::post(server->io(), std::move(next));
}

void Reply::Sink::send(std::string text) {
  if (!socket_.is_open()) return;
  auto kept = std::make_shared<std::string>(std::move(text));
  const asio::const_buffer buffer = asio::buffer(*kept);
  asio::async_write(socket_, buffer, [self = shared_from_this(), kept](const Error&, std::size_t) {
    const bool large = kept->size() >= kLargeAnswer;
    kept->clear();
    kept->shrink_to_fit();
    // One answer, then the end: the client reads until the connection closes.
    self->close();
    // After the text was freed. In the thread, because it walks the whole heap.
    if (const auto server = self->server_.lock(); server && large)
      server->beside({[] { ::malloc_trim(0); }, {}, [] { return true; }});
  });
}

bool Reply::Sink::begin_stream() {
  const auto server = server_.lock();
  if (!server || answered_ || !socket_.is_open() || server->streams() >= kStreamsMax) return false;
  answered_ = streaming_ = true;
  // A stream has no deadline; its buffer is bounded instead.
  deadline_.cancel();
  return true;
}

void Reply::Sink::put_line(const Json& value) {
  if (!streaming_ || !socket_.is_open()) return;
  // A monitor that does not read loses lines and learns how many; it never delays the daemon nor fills its memory.
  if (lines_.size() >= kStreamLinesMax) return void(++dropped_);
  // Told in place of the lines, so that a client knows where the gap is.
  if (dropped_ != 0) lines_.push_back(dump({{"event", "lost"}, {"lines", std::exchange(dropped_, 0)}}) + "\n");
  lines_.push_back(dump(value) + "\n");
  if (!writing_) write_next();
}

void Reply::Sink::write_next() {
  writing_ = !lines_.empty();
  if (!writing_) return;
  asio::async_write(socket_, asio::buffer(lines_.front()),
                    // The front stays in place while it is written: a deque does not move it.
                    [self = shared_from_this()](const Error& error, std::size_t) {
                      if (error) return self->close();
                      self->lines_.pop_front();
                      self->write_next();
                    });
}

void Reply::Sink::close() {
  Error ignored;
  deadline_.cancel();
  if (socket_.is_open()) socket_.close(ignored);
  // May destroy the list's last reference to us; shared_from_this() holds one until the end.
  if (const auto server = server_.lock()) server->forget(shared_from_this());
}

void Reply::result(Json value) const {
  if (is_small(value)) return sink_->answer({{"ok", true}, {"result", std::move(value)}});
  const auto kept = std::make_shared<Json>(std::move(value));
  // Moved out within the thread, so that also freeing it is done there.
  result(std::function<Json()>{[kept] { return std::move(*kept); }});
}
void Reply::result(std::function<Json()> make) const {
  sink_->answer_later([make = std::move(make)] {
    Json answer{{"ok", true}};
    answer["result"] = make();
    return answer;
  });
}
void Reply::later(std::function<void()> next) const { sink_->later(std::move(next)); }
void Reply::error(const std::string& text, int code) const {
  sink_->answer({{"ok", false}, {"error", text}, {"exit", code}});
}
bool Reply::stream() const { return sink_->begin_stream(); }
void Reply::line(const Json& value) const { sink_->put_line(value); }
bool Reply::open() const { return sink_->open(); }

// --- The socket ----------------------------------------------------------------------------------------------------

minibgp::Result<void, std::string> Server::Impl::reserve(const std::string& path) {
  // The unit's RuntimeDirectory= makes it; without systemd we do.
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash != 0) static_cast<void>(::mkdir(path.substr(0, slash).c_str(), 0755));
  if (const auto usable = check_socket_path(path); !usable)
    return minibgp::unexpected("control.socket: " + usable.error());
  // A lock in a file of its own: the socket's own file is replaced at each start.
  const std::string file = path + ".lock";
  // O_NOFOLLOW: in a directory that others write, a link could name any file.
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) return minibgp::unexpected("cannot make the control socket: " + file + ": " + std::strerror(errno));
  // flock() goes with the descriptor, so that it also ends when the daemon is killed.
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  ::close(std::exchange(lock_, -1));
  return minibgp::unexpected("another bgplite runs with the control socket " + path);
}

minibgp::Result<void, std::string> Server::Impl::open(const std::string& path, const std::string& group) {
  const auto failed = [&](const std::string& step, const std::string& why) {
    return minibgp::unexpected("cannot make the control socket " + path + ": " + step + ": " + why);
  };
  if (const auto made_free = free_socket_path(path); !made_free)
    return minibgp::unexpected("control.socket: " + made_free.error());
  Error error;
  acceptor_.open(stream_protocol(), error);
  if (error) return failed("socket", error.message());
  // Between bind() and chmod() no other user may connect.
  const mode_t before = ::umask(0177);
  acceptor_.bind(stream_protocol::endpoint{path}, error);
  ::umask(before);
  if (error) return failed("bind", error.message());
  path_ = path;
  if (const struct ::group* entry = group.empty() ? nullptr : ::getgrnam(group.c_str())) {
    group_ = entry->gr_gid;
    // Fails for a daemon that is not root and not in the group: then its own group has access.
    has_group_ = true;
    // -1: the owner stays.
    static_cast<void>(::chown(path.c_str(), static_cast<uid_t>(-1), group_) == 0);
  }
  // After chown(): before it, 0660 would open the socket to our own group.
  if (::chmod(path.c_str(), 0660) != 0) return failed("chmod", std::strerror(errno));
  acceptor_.listen(64, error);
  if (error) return failed("listen", error.message());
  accept();
  return {};
}

void Server::Impl::begin_next_job() {
  if (jobs_.empty()) return;
  // The first job stays in the queue while it runs: that is what says that the thread is busy.
  std::function<void()> work = std::exchange(jobs_.front().work, {});
  // The closure goes to the thread either way, which frees it.
  if (!jobs_.front().wanted()) work = [unwanted = std::move(work)] {};
  background_.run(std::move(work), [this] {
    // The job is still in front: what `done` adds waits behind it.
    if (const auto done = std::move(jobs_.front().done)) done();
    jobs_.pop_front();
    begin_next_job();
  });
}

void Server::Impl::accept() {
  // Not accepted, the next connection waits in the backlog; forget() goes on.
  if (clients_.size() >= kClientsMax) return void(full_ = true);
  acceptor_.async_accept([self = shared_from_this()](const Error& error, stream_protocol::socket socket) {
    // close() was called.
    if (error == asio::error::operation_aborted) return;
    if (error) {
      // Out of descriptors: try again a little later instead of spinning.
      self->log_.warning(minibgp::LogArea::control, "control socket: accept: " + error.message());
      self->retry_.expires_after(std::chrono::seconds{1});
      self->retry_.async_wait([self](const Error& stopped) { stopped ? void() : self->accept(); });
      return;
    }
    const auto client = std::make_shared<Reply::Sink>(std::move(socket), *self);
    self->clients_.push_back(client);
    client->start();
    self->accept();
  });
}

void Server::Impl::close() {
  Error ignored;
  retry_.cancel();
  acceptor_.close(ignored);
  full_ = false;
  // A copy, because close() takes each out of the list.
  for (const auto& client : std::vector{clients_}) client->close();
  acceptor_.close(ignored);
  if (!path_.empty()) remove_socket(path_);
  path_.clear();
  // The lock file stays: removing it would let two daemons lock two different files of one name.
  if (lock_ >= 0) ::close(std::exchange(lock_, -1));
}

Server::Server(asio::io_context& io, Logging& log, Handler handler)
    : impl_(std::make_shared<Impl>(io, log, std::move(handler))) {}

Server::~Server() { impl_->close(); }

minibgp::Result<void, std::string> Server::reserve(const std::string& path) { return impl_->reserve(path); }

minibgp::Result<void, std::string> Server::open(const std::string& path, const std::string& group) {
  return impl_->open(path, group);
}

void Server::close() { impl_->close(); }

}  // namespace bgplite::control
