#include <apps/bgplite/config/bundle.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <fnmatch.h>

namespace bgplite {
namespace {

constexpr std::string_view kHead = "bgplite configuration 1\n";

/// FNV-1a. It finds a file that was cut or overwritten, not one that was forged.
std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  // The two constants of 64-bit FNV.
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

void write(std::string& into, std::string_view name, const Bundle& bundle) {
  into += name;
  into += " " + std::to_string(bundle.files().size()) + "\n";
  for (const auto& [path, text] : bundle.files()) {
    // Lengths in front of the octets: nothing in a path or a text needs to be escaped.
    into += std::to_string(path.size()) + " " + std::to_string(text->size()) + "\n";
    into += path;
    into += *text;
    into += "\n";
  }
}

/// Takes the parts off the front of a text. After a failure everything fails.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  bool word(std::string_view expected) {
    if (rest_.substr(0, expected.size()) != expected) return good_ = false;
    rest_.remove_prefix(expected.size());
    return good_;
  }
  template <typename Number>
  Number number(std::string_view end) {
    Number value{};
    const auto [at, failed] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (failed != std::errc{}) return good_ = false, Number{};
    rest_.remove_prefix(static_cast<std::size_t>(at - rest_.data()));
    return word(end) ? value : Number{};
  }
  std::string_view octets(std::size_t count) {
    if (count > rest_.size()) return good_ = false, std::string_view{};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  Bundle bundle(std::string_view name) {
    Bundle bundle;
    word(name);
    word(" ");
    const auto count = number<std::size_t>("\n");
    // `good_` ends the loop: the count comes from the file.
    for (std::size_t i = 0; i < count && good_; ++i) {
      const auto path_size = number<std::size_t>(" ");
      const auto size = number<std::size_t>("\n");
      const std::string_view path = octets(path_size);
      const std::string_view text = octets(size);
      if (word("\n")) bundle.add(std::string{path}, std::string{text});
    }
    return bundle;
  }
  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

void Bundle::add(const std::string& path, std::string text) {
  files_[path] = std::make_shared<const std::string>(std::move(text));
}

const std::string* Bundle::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second.get();
}

void Bundle::share_with(const Bundle& other) {
  // A set of 100 000 prefixes is kept once, however many configurations name it.
  for (auto& [path, text] : files_) {
    const auto same = other.files_.find(path);
    if (same != other.files_.end() && *same->second == *text) text = same->second;
  }
}

bool operator==(const Bundle& a, const Bundle& b) {
  return std::equal(a.files_.begin(), a.files_.end(), b.files_.begin(), b.files_.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && (x.second == y.second || *x.second == *y.second);
                    });
}

FileSource recording(FileSource files, Bundle& into) {
  const auto noted = [&into](FileSource::Read read) -> FileSource::Read {
    if (!read) return nullptr;
    return [read = std::move(read), &into](const std::string& path, std::string& error) {
      auto text = read(path, error);
      // Only what was read: a file that was missing is missing again, and the same message is given.
      if (text) into.add(path, *text);
      return text;
    };
  };
  files.read = noted(std::move(files.read));
  files.set = noted(std::move(files.set));
  files.key = noted(std::move(files.key));
  return files;
}

FileSource from_bundle(const Bundle& bundle, FileSource host) {
  const FileSource::Read read = [&bundle](const std::string& path, std::string& error) -> std::optional<std::string> {
    if (const std::string* text = bundle.find(path)) return *text;
    error = "it was not part of that configuration";
    return std::nullopt;
  };
  const auto list = [&bundle](const std::string& pattern) {
    std::vector<std::string> files;
    // An include pattern matches what it matched then, not what lies on the disk today.
    for (const auto& [path, text] : bundle.files())
      if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) files.push_back(path);
    return files;
  };
  // A key that could not be read then was reported then.
  return {read, list, std::move(host.saved), read, read, Severity::warning};
}

std::string to_octets(const StoredConfig& stored) {
  std::string text{kHead};
  text += "confirm by " + std::to_string(stored.confirm_by) + "\n";
  write(text, "good", stored.good);
  write(text, "pending", stored.pending);
  const std::uint64_t sum = digest(text);
  return text + "end " + std::to_string(sum) + "\n";
}

std::optional<StoredConfig> parse_stored(std::string_view text) {
  StoredConfig stored;
  Parts parts{text};
  parts.word(kHead);
  parts.word("confirm by ");
  stored.confirm_by = parts.number<std::int64_t>("\n");
  stored.good = parts.bundle("good");
  stored.pending = parts.bundle("pending");
  parts.word("end ");
  const auto sum = parts.number<std::uint64_t>("\n");
  // The digest covers everything in front of the last line, so that a file cut off anywhere is not believed.
  const std::size_t end = text.rfind("end ");
  if (!parts.done() || sum != digest(text.substr(0, end))) return std::nullopt;
  return stored;
}

}  // namespace bgplite
