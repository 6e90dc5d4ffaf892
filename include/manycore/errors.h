// Errors say whose fault they are: the caller's (UserError), the machine's (ResourceError) or ours (Bug).
// UserError carries the category that the Python layer turns into NumPy's exception class.
// All are thrown by value; messages read `operation: what is wrong, expected ..., got ...; try ...`.
#pragma once

#include <stdexcept>
#include <string>

#include "manycore/export.h"

namespace manycore {

class MANYCORE_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

enum class ErrorKind {
  kValue,
  kType,
  kIndex,
  kAxis,
  kCasting,
  kOverflow,
  kZeroDivision,
  kFloatingPoint,
  kNotImplemented,
  kLinearAlgebra
};

class MANYCORE_API UserError : public Error {
 public:
  UserError(ErrorKind kind, const std::string& message) : Error(message), kind_(kind) {}
  ~UserError() override;
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Memory, descriptors, threads: the message names the account and its limit.
class MANYCORE_API ResourceError : public Error {
 public:
  using Error::Error;
  ~ResourceError() override;
};

// The user asked to stop (Ctrl-C) while a loop ran; its results are gone, arrays that existed before are as they were.
class MANYCORE_API Interrupted : public Error {
 public:
  using Error::Error;
  ~Interrupted() override;
};

// The call that the loop belonged to was told to stop (manycore.cancel of its future); otherwise as Interrupted.
class MANYCORE_API Stopped : public Interrupted {
 public:
  using Interrupted::Interrupted;
  ~Stopped() override;
};

// A broken invariant of the engine. Never caught to go on; reported with the place.
class MANYCORE_API Bug : public Error {
 public:
  using Error::Error;
  ~Bug() override;
};

}  // namespace manycore
