// What a contract's proxy is made from: a subject that stands for one in a testee.
//
//   class queue_in_testee final : public contract::bounded_queue, private testee::proxy {
//    public:
//     using proxy::proxy;
//     std::size_t size() const override { return static_cast<std::size_t>(number(ask("size"))); }
//     ...
//   };
//   const testee::registrar<queue_in_testee> registered;
#pragma once

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11/algorithm.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/testee/session.hpp>
#include <assay/harness/trial/item.hpp>

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

/// A member of a described struct.
template <class T>
boost::json::value write_member(const T& one) {
  if constexpr (std::is_convertible_v<const T&, std::chrono::nanoseconds>) {
    return write_duration(one);
  } else if constexpr (std::is_enum_v<T>) {
    return boost::describe::enum_to_string(one, "");
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return write_number(one);
  } else {
    return boost::json::value_from(one);
  }
}

/// A described struct: a configuration.
template <class T>
boost::json::object write_struct(const T& one) {
  boost::json::object text;
  using members = boost::describe::describe_members<T, boost::describe::mod_public>;
  boost::mp11::mp_for_each<members>(
      [&](auto member) { text[member.name] = write_member(one.*member.pointer); });
  return text;
}

class proxy : protected receiver {
 public:
  /// Throws the outcome of the subject's constructor.
  proxy(std::shared_ptr<session> with, const std::string& subject, boost::json::object config)
      : session_(std::move(with)), object_(session_->make(*this, subject, std::move(config))) {}
  ~proxy() override { session_->destroy(object_); }

 protected:
  using object = boost::json::object;

  boost::asio::awaitable<boost::json::value> call(std::string method, object args = {}) {
    return session_->call(object_, std::move(method), std::move(args));
  }
  boost::json::value call_now(std::string method, object args = {}) {
    return session_->call_now(object_, std::move(method), std::move(args));
  }
  boost::json::value ask(std::string method, object args = {}) const {
    return session_->ask(object_, std::move(method), std::move(args));
  }

  /// Keeps an item that is inside the testee, where it is known by its id.
  int put(item one);
  /// The item with this id that the testee has handed out. One that it has handed out before is a violation, and empty;
  /// throws protocol_error for one that it was never given.
  item take(std::int64_t id);
  item take_one(const boost::json::value& id);
  /// The same, and empty for null.
  item take_one_or_none(const boost::json::value& id) { return id.is_null() ? item() : take_one(id); }
  std::vector<item> take_all(const boost::json::value& ids);
  /// The item itself, which stays inside.
  const item& look_at(std::int64_t id) const;
  /// The items that the ledger counts as inside.
  std::vector<int> given() const;

  /// Expires with the subject: for callbacks, which may be suspended meanwhile (see receiver::called).
  std::weak_ptr<const proxy> presence() const noexcept { return here_; }

  /// For callbacks of another name.
  [[noreturn]] static void no_such(const std::string& name);
  boost::asio::awaitable<void> called(std::string name, boost::json::object args) override;
  void told(const std::string& name, const boost::json::object& args) override;

  trial& owner() const noexcept { return session_->owner(); }

  /// What `read` makes of what the testee sent; if that cannot be read, the testee has broken.
  template <class Read>
  auto checked(Read&& read) const {
    try {
      return read();
    } catch (const scenario_stopped&) {
      throw;
    } catch (const protocol_error& why) {
      session_->broke(why);
    } catch (const boost::system::system_error& why) {
      session_->broke(protocol_error(std::string("sent what cannot be read: ") + why.what()));
    }
  }
  std::int64_t number(const boost::json::value& sent) const {
    return checked([&] { return to_number(sent, "value"); });
  }
  bool flag(const boost::json::value& sent) const {
    return checked([&] { return to_flag(sent, "value"); });
  }
  std::vector<std::string> texts(const boost::json::value& sent) const {
    return checked([&] { return to_texts(sent, "value"); });
  }

 private:
  item take_checked(std::int64_t id);

  std::shared_ptr<session> session_;
  std::map<int, item> items_;
  const std::shared_ptr<const proxy> here_{this, [](const proxy*) {}};
  std::int64_t object_;
};

/// Makes subjects of the proxy's contract in testees: one object of this type for each contract.
template <class Proxy, class Contract>
class registrar {
 public:
  /// `unseen` as add_factory has it.
  explicit registrar(std::vector<std::string> unseen = {}) {
    add_factory(
        Contract::name,
        [](std::string name, subject_traits traits, const known_testee& host,
           const std::string& chosen) -> std::unique_ptr<subject_base> {
          return std::make_unique<subject<Contract>>(
              std::move(name), subject_kind::third_party, std::move(traits),
              [&host, chosen](environment& env, const typename Contract::config& config) {
                return std::make_unique<Proxy>(session::of(env, host), chosen, write_struct(config));
              });
        },
        std::move(unseen));
  }
};

}  // namespace assay::testee
