// google.pubsub.v1.SchemaService: says that there is none.
#pragma once

#include <google/pubsub/v1/schema.grpc.pb.h>

namespace millrace::pubsub {

/// Every method answers UNIMPLEMENTED with the reason.
class NoSchemaService final : public google::pubsub::v1::SchemaService::Service {
  template <class Request, class Response>
  static grpc::Status Refuse(const Request*, Response*) {
    return {grpc::StatusCode::UNIMPLEMENTED,
            "schemas: messages are bytes; a pipeline parses them and keeps what is wrong as dead letters"};
  }

 public:
  using Context = grpc::ServerContext;
  using Schema = google::pubsub::v1::Schema;

  grpc::Status CreateSchema(Context*, const google::pubsub::v1::CreateSchemaRequest* request, Schema* schema) override {
    return Refuse(request, schema);
  }
  grpc::Status GetSchema(Context*, const google::pubsub::v1::GetSchemaRequest* request, Schema* schema) override {
    return Refuse(request, schema);
  }
  grpc::Status ListSchemas(Context*, const google::pubsub::v1::ListSchemasRequest* request,
                           google::pubsub::v1::ListSchemasResponse* response) override {
    return Refuse(request, response);
  }
  grpc::Status ListSchemaRevisions(Context*, const google::pubsub::v1::ListSchemaRevisionsRequest* request,
                                   google::pubsub::v1::ListSchemaRevisionsResponse* response) override {
    return Refuse(request, response);
  }
  grpc::Status CommitSchema(Context*, const google::pubsub::v1::CommitSchemaRequest* request, Schema* schema) override {
    return Refuse(request, schema);
  }
  grpc::Status RollbackSchema(Context*, const google::pubsub::v1::RollbackSchemaRequest* request,
                              Schema* schema) override {
    return Refuse(request, schema);
  }
  grpc::Status DeleteSchemaRevision(Context*, const google::pubsub::v1::DeleteSchemaRevisionRequest* request,
                                    Schema* schema) override {
    return Refuse(request, schema);
  }
  grpc::Status DeleteSchema(Context*, const google::pubsub::v1::DeleteSchemaRequest* request,
                            google::protobuf::Empty* response) override {
    return Refuse(request, response);
  }
  grpc::Status ValidateSchema(Context*, const google::pubsub::v1::ValidateSchemaRequest* request,
                              google::pubsub::v1::ValidateSchemaResponse* response) override {
    return Refuse(request, response);
  }
  grpc::Status ValidateMessage(Context*, const google::pubsub::v1::ValidateMessageRequest* request,
                               google::pubsub::v1::ValidateMessageResponse* response) override {
    return Refuse(request, response);
  }
};

}  // namespace millrace::pubsub
