/// bgplite init: a first configuration, from flags or from questions on a terminal.
#include <apps/bgplite/cli/init.h>
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <set>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

namespace bgplite::cli {
namespace {

using Strings = std::vector<std::string>;

Strings split(std::string_view text, char separator) {
  Strings parts;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    parts.emplace_back(part);
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string joined(const Strings& parts, const std::string& before = "", const std::string& after = "") {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + before + part + after;
  return text;
}

bool only_of(const std::string& text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || others.find(c) != std::string_view::npos;
  });
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  // Goes on behind what was put in: a value may hold the text that is replaced.
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// "# ..." lines of at most 100 columns.
std::string commented(std::string_view text) {
  std::string out = "#", line;
  for (const std::string& word : split(text, ' ')) {
    // 96: with the signs in front the line has at most 100 columns.
    if (!line.empty() && line.size() + word.size() > 96) out += line + "\n#  ", line.clear();
    line += " " + word;
  }
  return out + line + "\n";
}

/// What is known of the cloud, as comments.
std::string about(const Preset& preset) {
  // Facts are of the cloud; which of them matter depends on the preset.
  const CloudFacts& cloud = facts_of(preset.cloud);
  if (cloud.cloud == Cloud::none) return {};
  std::string text = "#\n" + commented("What is known of the " + std::string{cloud.name} + ":");
  const auto fact = [&](const std::string& line) { text += commented("- " + line); };
  const bool bgp = std::find(preset.words.begin(), preset.words.end(), "bgp") != preset.words.end();
  if (bgp && cloud.asn != 0) fact("its AS number is usually " + std::to_string(cloud.asn));
  if (bgp && cloud.hold_s != 0)
    fact("keepalive " + std::to_string(cloud.keepalive_s) + "s, hold " + std::to_string(cloud.hold_s) + "s" +
         (cloud.timers_fixed ? ", not negotiated down" : ""));
  if (bgp && cloud.prefixes_max != 0)
    fact("it takes " + std::to_string(cloud.prefixes_max) + " prefixes from us" +
         (cloud.drops_session_beyond ? "; beyond that it closes the session" : ""));
  if (cloud.mtu_max != 0) fact("inner packets have at most " + std::to_string(cloud.mtu_max) + " octets");
  if (bgp && cloud.refuses_default) fact("0.0.0.0/0 is refused");
  if (cloud.refuses_shared) fact("networks must not overlap 100.64.0.0/10");
  if (bgp && !cloud.dials) fact("it does not dial: our side opens the session");
  for (const std::string_view note : preset.notes) fact(std::string{note});
  if (bgp && !cloud.unverified.empty())
    fact("unverified (others say so, we did not measure it): " + std::string{cloud.unverified});
  return text;
}

/// Values that follow from the cloud and from other answers.
void derive(const Preset& preset, Answers& values, std::set<std::string, std::less<>>& words) {
  const CloudFacts& cloud = facts_of(preset.cloud);
  static constexpr std::string_view kClouds[] = {"none",    "alibaba", "alibaba-tr", "aws",
                                                 "aws-tgw", "azure",   "gcp",        "oci"};
  // With one way out both tunnels use it.
  if (words.count("dual") == 0)
    for (const char* same : {"device", "gateway", "local", "local_id"})
      values[std::string{same} + "2"] = values[std::string{same} + "1"];
  if (cloud.prefixes_max != 0) words.emplace("limit");
  const bool alibaba = preset.cloud == Cloud::alibaba;
  if (alibaba) words.emplace("guide_times");
  Strings refused;
  if (cloud.refuses_default) refused.emplace_back("0.0.0.0/0");
  // Shared addresses as a whole and in parts.
  if (cloud.refuses_shared) refused.emplace_back("100.64.0.0/10 le 32");
  const Strings theirs = split(values["cloud_networks"], ',');
  if (words.count("refuses_own") != 0) refused.insert(refused.end(), theirs.begin(), theirs.end());
  if (!refused.empty()) words.emplace("refuses");
  values["title"] = preset.title;
  values["preset"] = preset.name;
  // In the order of the enum Cloud.
  values["cloud"] = kClouds[static_cast<std::size_t>(preset.cloud)];
  values["cloud_note"] =
      alibaba && words.count("bgp") != 0 ? "  # alibaba-tr: a transit router, which shares over both tunnels." : "";
  values["limit"] = std::to_string(cloud.prefixes_max);
  // Where the cloud has no times of its own: fast enough to notice a loss, slow enough for a busy peer.
  values["keepalive"] = std::to_string(cloud.keepalive_s == 0 ? 10 : cloud.keepalive_s) + "s";
  values["hold"] = std::to_string(cloud.hold_s == 0 ? 30 : cloud.hold_s) + "s";
  values["mtu"] = std::to_string(cloud.mtu_max == 0 ? minibgp::xfrm::kDefaultMtu : cloud.mtu_max);
  values["mtu_note"] = cloud.mtu_max == 0 ? "unverified: the cloud's limit is not known to us." : "The cloud's limit.";
  values["refused"] = joined(refused);
  // As they may come in parts: with their longer prefixes, as far as a VPC has any.
  const auto with_parts = [](Strings all) {
    for (std::string& one : all) {
      const auto prefix = minibgp::parse_prefix(one);
      // 64 bits are the smallest network of IPv6, /28 the smallest subnet of the clouds.
      const unsigned longest = prefix && prefix->family == minibgp::Family::ipv6 ? 64 : 28;
      if (prefix && prefix->length_bits < longest) one += " le " + std::to_string(longest);
    }
    return joined(all);
  };
  Strings routes;
  for (const std::string& one : theirs)
    routes.push_back("  - { prefix: \"" + one +
                     "\", via: [{ tunnel: ipsec0, metric: 100 }, { tunnel: ipsec1, metric: 101 }] }");
  values["cloud_prefixes"] = with_parts(theirs);
  // In quotes: a selector of IPv6 has colons.
  values["remote_ts"] = joined(theirs, "\"", "\"");
  values["local_ts"] = joined(split(values["networks"], ','), "\"", "\"");
  values["accept"] = with_parts(split(values["accept"], ','));
  const auto lines = [](const Strings& all, const std::string& before) {
    std::string text;
    for (const std::string& one : all) text += (text.empty() ? "" : "\n") + before + one;
    return text;
  };
  // Last of its uses: the answer is replaced by its lines.
  values["networks"] = lines(split(values["networks"], ','), "  - ");
  values["static_routes"] = lines(routes, "");
  std::string known = about(preset);
  // The template has the end of the line.
  if (!known.empty()) known.pop_back();
  values["about"] = known;
}

/// Reads kInitText; the blocks nest.
class AnswersWriter {
 public:
  AnswersWriter(Answers values, std::set<std::string, std::less<>> words)
      : values_(std::move(values)), words_(std::move(words)), lines_(split_lines(kInitText)) {}

