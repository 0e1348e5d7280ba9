#include <assay/harness/trial/trace.hpp>

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

std::string format_duration(std::chrono::nanoseconds duration) {
  struct unit {
    std::int64_t size;
    const char* name;
  };
  constexpr unit units[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
  const std::int64_t count = duration.count();
  if (count == 0) return "0";
  if (duration == std::chrono::nanoseconds::max()) return "ever";
  const std::uint64_t size =
      count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  for (const unit& u : units) {
    const auto whole = size / static_cast<std::uint64_t>(u.size);
    if (whole == 0) continue;
    std::string text = (count < 0 ? "-" : "") + std::to_string(whole);
    std::string rest =
        std::to_string(size % static_cast<std::uint64_t>(u.size) + static_cast<std::uint64_t>(u.size));
    rest.erase(0, 1);
    while (!rest.empty() && rest.back() == '0') rest.pop_back();
    if (u.size > 1 && !rest.empty()) text += "." + rest;
    return text + u.name;
  }
  return "0";
}

std::string format_hash(std::uint64_t hash) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i > 0; --i, hash >>= 4U) text[i - 1] = hex[hash & 15U];
  return text;
}

}  // namespace assay
