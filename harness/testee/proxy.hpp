// What a contract's proxy is made from: a subject that stands for one in a testee.
//
//   class queue_in_testee final : public testee::proxy_of<contract::bounded_queue> {
//    public:
//     using proxy_of::proxy_of;
//     std::size_t size() const override { return ask<std::size_t>("size"); }
//     ...
//    protected:
//     awaitable<void> do_push(item one) override { return call("push", args("item", std::move(one))); }
//     ...
//   };
//   const testee::registrar<queue_in_testee> registered({.looks = {{"size"}}});
//
// How a value is written and read is in its type: a duration, a number, a described enumerator by its name, a described
// struct as an object, a list; an item by its id, while it is inside kept here; a failure as an outcome; a function that
// the subject calls by a number.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11/algorithm.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/testee/numbered.hpp>
#include <assay/harness/testee/session.hpp>
#include <assay/harness/trial/item.hpp>

namespace assay {
BOOST_DESCRIBE_STRUCT(outcome::member, (), (task, what))
}  // namespace assay

namespace assay::testee {

/// The largest number that the protocol has: what every language can hold. As a time it is 104 days.
inline constexpr std::int64_t number_max = (std::int64_t{1} << 53) - 1;

/// A number; one that the protocol does not have becomes the nearest that it has.
inline boost::json::value write_number(std::int64_t one) { return std::clamp(one, -number_max, number_max); }

/// A duration in nanoseconds, or null if it is without limit.
inline boost::json::value write_duration(std::chrono::nanoseconds one) {
  if (one == std::chrono::nanoseconds::max()) return nullptr;
  return write_number(one.count());
}

/// An argument, or a member of a described struct.
template <class T>
boost::json::value write(const T& one) {
  if constexpr (std::is_convertible_v<const T&, std::chrono::nanoseconds>) {
    return write_duration(one);
  } else if constexpr (std::is_enum_v<T>) {
    return boost::describe::enum_to_string(one, "");
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return write_number(one);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return static_cast<std::int64_t>(std::min(one, static_cast<std::uint64_t>(number_max)));
  } else {
    return boost::json::value_from(one);
  }
}

/// A described struct: a configuration.
template <class T>
boost::json::object write_struct(const T& one) {
  boost::json::object text;
  using members = boost::describe::describe_members<T, boost::describe::mod_public>;
  boost::mp11::mp_for_each<members>([&](auto member) { text[member.name] = write(one.*member.pointer); });
  return text;
}

/// A query that the contract's invariant needs, and the feature that it belongs to; none: every subject answers it.
struct query {
  std::string name;
  std::string feature = {};
};

/// What a subject calls by its number: waits, and ends as it ends.
using step = std::function<boost::asio::awaitable<void>()>;

class proxy : protected receiver {
 public:
  /// `looks` are the queries that a look needs. Throws the outcome of the subject's constructor.
  proxy(std::shared_ptr<session> with, const std::string& subject, boost::json::object config,
        std::vector<std::string> looks = {})
      : session_(std::move(with)),
        about_(subject_of(session_->said(), subject)),
        looks_(std::move(looks)),
        object_(session_->make(*this, subject, std::move(config), looks_)) {}
  ~proxy() override { session_->destroy(object_); }

 protected:
  using object = boost::json::object;

  /// args("item", std::move(one), "patience", patience). An item is put inside, and a step kept.
  template <class... Rest>
  object args(Rest&&... rest) {
    object all;
    add(all, std::forward<Rest>(rest)...);
    return all;
  }

