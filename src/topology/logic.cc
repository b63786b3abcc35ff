#include "millrace/topology/logic.h"

#include "millrace/io/archive.h"
#include "millrace/transforms/map.h"

namespace millrace::detail {

PCollection<LogRecord> ReadTopic(Pipeline& pipeline, const topology::TopicOptions& topic,
                                 const PipelineOptions& options) {
  return pipeline | "Log" >> archive::Read({.folder = options.data_dir + "/archive",
                                            .log_folder = options.data_dir + "/log",
                                            .topic = options.topic,
                                            .max_disorder = topic.max_disorder,
                                            .to = options.read_cut,
                                            .from_time = options.read_from,
                                            .to_time = options.read_to,
                                            .idle_after = topic.idle_after});
}

}  // namespace millrace::detail
