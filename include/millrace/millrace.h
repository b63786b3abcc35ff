// The SDK in one include: pipelines and transforms, without connectors.
#pragma once

#include "millrace/core/dofn.h"                   // IWYU pragma: export
#include "millrace/core/json.h"                   // IWYU pragma: export
#include "millrace/core/metrics.h"                // IWYU pragma: export
#include "millrace/core/pipeline.h"               // IWYU pragma: export
#include "millrace/core/source.h"                 // IWYU pragma: export
#include "millrace/transforms/combine.h"          // IWYU pragma: export
#include "millrace/transforms/create.h"           // IWYU pragma: export
#include "millrace/transforms/dead_letters.h"     // IWYU pragma: export
#include "millrace/transforms/deduplicate.h"      // IWYU pragma: export
#include "millrace/transforms/flatten.h"          // IWYU pragma: export
#include "millrace/transforms/group_by_key.h"     // IWYU pragma: export
#include "millrace/transforms/map.h"              // IWYU pragma: export
#include "millrace/transforms/par_do.h"           // IWYU pragma: export
#include "millrace/transforms/read.h"             // IWYU pragma: export
#include "millrace/transforms/reshuffle.h"        // IWYU pragma: export
#include "millrace/transforms/view.h"             // IWYU pragma: export
#include "millrace/transforms/window_into.h"      // IWYU pragma: export
#include "millrace/transforms/with_timestamps.h"  // IWYU pragma: export