  /// Begins an operation, and ends as it does.
  template <class T = void>
  boost::asio::awaitable<T> call(std::string method, object args = {}) {
    const boost::json::value sent = co_await session_->call(object_, std::move(method), std::move(args));
    if constexpr (!std::is_void_v<T>) co_return result<T>(*this, sent);
  }
  /// The same of a caller that goes on when the call has ended: how both went, see session::call_and_go_on.
  boost::asio::awaitable<ending> call_and_go_on(std::string method, object args = {}) {
    return session_->call_and_go_on(object_, std::move(method), std::move(args));
  }
  template <class T = void>
  T call_now(std::string method, object args = {}) {
    const boost::json::value sent = session_->call_now(object_, std::move(method), std::move(args));
    if constexpr (!std::is_void_v<T>) return result<T>(*this, sent);
  }
  /// In a look the answer is what the testee has told.
  template <class T>
  T ask(const std::string& method) const {
    if (look_ != nullptr) return result<T>(*this, look_->at(method));
    return result<T>(*this, session_->ask(object_, method, {}));
  }
  /// How many entries the subject keeps in its tables, if it can tell.
  std::optional<std::size_t> retained() const {
    if (!about_.retains) return std::nullopt;
    return ask<std::size_t>("retained");
  }

  /// An argument of a callback. Throws protocol_error.
  template <class T>
  T arg(const object& args, std::string_view member) {
    return read_member<T>(*this, args, member);
  }
  /// The step that a callback's argument stands for, and which is called once.
  step take_step(const object& args, std::string_view member) { return steps_.take(number_in(args, member)); }
  /// Tells somebody if there is anybody.
  template <class Function, class... Args>
  static void tell(const Function& whom, Args&&... args) {
    if (whom) whom(std::forward<Args>(args)...);
  }

  /// Keeps an item that is inside the testee, where it is known by its id.
  int put(item one);
  /// The item itself, which stays inside.
  const item& look_at(std::int64_t id) const;
  /// The items that the ledger counts as inside.
  std::vector<int> given() const;
  /// Does `work`, which makes an awaitable, on an item that is handed out; if that fails, the item is inside again.
  template <class Work>
  boost::asio::awaitable<void> hand_out(item one, Work work) {
    const std::weak_ptr<const proxy> here = presence();
    std::exception_ptr failure;
    try {
      co_await work(one);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    if (!here.expired()) put(std::move(one));
    std::rethrow_exception(failure);
  }

  /// Expires with the subject: for callbacks, which may be suspended meanwhile (see receiver::called).
  std::weak_ptr<const proxy> presence() const noexcept { return here_; }

  /// For callbacks of another name.
  [[noreturn]] static void no_such(const std::string& name);
  /// Does a `step` by its number.
  boost::asio::awaitable<void> called(std::string name, boost::json::object args) override;
  void told(const std::string& name, const boost::json::object& args) override;

  trial& owner() const noexcept { return session_->owner(); }

  /// True if the testee has told all that a look needs since the last one; queries are answered from that until it ends.
  bool begin_looking() const;
  void end_looking() const;

 private:
  /// What `read` makes of what the testee sent; if that cannot be read, the testee has broken.
  template <class Read>
  auto checked(Read&& read) const {
    try {
      return read();
    } catch (const protocol_error& why) {
      session_->broke(why);
    }
  }
  template <class T, class Self>
  static T result(Self& self, const boost::json::value& sent) {
    return self.checked([&] { return read<T>(self, sent, "value"); });
  }

  void add(object&) {}
  template <class T, class... Rest>
  void add(object& all, std::string_view name, T&& value, Rest&&... rest) {
    using plain = std::remove_cvref_t<T>;
    if constexpr (std::is_same_v<plain, item>) {
      static_assert(std::is_rvalue_reference_v<T&&>, "an item is handed over");
      all[name] = put(std::forward<T>(value));
    } else if constexpr (std::is_same_v<plain, step>) {
      all[name] = steps_.keep(std::forward<T>(value));
    } else {
      all[name] = write(value);
    }
    add(all, std::forward<Rest>(rest)...);
  }

  template <class T>
  struct parts : std::false_type {};
  template <class T>
  struct parts<std::vector<T>> : std::true_type {
    using type = T;
  };
  template <class T>
  struct maybe : std::false_type {};
  template <class T>
  struct maybe<std::optional<T>> : std::true_type {
    using type = T;
  };

  template <class T, class Self>
  static T read(Self& self, const boost::json::value& sent, std::string_view what) {
    if constexpr (std::is_same_v<T, bool>) {
      return to_flag(sent, what);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(to_number(sent, what));
    } else if constexpr (std::is_same_v<T, std::string>) {
      return to_text(sent, what);
    } else if constexpr (std::is_enum_v<T>) {
      const std::string word = to_text(sent, what);
      T value{};
      if (boost::describe::enum_from_string(word.c_str(), value)) return value;
      throw protocol_error("sent '" + word + "' as '" + std::string(what) + "'");
    } else if constexpr (std::is_same_v<T, item>) {
      return self.take(to_number(sent, what));
    } else if constexpr (std::is_same_v<T, std::exception_ptr>) {
      return read_outcome(sent).failure;
    } else if constexpr (std::is_same_v<T, outcome>) {
      return describe(read_outcome(sent).failure);
    } else if constexpr (maybe<T>::value) {
      if (sent.is_null()) return std::nullopt;
      return read<typename maybe<T>::type>(self, sent, what);
    } else if constexpr (parts<T>::value) {
      T all;
      for (const boost::json::value& one : to_list(sent, what))
        all.push_back(read<typename parts<T>::type>(self, one, what));
      return all;
    } else {
      return read_struct<T>(self, to_object(sent, what));
    }
  }
  template <class T, class Self>
  static T read_struct(Self& self, const object& all) {
    T one;
    using members = boost::describe::describe_members<T, boost::describe::mod_public>;
    boost::mp11::mp_for_each<members>([&](auto member) {
      using type = std::remove_cvref_t<decltype(one.*member.pointer)>;
      one.*member.pointer = read_member<type>(self, all, member.name);
    });
    return one;
  }
  // A flag that is not there is false, and items that are not there are none.
  template <class T, class Self>
  static T read_member(Self& self, const object& all, std::string_view name) {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::vector<item>> || maybe<T>::value) {
      if (!all.contains(name)) return {};
    }
    return read<T>(self, member_in(all, name), name);
  }

