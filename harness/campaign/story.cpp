#include <assay/harness/campaign/story.hpp>

#include <algorithm>
#include <optional>
#include <string_view>

#include <assay/harness/campaign/timeline.hpp>
#include <assay/harness/choice/choice.hpp>

namespace assay {

namespace {

using names_of_tasks = std::vector<std::string>;

// Behind which the texts of a story stand.
constexpr std::size_t before_number = 5;
constexpr std::size_t before_text = 24;

// Further lines of a text stand below the first one.
std::string indented(const std::string& text) {
  std::string lines;
  for (const char c : text) {
    lines += c;
    if (c == '\n') lines.append(before_text, ' ');
  }
  return lines;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

// What a sweep or a late loop has chosen: "cancel 1 of 4" names the kind of choice, the answer, and how many there were.
std::string choice_in_words(const std::string& text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string::npos || blank + 1 >= text.size()) return text;
  const std::string_view kind = std::string_view(text).substr(0, blank);
  const char answer = text[blank + 1];
  if (kind == to_string(choice_kind::cancel)) {
    const char* const type = answer == '1' ? "terminal" : answer == '2' ? "partial" : "total";
    return "the sweep requests cancellation of the victim here, " + std::string(type) + " (" + text + ")";
  }
  if (kind == to_string(choice_kind::late))
    return "the loop is late, and goes on beyond the next deadline (" + text + ")";
  if (kind == to_string(choice_kind::fault)) return "the sweep makes a call fail here (" + text + ")";
  return text;
}

std::string in_words(const event& one, const names_of_tasks& names) {
  const std::string line = padded(padded(format_duration(one.at), 8) + std::string(to_string(one.kind)), 17);
  if (one.kind == event_kind::choice) return line + choice_in_words(one.text);
  if (one.kind != event_kind::turn) return line + one.text;
  return line + (one.task < names.size() ? names[one.task] : "the subject");
}

std::string numbered(std::size_t place, const std::string& text) {
  const std::string number = std::to_string(place + 1);
  return std::string(before_number - std::min(number.size(), before_number), ' ') + number + "  " +
         indented(text);
}

bool same_event(const event& a, const event& b) {
  return a.at == b.at && a.task == b.task && a.kind == b.kind && a.text == b.text;
}

struct difference {
  std::size_t in_one = 0;
  std::size_t in_other = 0;
};

// Where two traces part; choices are causes, not differences.
std::optional<difference> find_difference(const std::vector<event>& one, const std::vector<event>& other) {
  difference at;
  while (true) {
    while (at.in_one < one.size() && one[at.in_one].kind == event_kind::choice) ++at.in_one;
    while (at.in_other < other.size() && other[at.in_other].kind == event_kind::choice) ++at.in_other;
    if (at.in_one == one.size() && at.in_other == other.size()) return std::nullopt;
    if (at.in_one == one.size() || at.in_other == other.size()) return at;
    if (!same_event(one[at.in_one], other[at.in_other])) return at;
    ++at.in_one;
    ++at.in_other;
  }
}

std::string event_at(const trace& events, std::size_t place) {
  const std::vector<event> all = events.events();
  if (place == all.size()) return "the end";
  const std::string text = in_words(all[place], task_names(events));
  // One blank between the columns.
  std::string words;
  for (const char c : text) {
    if (c != ' ' || words.back() != ' ') words += c;
  }
  return "'" + words + "'";
}

}  // namespace

std::uint64_t first_failure(const trace& events) {
  const std::vector<event> all = events.events();
  const auto found =
      std::find_if(all.begin(), all.end(), [](const event& one) { return one.kind == event_kind::failure; });
  return found == all.end() ? 0 : static_cast<std::uint64_t>(found - all.begin()) + 1;
}

std::string first_difference(const trace& one, const trace& other) {
  const auto at = find_difference(one.events(), other.events());
  if (!at) return {};
  return "event " + std::to_string(at->in_one + 1) + ": " + event_at(one, at->in_one) + " here, " +
         event_at(other, at->in_other) + " there";
}

std::string outside_the_trial(const trace& one, const trace& other) {
  const std::string part = first_difference(one, other);
  return "it depends on something outside the trial (a static variable, a file, a real clock)" +
         (part.empty() ? std::string() : ", and the first step that differs is " + part);
}

std::vector<std::string> tell(const trace& events, telling how, const trace* passing) {
  const names_of_tasks names = task_names(events);
  std::optional<difference> parted;
  if (passing != nullptr) parted = find_difference(events.events(), passing->events());
  std::vector<std::string> lines;
  const std::vector<event> all = events.events();
  auto note = events.notes().begin();
  // A trace is its events alone: who reads it finds them by their numbers.
  const auto tell_notes = [&](std::size_t before) {
    if (how != telling::story) return;
    for (; note != events.notes().end() && note->before <= before; ++note)
      lines.push_back(std::string(before_number + 2, ' ') +
                      padded(padded(format_duration(note->at), 8) + note->kind, 17) + indented(note->text));
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    const event& one = all[i];
    tell_notes(i);
    if (parted && parted->in_one == i) {
      lines.push_back("  -- here it parts from the baseline trial, which passes and goes on with " +
                      event_at(*passing, parted->in_other));
    }
    if (how == telling::story && one.kind == event_kind::turn) continue;
    lines.push_back(numbered(i, in_words(one, names)));
  }
  tell_notes(all.size());
  return lines;
}

}  // namespace assay
