#include <assay/harness/choice/token.hpp>

#include <array>
#include <fstream>
#include <limits>

#include <assay/harness/choice/fnv.hpp>

namespace assay {

namespace {

constexpr std::string_view magic = "assay1";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint32_t steps_max = 100'000'000;  // a bound, so that a hostile token cannot ask for the moon

std::string escape(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 127 || c == ':' || c == '%') {
      out += '%';
      out += hex[byte >> 4U];
      out += hex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text, std::string_view field) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      throw malformed_token("malformed token: a broken %XX in its " + std::string(field));
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Base64url, as it comes. Whatever writes a token goes through this, with no memory of its own.
template <class Out>
class base64url_writer {
 public:
  explicit base64url_writer(const Out& out) noexcept : out_(out) {}
  void put(unsigned char byte) {
    bits_ = (bits_ << 8U) | byte;
    held_ += 8;
    while (held_ >= 6) {
      held_ -= 6;
      out_(alphabet[(bits_ >> held_) & 63U]);
    }
  }
  void put_varint(std::uint64_t value) {
    while (value >= 0x80) {
      put(static_cast<unsigned char>(0x80U | (value & 0x7fU)));
      value >>= 7U;
    }
    put(static_cast<unsigned char>(value));
  }
  void finish() {
    if (held_ > 0) out_(alphabet[(bits_ << (6 - held_)) & 63U]);
  }

 private:
  const Out& out_;
  std::uint32_t bits_ = 0;
  unsigned held_ = 0;
};

// `each` calls what it is given for every deviation, in order.
template <class Out, class Each>
void put_schedule(const Out& out, std::uint32_t steps, std::uint32_t shape, const Each& each) {
  base64url_writer writer(out);
  writer.put_varint(steps);
  writer.put_varint(shape);
  std::uint32_t previous = 0;
  each([&](std::uint32_t step, const choice& made) {
    writer.put_varint(step - previous);
    previous = step;
    writer.put_varint(static_cast<std::uint32_t>(made.kind));
    writer.put_varint(made.arity);
    writer.put_varint(made.chosen);
  });
  writer.finish();
}

template <class Out>
void put_check(const Out& out, std::uint32_t hash) {
  base64url_writer writer(out);
  for (unsigned shift = 0; shift < 32; shift += 8)
    writer.put(static_cast<unsigned char>((hash >> shift) & 0xffU));
  writer.finish();
}

class varint_reader {
 public:
  explicit varint_reader(std::string_view bytes) noexcept : bytes_(bytes) {}

  std::uint32_t next(const char* what) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      if (at_ == bytes_.size()) {
        throw malformed_token(std::string("malformed token: its schedule ends inside ") + what);
      }
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) {
        if (value > std::numeric_limits<std::uint32_t>::max()) break;
        return static_cast<std::uint32_t>(value);
      }
    }
    throw malformed_token(std::string("malformed token: a number too large in ") + what);
  }
  bool done() const noexcept { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

std::string from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = alphabet.find(text[i]);
    if (digit == std::string_view::npos) {
      throw malformed_token("malformed token: character " + std::to_string(i + 1) +
                            " of its schedule is not base64url");
    }
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>((bits >> held) & 0xffU);
    }
  }
  // One schedule has one text.
  if (held >= 6 || (bits & ((1U << held) - 1U)) != 0) {
    throw malformed_token("malformed token: its schedule has trailing bits");
  }
  return out;
}

std::string checksum(std::string_view text) {
  std::string check;
  const auto out = [&check](char c) { check += c; };
  put_check(out, fnv::mix_bytes32(fnv::basis32, text));
  return check;
}

}  // namespace

std::string encode_schedule(const schedule& plan) {
  std::string text;
  const auto out = [&text](char c) { text += c; };
  put_schedule(out, plan.steps, plan.shape, [&plan](const auto& put) {
    for (const schedule::deviation& one : plan.deviations) put(one.step, one.made);
  });
  return text;
}