  std::string run() {
    block(0, lines_.size(), 0);
    return std::move(out_);
  }

 private:
  static std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
      lines.push_back(text.substr(0, end));
    return lines;
  }

  /// The `@end` of the block that begins at line `at`.
  [[nodiscard]] std::size_t end_of(std::size_t at) const {
    std::size_t depth = 1;
    while (depth != 0) {
      // The text is ours, and has an @end for each block.
      ++at;
      if (lines_[at] == "@end")
        --depth;
      else if (lines_[at].starts_with("@"))
        ++depth;
    }
    return at;
  }

  void block(std::size_t from, std::size_t to, unsigned tunnel) {
    for (std::size_t at = from; at < to; ++at) {
      const std::string_view line = lines_[at];
      if (line == "@tunnels") {
        const std::size_t end = end_of(at);
        for (const unsigned each : {1U, 2U}) block(at + 1, end, each);
        at = end;
      } else if (line.starts_with("@if ")) {
        const std::size_t end = end_of(at);
        const bool negated = line[4] == '!';
        // The second character of "@if !word".
        const bool holds = words_.count(line.substr(negated ? 5 : 4)) != 0;
        if (holds != negated) block(at + 1, end, tunnel);
        at = end;
      } else {
        add(line, tunnel);
      }
    }
  }

  void add(std::string_view line, unsigned tunnel) {
    std::string text{line};
    if (tunnel != 0) {
      replace_all(text, "<index>", std::to_string(tunnel - 1));
      // 42 and 43: numbers that are easy to tell from others.
      replace_all(text, "<if_id>", std::to_string(41 + tunnel));
      replace_all(text, "<#>", std::to_string(tunnel));
      // "<device#>" becomes "<device1>", which the next loop fills.
      replace_all(text, "#>", std::to_string(tunnel) + ">");
    }
    for (const auto& [key, value] : values_) replace_all(text, "<" + key + ">", value);
    // A hole that nothing fills, on a line of its own.
    // Nor two empty lines in a row, which a block that was left out would leave.
    if (text.empty() && (out_.empty() || line == "<about>" || out_.ends_with("\n\n"))) return;
    out_ += text + "\n";
  }

