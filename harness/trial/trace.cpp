#include <assay/harness/trial/trace.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>

#include <assay/harness/choice/fnv.hpp>

namespace assay {

std::string_view to_string(event_kind kind) noexcept {
  switch (kind) {
    case event_kind::turn:
      return "turn";
    case event_kind::choice:
      return "choice";
    case event_kind::time:
      return "time";
    case event_kind::start:
      return "start";
    case event_kind::finish:
      return "finish";
    case event_kind::cancel:
      return "cancel";
    case event_kind::fault:
      return "fault";
    case event_kind::item:
      return "item";
    case event_kind::mark:
      return "mark";
    case event_kind::check:
      return "check";
    case event_kind::failure:
      return "failure";
  }
  return "unknown";
}

std::vector<event> trace::events() const {
  std::vector<event> all;
  all.reserve(entries_.size());
  visit([&all](const entry& one, const std::string& text) {
    all.push_back({one.at, one.task, one.kind, text});
  });
  return all;
}

std::uint64_t trace::hash() const noexcept {
  std::uint64_t hash = fnv::basis;
  visit([&hash](const entry& one, const std::string& text) {
    hash = fnv::mix_bytes(hash, static_cast<std::uint64_t>(one.at.count()));
    hash = fnv::mix_bytes(hash, (std::uint64_t{one.task} << 8U) | static_cast<std::uint64_t>(one.kind));
    hash = fnv::mix_bytes(hash, text);
  });
  return hash;
}

std::string_view format_duration(std::chrono::nanoseconds duration, duration_text& into) noexcept {
  struct unit {
    std::uint64_t size;
    std::string_view name;
  };
  constexpr unit units[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
  const std::int64_t count = duration.count();
  if (count == 0) return "0";
  if (duration == std::chrono::nanoseconds::max()) return "ever";
  const std::uint64_t size =
      count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const unit& chosen =
      *std::find_if(std::begin(units), std::end(units), [size](const unit& u) { return size >= u.size; });
  char* at = into.data();
  if (count < 0) *at++ = '-';
  at = std::to_chars(at, into.end(), size / chosen.size).ptr;
  if (std::uint64_t rest = size % chosen.size; rest != 0) {
    *at++ = '.';
    std::uint64_t place = chosen.size / 10;
    for (; rest != 0; rest %= place, place /= 10) *at++ = static_cast<char>('0' + rest / place);
  }
  at = std::copy(chosen.name.begin(), chosen.name.end(), at);
  return {into.data(), static_cast<std::size_t>(at - into.data())};
}

std::string format_duration(std::chrono::nanoseconds duration) {
  duration_text text;
  return std::string(format_duration(duration, text));
}

std::string format_hash(std::uint64_t hash) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i > 0; --i, hash >>= 4U) text[i - 1] = hex[hash & 15U];
  return text;
}

}  // namespace assay
