// The status of a run for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4.
#pragma once

#include <string>

#include "millrace/runner/ledger.h"
#include "millrace/runner/status.h"
#include "server/server.h"

namespace millrace::server {

/// The value of the Content-Type header.
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// The most samples of one metric; further ones are left out and counted in millrace_metrics_samples_dropped.
inline constexpr std::size_t kSamplesMax = 10'000;

/// All metrics of the status, and of a ledger unless it is null; docs/guide/operations.md lists them.
std::string MetricsText(const ServerStatus& status, const Ledger* ledger = nullptr);

}  // namespace millrace::server
