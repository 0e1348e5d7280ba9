// Tells the end of an object from the end of everything: a subject that is destroyed while somebody waits in it is
// misused, unless its execution context is being destroyed with all that waits there.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <memory>

namespace assay {

/// Knows whether the execution context behind an executor is being destroyed. It may outlive the context.
class context_watch {
 public:
  explicit context_watch(const boost::asio::any_io_executor& executor) : life_(life_of(executor)) {}

  bool ending() const noexcept { return life_.expired(); }

 private:
  // A context shuts its services down before it drops the handlers, and the frames that they would have resumed.
  class life final : public boost::asio::execution_context::service {
   public:
    using key_type = life;
    inline static boost::asio::execution_context::id id;
    explicit life(boost::asio::execution_context& context) : service(context) {}
    std::weak_ptr<const void> watched() const noexcept { return alive_; }

   private:
    void shutdown() override { alive_.reset(); }
    std::shared_ptr<const void> alive_ = std::make_shared<char>();
  };

  static std::weak_ptr<const void> life_of(const boost::asio::any_io_executor& executor) {
    auto& context = boost::asio::query(executor, boost::asio::execution::context);
    return boost::asio::use_service<life>(context).watched();
  }

  std::weak_ptr<const void> life_;
};

}  // namespace assay