  Answers values_;
  std::set<std::string, std::less<>> words_;
  std::vector<std::string_view> lines_;
  std::string out_;
};

}  // namespace

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : presets())
    if (preset.name == name) return &preset;
  return nullptr;
}

bool asks(const Preset& preset, const Question& question) {
  return std::find(preset.words.begin(), preset.words.end(), question.when) != preset.words.end();
}

std::string example_of(const Preset& preset, const Question& question) {
  for (const auto& [key, example] : preset.examples)
    if (key == question.key) return std::string{example};
  const std::uint32_t asn = facts_of(preset.cloud).asn;
  if (question.key == "cloud_asn" && asn != 0) return std::to_string(asn);
  return std::string{question.example};
}

std::optional<std::string> refuse(const Question& question, const std::string& answer) {
  const auto no = [&](const char* wanted) { return "'" + answer + "' is not " + wanted; };
  switch (question.kind) {
    case Answer::asn: {
      const auto asn = minibgp::parse_asn(answer);
      // 0 and AS_TRANS (RFC 6793) are reserved.
      const bool fine = asn && *asn != minibgp::Asn{0} && *asn != minibgp::Asn{23456};
      return fine ? std::nullopt : std::optional{no("an AS number")};
    }
    case Answer::router_id: {
      const auto id = minibgp::parse_router_id(answer);
      return id && *id != minibgp::RouterId{0} ? std::nullopt : std::optional{no("written like an IPv4 address")};
    }
    case Answer::prefixes:
      for (const std::string& one : split(answer, ','))
        if (!minibgp::parse_prefix(one)) return "'" + one + "' is not a prefix like 192.0.2.0/24";
      return std::nullopt;
    case Answer::address:
      return minibgp::parse_address(answer) ? std::nullopt : std::optional{no("an IP address")};
    case Answer::interface_address: {
      const std::size_t slash = answer.find('/');
      const bool fine = slash != std::string::npos && minibgp::parse_address(answer.substr(0, slash)) &&
                        minibgp::parse_prefix(answer, minibgp::HostBits::mask);
      return fine ? std::nullopt : std::optional{no("an address with its length, like 169.254.10.2/30")};
    }
    case Answer::device:
      // 15 characters are what the kernel takes (IFNAMSIZ).
      return only_of(answer, "-_.@") && answer.size() <= 15 ? std::nullopt : std::optional{no("an interface's name")};
    case Answer::identity:
      return only_of(answer, "-_.:@") ? std::nullopt : std::optional{no("an address, a name or an e-mail address")};
    case Answer::proposals:
      return only_of(answer, "-_, ") ? std::nullopt : std::optional{no("a proposal like aes256-sha256-modp2048")};
  }
  return std::nullopt;
}

std::string init_text(const Preset& preset, const Answers& answers) {
  Answers values;
  for (const Question& question : kQuestions) {
    const auto given = answers.find(question.key);
    // The example stands for what was not answered, so that the text is whole.
    values[std::string{question.key}] = given != answers.end() ? given->second : example_of(preset, question);
  }
  for (const char* id : {"local_id1", "local_id2"})
    // YAML would read a ':' or '@' as something else.
    if (values[id].find_first_of(":@") != std::string::npos) values[id] = "\"" + values[id] + "\"";
  std::set<std::string, std::less<>> words(preset.words.begin(), preset.words.end());
  derive(preset, values, words);
  return AnswersWriter{std::move(values), std::move(words)}.run();
}