  // The item with this id that the testee has handed out. One that it has handed out before is a violation, and empty;
  // throws protocol_error for one that it was never given.
  item take(std::int64_t id);

  std::shared_ptr<session> session_;
  const subject_info& about_;
  std::vector<std::string> looks_;
  std::map<int, item> items_;
  numbered<step> steps_;
  const std::shared_ptr<const proxy> here_{this, [](const proxy*) {}};
  std::int64_t object_;
  mutable const object* look_ = nullptr;  // what is known, while somebody looks
};

/// The base of a contract's proxy.
template <class Contract>
class proxy_of : public Contract, protected proxy {
 public:
  using contract_type = Contract;
  using proxy::proxy;

 private:
  bool begin_look() const override { return begin_looking(); }
  void end_look() const override { end_looking(); }
};

/// What is particular about a contract's subjects in testees.
struct seen_through_protocol {
  std::vector<std::string> unseen = {};  ///< as add_factory has it
  std::vector<query> looks = {};         ///< what the invariant asks
};

/// Makes subjects of the proxy's contract in testees: one object of this type for each contract.
template <class Proxy>
class registrar {
 public:
  using contract = typename Proxy::contract_type;

  explicit registrar(seen_through_protocol how = {}) {
    add_factory(
        contract::name,
        [looks = std::move(how.looks)](std::string name, subject_traits traits, const known_testee& host,
                                       const std::string& chosen) -> std::unique_ptr<subject_base> {
          std::vector<std::string> asked;
          for (const query& one : looks) {
            const std::vector<std::string>& claimed = traits.features;
            if (one.feature.empty() ||
                std::find(claimed.begin(), claimed.end(), one.feature) != claimed.end())
              asked.push_back(one.name);
          }
          return std::make_unique<subject<contract>>(
              std::move(name), subject_kind::third_party, std::move(traits),
              [&host, chosen, asked](environment& env, const typename contract::config& config) {
                return std::make_unique<Proxy>(session::of(env, host), chosen, write_struct(config), asked);
              });
        },
        std::move(how.unseen));
  }
};

}  // namespace assay::testee
