#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "millrace/core/json.h"
#include "pubsub/grpc_publisher.h"
#include "pubsub/grpc_schema_service.h"
#include "pubsub/grpc_subscriber.h"
#include "pubsub/server.h"

namespace millrace::pubsub {

namespace {

constexpr int kReceiveBytesMax = 16 << 20;  // a Publish has 10 MB of messages, and their names
constexpr auto kShutdownMax = std::chrono::seconds(2);
constexpr int kPingIntervalMin_ms = 5'000;
constexpr std::uint64_t kPemBytesMax = 1 << 20;

// The files are read once, at the start, as the HTTP server does.
StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const PubsubServerOptions& options) {
  if (options.tls_cert.empty()) return grpc::InsecureServerCredentials();
  base::FileSystem& files = base::PosixFileSystem();
  MILLRACE_ASSIGN_OR_RETURN(std::string key, base::ReadFile(files, options.tls_key, kPemBytesMax));
  MILLRACE_ASSIGN_OR_RETURN(std::string chain, base::ReadFile(files, options.tls_cert, kPemBytesMax));
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({.private_key = std::move(key), .cert_chain = std::move(chain)});
  return grpc::SslServerCredentials(tls);
}

}  // namespace

struct PubsubServer::Impl {
  std::string data_dir;
  std::string address;
  int port = 0;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<PublisherService> publisher;
  std::unique_ptr<SubscriberService> subscriber;
  NoSchemaService schemas;
  std::unique_ptr<grpc::Server> server;

  Status Listen(const PubsubServerOptions& options);
};

Status PubsubServer::Impl::Listen(const PubsubServerOptions& options) {
  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + options.host + "]" : options.host;
  const std::string wanted = host + ":" + std::to_string(options.port);
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("millrace");
  quota.SetMaxThreads(options.threads_max);
  builder.SetResourceQuota(quota);
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, CredentialsOf(options));
  builder.AddListeningPort(wanted, credentials, &port);
  builder.SetMaxReceiveMessageSize(kReceiveBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two servers must not share a port unnoticed
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMin_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.RegisterService(publisher.get());
  builder.RegisterService(subscriber.get());
  builder.RegisterService(&schemas);
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    const std::string tls = options.tls_cert.empty() ? ""
                                                     : " Are " + options.tls_cert + " and " + options.tls_key +
                                                           " a certificate and its key in PEM?";
    return UnavailableError("cannot serve Pub/Sub at " + wanted +
                            "; is the port in use? Port 0 takes any that is free." + tls);
  }
  address = host + ":" + std::to_string(port);
  return OkStatus();
}

PubsubServer::PubsubServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<PubsubServer>> PubsubServer::Start(PubsubServerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->data_dir = options.broker.data_dir;
  base::FileSystem& files = base::PosixFileSystem();
  MILLRACE_ASSIGN_OR_RETURN(impl->broker, Broker::Open(files, options.broker));
  impl->publisher = std::make_unique<PublisherService>(*impl->broker);
  impl->subscriber = std::make_unique<SubscriberService>(*impl->broker);
  std::unique_ptr<PubsubServer> server(new PubsubServer(std::move(impl)));
  MILLRACE_RETURN_IF_ERROR(server->impl_->Listen(options));
  const PubsubFile file{.pid = ::getpid(),
                        .host = options.host,
                        .port = server->impl_->port,
                        .started_at = Timestamp::FromMillis(server->broker().clock().Now().millis()),
                        .tls = !options.tls_cert.empty()};
  MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(files, PubsubFileOf(server->impl_->data_dir), json::Write(file) + "\n"));
  return server;
}

PubsubServer::~PubsubServer() {
  if (impl_->server == nullptr) return;
  impl_->subscriber->Close();
  impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdownMax);
  impl_->server->Wait();
  impl_->server.reset();
  [[maybe_unused]] const Status removed = base::PosixFileSystem().Remove(PubsubFileOf(impl_->data_dir));
}

int PubsubServer::port() const { return impl_->port; }
const std::string& PubsubServer::address() const { return impl_->address; }
Broker& PubsubServer::broker() { return *impl_->broker; }

std::string PubsubFileOf(const std::string& data_dir) { return data_dir + "/pubsub.json"; }

}  // namespace millrace::pubsub