namespace {

struct Options {
  std::string preset, output;
  bool force = false;
  std::map<std::string, std::string> flags;  ///< By key; empty: not given.
};

std::string flag_of(const Question& question) {
  std::string name = "--" + std::string{question.key};
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

bool ask_line(const std::string& text, const std::string& example, std::string& into) {
  std::cerr << text << " [" << example << "]: " << std::flush;
  if (!std::getline(std::cin, into)) return std::cerr << '\n', false;
  if (into.empty()) into = example;
  return true;
}

/// Writes a new file, or with `force` another one in its place. False: errno says why.
bool write_out(const std::string& path, const std::string& text, bool force) {
  const std::string fresh = force ? path + ".new" : path;
  // O_EXCL: a file that came into being since the check is not overwritten either.
  const int how = force ? O_TRUNC : O_EXCL;
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0644);
  if (fd < 0) return false;
  // One write: the text has some kilobytes, and a disk takes it or is full.
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool closed = ::close(fd) == 0;
  // In one step, so that a reader never finds half a file.
  return written && closed && (!force || ::rename(fresh.c_str(), path.c_str()) == 0);
}

Exit run_init(Options options, bool may_ask) {
  if (options.preset.empty() && may_ask) {
    for (const Preset& preset : presets()) {
      const std::string name{preset.name};
      std::cerr << "  " << name << std::string(24 - name.size(), ' ') << preset.title << '\n';
    }
    if (!ask_line("Which of these", "alibaba-dual-bgp", options.preset))
      return fail(Exit::bad_input, "nothing was written");
  }
  const Preset* preset = find_preset(options.preset);
  if (preset == nullptr) {
    std::vector<std::string_view> known;
    std::string names;
    for (const Preset& one : presets()) known.push_back(one.name), names += " " + std::string{one.name};
    const std::string hint = did_you_mean(options.preset, known);
    return fail(Exit::bad_input, options.preset.empty() ? "which preset? One of:" + names
                                                        : "no preset '" + options.preset + "' (" +
                                                              (hint.empty() ? "there are:" + names : hint) + ")");
  }
  // Before the questions, whose answers would be lost.
  if (!options.output.empty() && !options.force && ::access(options.output.c_str(), F_OK) == 0)
    return fail(Exit::bad_input, options.output + " exists already; --force writes over it");
  Answers answers;
  for (const Question& question : kQuestions) {
    // flags has an entry for each question, made when the verb was added.
    const std::string& given = options.flags[std::string{question.key}];
    if (given.empty()) continue;
    if (!asks(*preset, question))
      return fail(Exit::bad_input, flag_of(question) + " means nothing with " + options.preset);
    if (const auto why = refuse(question, given)) return fail(Exit::bad_input, flag_of(question) + ": " + *why);
    answers[std::string{question.key}] = given;
  }
  if (may_ask) {
    for (const Question& question : kQuestions) {
      if (!asks(*preset, question) || answers.count(question.key) != 0) continue;
      std::string answer;
      while (true) {
        if (!ask_line(std::string{question.text}, example_of(*preset, question), answer))
          return fail(Exit::bad_input, "nothing was written");
        const auto why = refuse(question, answer);
        if (!why) break;
        std::cerr << "  " << *why << '\n';
      }
      answers[std::string{question.key}] = answer;
    }
  }
  const std::string text = init_text(*preset, answers);
  // Each answer is one of its kind; together they may still be wrong.
  const std::string name = options.output.empty() ? "bgplite.yaml" : options.output;
  // From memory: a file of this name need not be there.
  const Loaded loaded = load_config(name, {[&](const std::string&, std::string&) { return std::optional{text}; },
                                           [](const std::string&) { return Strings{}; }});
  std::cerr << loaded.diagnostics.to_text();
  if (loaded.diagnostics.has_errors())
    return fail(Exit::bad_input, "these answers contradict each other; nothing was written");
  if (options.output.empty()) {
    std::cout << text << std::flush;
    return std::cout ? Exit::ok : Exit::io;
  }
  if (!write_out(options.output, text, options.force))
    return fail(Exit::io, "cannot write " + options.output + ": " + std::strerror(errno));
  std::cerr << options.output << ": written. Put the keys of the tunnels in place, then: bgplite check "
            << options.output << '\n';
  return Exit::ok;
}

}  // namespace

void add_init(Verbs& verbs) {
  auto options = std::make_shared<Options>();
  CLI::App& verb = verbs.add("init", "Write a first configuration; asks on a terminal what was not given");
  std::string names;
  for (const Preset& preset : presets()) names += (names.empty() ? "" : ", ") + std::string{preset.name};
  verb.add_option("PRESET", options->preset, "One of " + names);
  verb.add_option("-o,--output", options->output, "File to write; otherwise standard output");
  verb.add_flag("--force", options->force, "Write over a file that exists");
  for (const Question& question : kQuestions)
    verb.add_option(flag_of(question), options->flags[std::string{question.key}], std::string{question.text});
  // With --yes nothing is asked, and what is missing is an example.
  verbs.action(verb, [options, &common = verbs.common()] {
    return run_init(std::move(*options), ::isatty(STDIN_FILENO) == 1 && !common.yes);
  });
}

}  // namespace bgplite::cli
