// The verb `serve`: the event log over the Pub/Sub API, until a signal comes.
#include "cli/serve.h"

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "pubsub/publish_json.h"

namespace millrace::cli {

namespace {

constexpr std::int32_t kPubsubPortDefault = 8085;  // that of Google's emulator
constexpr std::int32_t kPortMax = 65'535;
constexpr auto kStopPoll = std::chrono::milliseconds(20);

class BrokerPublish final : public server::PublishService {
 public:
  explicit BrokerPublish(pubsub::Broker& broker) : broker_(broker) {}
  StatusOr<std::string> PublishJson(const std::string& topic, const std::string& body) override {
    return pubsub::PublishJson(broker_, topic, body);
  }

 private:
  pubsub::Broker& broker_;
};

Status CheckPubsubOptions(const Invocation& invocation) {
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say where the log is: " + invocation.program + " " + invocation.verb + " --data_dir=DIR");
  }
  MILLRACE_RETURN_IF_ERROR(CheckLogOptions(invocation.log));
  const std::int32_t port = invocation.pubsub.pubsub_port.value_or(0);
  if (port < 0 || port > kPortMax) return UsageError("--pubsub_port is a number from 0 to 65535");
  const std::string& host = invocation.pubsub.pubsub_host;
  const std::string with_port = host.find(':') == std::string::npos ? host + ":0" : "[" + host + "]:0";
  const StatusOr<std::optional<server::ListenAddress>> address = server::ParseListenAddress(with_port);
  if (!address.ok() || !*address) return UsageError("--pubsub_host=" + host + " is no numeric address");
  const server::ServeOptions& serve = invocation.serve;
  if (serve.tls_cert.empty() != serve.tls_key.empty()) return UsageError("--tls_cert and --tls_key go together");
  if (!(*address)->is_loopback && !serve.insecure) {
    return UsageError("--pubsub_host=" + host + ": the Pub/Sub API asks for no token" +
                      (serve.tls_cert.empty() ? " and has no TLS without --tls_cert" : std::string()) +
                      "; say --insecure to let everybody who reaches that address publish and pull");
  }
  return OkStatus();
}

}  // namespace

StatusOr<PubsubFace> StartPubsub(const Invocation& invocation, std::optional<std::int32_t> port_default) {
  const std::optional<std::int32_t> port = invocation.pubsub.pubsub_port ? invocation.pubsub.pubsub_port : port_default;
  PubsubFace face;
  if (!port) return face;
  MILLRACE_RETURN_IF_ERROR(CheckPubsubOptions(invocation));
  pubsub::PubsubServerOptions options;
  options.broker.data_dir = invocation.pipeline.data_dir;
  options.broker.partitions = invocation.log.partitions.value_or(log::kPartitionsDefault);
  options.broker.sync = SyncPolicyOf(invocation.log);
  options.broker.holder = "`" + invocation.program + " " + invocation.verb + "`";
  options.host = invocation.pubsub.pubsub_host == "localhost" ? "127.0.0.1" : invocation.pubsub.pubsub_host;
  options.port = *port;
  options.tls_cert = invocation.serve.tls_cert;
  options.tls_key = invocation.serve.tls_key;
  MILLRACE_ASSIGN_OR_RETURN(face.server, pubsub::PubsubServer::Start(options));
  face.publish = std::make_shared<BrokerPublish>(face.server->broker());
  std::cerr << invocation.program << ": Pub/Sub at " << face.server->address();
  if (options.tls_cert.empty()) {
    std::cerr << "; clients take it by PUBSUB_EMULATOR_HOST=" << face.server->address() << "\n";
  } else {
    std::cerr << " with TLS\n";
  }
  return face;
}

StatusOr<int> ServeVerb(const Invocation& invocation) {
  if (!invocation.arguments.empty()) return UsageError("serve takes no arguments: " + invocation.arguments[0]);
  const StopSignals signals;
  MILLRACE_ASSIGN_OR_RETURN(const PubsubFace face, StartPubsub(invocation, kPubsubPortDefault));
  server::ServerOptions http{
      .serve = invocation.serve, .program = invocation.program, .version = std::string(kVersion)};
  http.why_no_data = "this process runs no pipeline";
  http.publish = face.publish;
  StatusOr<std::unique_ptr<server::Server>> started = server::Server::Start(http);
  if (!started.ok() && started.status().code() == StatusCode::kInvalidArgument) {
    return UsageError(started.status().message());
  }
  MILLRACE_RETURN_IF_ERROR(started.status());
  if (!(*started)->url().empty()) {
    std::cerr << invocation.program << ": HTTP at " << (*started)->url() << "/v1/projects/P/topics/T:publish\n";
  }
  while (!*signals.stop()) std::this_thread::sleep_for(kStopPoll);
  return 0;
}

}  // namespace millrace::cli
