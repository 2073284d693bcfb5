// The one exception that native code throws. The binding layer turns it into a coded JavaScript error.

#pragma once

#include <stdexcept>
#include <string>

namespace limen {

class OpError : public std::runtime_error {
 public:
  OpError(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;  // e.g. "UNSUPPORTED_DTYPE", "CUDA_ERROR"
};

}  // namespace limen
