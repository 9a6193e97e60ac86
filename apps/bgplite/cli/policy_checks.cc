/// The checks of a run of `policy test` in the formats of others: JUnit XML and TAP 13.
#include <apps/bgplite/cli/policy_report.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

using Outcome = Check::Outcome;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      // Control characters are not XML, even escaped.
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return out;
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + escaped(value) + "\"";
}

std::string counts(const std::vector<Check>::const_iterator begin, const std::vector<Check>::const_iterator end) {
  const auto of = [&](Outcome outcome) {
    return std::to_string(std::count_if(begin, end, [&](const Check& one) { return one.outcome == outcome; }));
  };
  return attribute("tests", std::to_string(end - begin)) + attribute("failures", of(Outcome::failed)) +
         attribute("errors", of(Outcome::error)) + attribute("skipped", of(Outcome::skipped));
}

std::string testcase(const Check& check) {
  std::string text = "    <testcase" + attribute("classname", check.group.empty() ? check.suite : check.group) +
                     attribute("name", check.name) + attribute("file", check.place.file) +
                     attribute("line", std::to_string(check.place.line));
  const std::string message = attribute("message", check.message);
  switch (check.outcome) {
    case Outcome::passed:
      return text + "/>\n";
    case Outcome::skipped:
      return text + ">\n      <skipped" + message + "/>\n    </testcase>\n";
    case Outcome::failed:
    case Outcome::error:
      const std::string element = check.outcome == Outcome::failed ? "failure" : "error";
      return text + ">\n      <" + element + message + ">" + escaped(check.details) + "</" + element +
             ">\n    </testcase>\n";
  }
  return text;
}

/// One line, and no `#`, behind which a directive stands.
std::string tap_name(const Check& check) {
  std::string out;
  for (const char c : check.suite + ": " + (check.group.empty() ? "" : check.group + " / ") + check.name) {
    if (c == '#' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

/// The lines of a YAML block scalar.
std::string tap_lines(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += "    " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

}  // namespace

std::string to_junit(const std::vector<Check>& checks) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts(checks.begin(), checks.end()) + ">\n";
  for (auto begin = checks.begin(); begin != checks.end();) {
    const auto end = std::find_if(begin, checks.end(), [&](const Check& one) { return one.suite != begin->suite; });
    text += "  <testsuite" + attribute("name", begin->suite) + counts(begin, end) + ">\n";
    for (; begin != end; ++begin) text += testcase(*begin);
    text += "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

std::string to_tap(const std::vector<Check>& checks) {
  std::string text = "TAP version 13\n1.." + std::to_string(checks.size()) + "\n";
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const Check& check = checks[i];
    const bool bad = check.outcome == Outcome::failed || check.outcome == Outcome::error;
    text += (bad ? "not ok " : "ok ") + std::to_string(i + 1) + " - " + tap_name(check);
    if (check.outcome == Outcome::skipped) text += " # SKIP " + check.message;
    text += "\n";
    if (!bad) continue;
    text += "  ---\n  at: '" + check.place.file + ":" + std::to_string(check.place.line) + "'\n  message: |\n" +
            tap_lines(check.message) + tap_lines(check.details) + "  ...\n";
  }
  return text;
}

}  // namespace bgplite::cli
