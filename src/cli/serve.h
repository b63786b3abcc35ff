// The Pub/Sub face of a data directory's log: as a verb of its own, and beside a run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "millrace/core/options.h"
#include "millrace/core/status.h"
#include "pubsub/server.h"
#include "server/server.h"

namespace millrace::cli {

struct Invocation;

/// Where the Pub/Sub API is served.
struct PubsubOptions {
  std::optional<std::int32_t> pubsub_port;
  std::string pubsub_host = "127.0.0.1";

  static constexpr OptionHelp kOptionHelp[] = {
      {"pubsub_port",
       "serve, run: the port of the Pub/Sub API; 0 picks one. serve takes 8085 if nothing is said, run opens none"},
      {"pubsub_host",
       "serve, run: the numeric address of the Pub/Sub API; what is not this machine's own needs --insecure, since the "
       "API asks for no token"},
  };
};

/// What serves, and what HTTP publishes through; the second must end before the first.
struct PubsubFace {
  std::unique_ptr<pubsub::PubsubServer> server = {};
  std::shared_ptr<server::PublishService> publish = {};
};

/// Starts the Pub/Sub API if a port was asked for, or `port_default` has one; says on the standard error where it is.
StatusOr<PubsubFace> StartPubsub(const Invocation& invocation, std::optional<std::int32_t> port_default);

}  // namespace millrace::cli
