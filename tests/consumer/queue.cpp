// Plugging in an implementation of one's own: a queue with its own names and its own words behind the contract of
// bounded_queue, in a program with the command line of `assay`.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <stdexcept>
#include <utility>

#include <assay/scenarios/flow/bounded_queue/contract.hpp>
#include <assay/scenarios/flow/bounded_queue/reference.hpp>
#include <assay/suite.hpp>

namespace {

namespace asio = boost::asio;

// Somebody's queue: whoever cannot go on waits for the next change and looks again.
template <class T>
class mailbox {
 public:
  mailbox(asio::any_io_executor executor, std::size_t slots)
      : slots_(slots), changed_(std::move(executor), asio::steady_timer::time_point::max()) {
    if (slots == 0) throw std::invalid_argument("a mailbox needs a slot");
  }
  asio::awaitable<void> put(T letter) {
    while (letters_.size() >= slots_) co_await change();
    letters_.push_back(std::move(letter));
    changed_.cancel();
  }
  asio::awaitable<T> take() {
    while (letters_.empty()) co_await change();
    T letter = std::move(letters_.front());
    letters_.pop_front();
    changed_.cancel();
    co_return letter;
  }
  std::size_t count() const { return letters_.size(); }

 private:
  asio::awaitable<void> change() {
    boost::system::error_code woken;  // everybody waits on one timer: a cancel of it is news, not an error
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }

  std::size_t slots_;
  std::deque<T> letters_;
  asio::steady_timer changed_;
};

// The adapter: the contract's verbs and words on one side, the mailbox's on the other.
class mailbox_queue final : public assay::contract::bounded_queue {
 public:
  mailbox_queue(asio::any_io_executor executor, std::int64_t capacity)
      : box_(std::move(executor), capacity > 0 ? static_cast<std::size_t>(capacity) : 0) {}
  std::size_t size() const override { return box_.count(); }

 protected:
  awaitable<void> do_push(assay::item one) override { return box_.put(std::move(one)); }
  awaitable<assay::item> do_pop() override { return box_.take(); }

 private:
  mailbox<assay::item> box_;
};

// The reference's adapter with something of one's own added. It does not bring the reference along as a subject.
class counting_queue final : public assay::reference_queue {
 public:
  using reference_queue::reference_queue;

 protected:
  awaitable<void> do_push(assay::item one) override {
    ++pushes_;
    return reference_queue::do_push(std::move(one));
  }

 private:
  int pushes_ = 0;
};

std::unique_ptr<assay::contract::bounded_queue> make_counting(
    assay::environment& env, const assay::contract::bounded_queue_config& config) {
  return std::make_unique<counting_queue>(env.executor(), config);
}

std::unique_ptr<assay::contract::bounded_queue> make_mailbox(
    assay::environment& env, const assay::contract::bounded_queue_config& config) {
  if (config.capacity <= 0) throw assay::contract::rejected_error("a mailbox needs a slot");
  return std::make_unique<mailbox_queue>(env.executor(), config.capacity);
}

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  suite.add<assay::contract::bounded_queue>("mailbox", {.features = {"reject_zero"}}, make_mailbox);
  suite.add<assay::contract::bounded_queue>("counting", {.features = assay::reference_queue_features()},
                                            make_counting);
  return suite.run(argc, argv);
}
