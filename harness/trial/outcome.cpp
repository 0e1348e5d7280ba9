#include <assay/harness/trial/outcome.hpp>

#include <assay/harness/trial/operation.hpp>

namespace assay {

std::string_view to_string(outcome_kind kind) noexcept {
  switch (kind) {
    case outcome_kind::pending:
      return "pending";
    case outcome_kind::value:
      return "value";
    case outcome_kind::error:
      return "error";
    case outcome_kind::cancelled:
      return "cancelled";
    case outcome_kind::closed:
      return "closed";
    case outcome_kind::timed_out:
      return "timed_out";
    case outcome_kind::rejected:
      return "rejected";
    case outcome_kind::broken:
      return "broken";
    case outcome_kind::aggregate:
      return "aggregate";
  }
  return "unknown";
}

namespace {

outcome of_kind(outcome_kind kind, std::string label = {}) {
  outcome result;
  result.kind = kind;
  result.label = std::move(label);
  return result;
}

outcome describe_aggregate(const contract::aggregate_error& failure) {
  outcome result = of_kind(outcome_kind::aggregate);
  for (const auto& one : failure.members()) result.members.push_back({one.task, describe(one.failure)});
  return result;
}

}  // namespace

outcome describe(const std::exception_ptr& failure) {
  if (!failure) return of_kind(outcome_kind::value);
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) return of_kind(outcome_kind::cancelled);
    return of_kind(outcome_kind::error, error.code().message());
  } catch (const contract::operation_error& error) {
    return of_kind(outcome_kind::error, error.label());
  } catch (const contract::closed_error&) {
    return of_kind(outcome_kind::closed);
  } catch (const contract::timed_out_error&) {
    return of_kind(outcome_kind::timed_out);
  } catch (const contract::rejected_error& error) {
    return of_kind(outcome_kind::rejected, error.what());
  } catch (const contract::broken_error& error) {
    return of_kind(outcome_kind::broken, error.what());
  } catch (const contract::aggregate_error& error) {
    return describe_aggregate(error);
  } catch (const std::exception& error) {
    return of_kind(outcome_kind::error, error.what());
  } catch (const scenario_stopped&) {
    return of_kind(outcome_kind::error, "it went no further");
  } catch (...) {
    return of_kind(outcome_kind::error, "an exception that is no std::exception");
  }
}

std::string to_string(const outcome& what) {
  std::string text(to_string(what.kind));
  if (what.kind == outcome_kind::aggregate) {
    text += " {";
    for (std::size_t i = 0; i < what.members.size(); ++i) {
      if (i > 0) text += ", ";
      text += what.members[i].task + ": " + to_string(what.members[i].what);
    }
    return text + "}";
  }
  if (!what.label.empty()) text += " '" + what.label + "'";
  return text;
}

std::vector<std::string> labels_of(const outcome& what) {
  std::vector<std::string> labels;
  if (what.kind == outcome_kind::error) labels.push_back(what.label);
  for (const outcome::member& one : what.members) {
    for (std::string& label : labels_of(one.what)) labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace assay
