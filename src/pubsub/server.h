// The Pub/Sub server: google.pubsub.v1 over gRPC on a data directory's log. Guide: docs/guide/pubsub.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

struct PubsubServerOptions {
  BrokerOptions broker = {};
  std::string host = "127.0.0.1";
  int port = 0;          // 0: any that is free
  int threads_max = 96;  // of calls; further ones get RESOURCE_EXHAUSTED
  // PEM files: the port then speaks TLS, and nothing else. Both or neither.
  std::string tls_cert = {};  // with its chain
  std::string tls_key = {};
};

/// The content of DIR/pubsub.json. A process that was killed leaves it behind.
struct PubsubFile {
  std::int64_t pid = 0;
  std::string host = {};
  std::int64_t port = 0;
  Timestamp started_at = {};
  bool tls = false;
};

/// Serves from `Start` to the destructor.
class PubsubServer {
 public:
  /// UNAVAILABLE when it cannot listen, FAILED_PRECONDITION when another server has the data directory; an error of the
  /// TLS files names the file.
  static StatusOr<std::unique_ptr<PubsubServer>> Start(PubsubServerOptions options);
  /// Ends all calls, writes what is not written, and gives the topics back.
  ~PubsubServer();
  PubsubServer(const PubsubServer&) = delete;
  PubsubServer& operator=(const PubsubServer&) = delete;

  int port() const;
  /// "127.0.0.1:8085", for PUBSUB_EMULATOR_HOST.
  const std::string& address() const;
  Broker& broker();

  /// Opaque.
  struct Impl;

 private:
  explicit PubsubServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// DIR/pubsub.json.
std::string PubsubFileOf(const std::string& data_dir);

}  // namespace millrace::pubsub