schedule decode_schedule(std::string_view text) {
  const std::string bytes = from_base64url(text);
  varint_reader reader(bytes);
  schedule plan;
  plan.steps = reader.next("the number of steps");
  if (plan.steps > steps_max) throw malformed_token("malformed token: more steps than any run makes");
  plan.shape = reader.next("the shape");
  std::uint64_t step = 0;
  while (!reader.done()) {
    const std::uint32_t delta = reader.next("a step");
    if (delta == 0 && !plan.deviations.empty()) throw malformed_token("malformed token: a step comes twice");
    step += delta;
    if (step >= plan.steps) throw malformed_token("malformed token: a step lies behind its last step");
    const std::uint32_t kind = reader.next("a kind");
    if (kind >= choice_kinds) {
      throw malformed_token("malformed token: step " + std::to_string(step) +
                            " has an unknown kind of choice");
    }
    const std::uint32_t arity = reader.next("an arity");
    const std::uint32_t chosen = reader.next("a choice");
    if (chosen == 0 || chosen >= arity) {
      throw malformed_token("malformed token: step " + std::to_string(step) + " chooses " +
                            std::to_string(chosen) + " of " + std::to_string(arity));
    }
    plan.deviations.push_back(
        {static_cast<std::uint32_t>(step), {static_cast<choice_kind>(kind), arity, chosen}});
  }
  return plan;
}

std::string encode_head(const replay_token& token) {
  std::string text(magic);
  for (const std::string* field : {&token.build, &token.subject, &token.scenario, &token.settings}) {
    text += ':';
    text += escape(*field);
  }
  return text + ':';
}

std::string encode(const replay_token& token) {
  const std::string text = encode_head(token) + encode_schedule(token.plan);
  return text + ':' + checksum(text);
}

void write_token(std::string_view head, std::span<const choice> made, void (*out)(void* to, char),
                 void* to) noexcept {
  std::uint32_t hash = fnv::basis32;
  const auto checked = [&](char c) {
    hash = fnv::mix_bytes32(hash, std::string_view(&c, 1));
    out(to, c);
  };
  for (const char c : head) checked(c);
  put_schedule(checked, static_cast<std::uint32_t>(made.size()), hash_shape(made), [made](const auto& put) {
    for (std::uint32_t step = 0; step < made.size(); ++step) {
      if (made[step].chosen != 0) put(step, made[step]);
    }
  });
  const auto unchecked = [&](char c) { out(to, c); };
  unchecked(':');
  put_check(unchecked, hash);
}

replay_token decode_token(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  if (text.substr(0, text.find(':')) != magic) {
    throw malformed_token("malformed token: it does not begin with '" + std::string(magic) + ":'");
  }
  std::array<std::string_view, 7> fields;
  std::size_t count = 0;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(':', begin);
    if (count == fields.size()) throw malformed_token("malformed token: it has more than 7 fields");
    fields[count++] = text.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  if (count != fields.size()) {
    throw malformed_token("malformed token: it has " + std::to_string(count) + " of 7 fields (was it cut?)");
  }
  const std::string_view guarded = text.substr(0, text.rfind(':'));
  if (checksum(guarded) != fields[6]) {
    throw malformed_token("malformed token: its check does not match (mistyped or cut?)");
  }
  replay_token token;
  token.build = unescape(fields[1], "build");
  token.subject = unescape(fields[2], "subject");
  token.scenario = unescape(fields[3], "scenario");
  token.settings = unescape(fields[4], "settings");
  token.plan = decode_schedule(fields[5]);
  return token;
}

replay_token read_token(std::string_view text) {
  if (text.empty() || text.front() != '@') return decode_token(text);
  const std::string path(text.substr(1));
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line))
    throw malformed_token("cannot read a token from the file '" + path + "'");
  const replay_token token = decode_token(line);
  while (std::getline(file, line)) {  // a second token would not be replayed, and nobody would see that
    if (line.starts_with(magic))
      throw malformed_token("the file '" + path + "' holds several tokens, and one is replayed at a time");
  }
  return token;
}

}  // namespace assay
