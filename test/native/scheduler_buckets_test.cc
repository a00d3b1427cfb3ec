// SPDX-License-Identifier: Apache-2.0
// Models of compiled batch sizes through a whole scheduler: what runs, what is answered, what
// loads.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/rig.h"
#include "test/native/test_engine.h"

namespace {

using infer::ErrorCode;
using infer::kFreeAxis;
using test::Rig;
using Rows = std::vector<std::int64_t>;

infer::LoadSpec bucketed(const Rig& rig, Rows buckets) {
  auto spec = rig.spec();
  spec.limits.maxBatch = 0;
  spec.limits.buckets = std::move(buckets);
  return spec;
}

Rows rowsOfRuns(const Rig& rig) {
  Rows rows;
  for (const test::RunSeen& run : rig.stage->runs()) {
    rows.push_back(run.rows);
  }
  return rows;
}

// A model whose file says how many rows a run has.
void fixRows(Rig& rig, std::int64_t rows) {
  for (auto* side : {&rig.stage->signature.inputs, &rig.stage->signature.outputs}) {
    for (infer::TensorSpec& spec : *side) {
      spec.shape[0] = rows;
      spec.batchAxis.reset();
    }
  }
}

const check::Add kPadded("runs have the sizes of buckets, answers the rows that were asked", [] {
  Rig rig;
  const auto model = rig.load(bucketed(rig, {2, 4, 8}));
  check::equal(model->queue.limits().maxBatch, 8, "maxBatch");
  rig.stage->holdRuns(true);
  rig.submit(model, {{.id = 1, .content = {.rows = 1, .value = 1}}});
  rig.stage->waitForRuns(1);
  rig.submit(model, {{.id = 2, .content = {.rows = 2, .value = 2}},
                     {.id = 3, .content = {.rows = 1, .value = 3}},
                     {.id = 4, .content = {.rows = 20, .value = 4}}});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(4);
  check::equal(rowsOfRuns(rig), Rows{2, 8, 8, 8}, "2 of 1, 8 of 3 and 5, 8, 8 of 7");
  check::equal(rig.wrongAnswers(1, 4), "", "all answers right");
  check::equal(rig.inbox->answer(4).value().front().shape[0], 20, "rows of the last answer");
  check::equal(model->metrics.rowCount(), std::uint64_t{24}, "counted rows");
  check::equal(model->metrics.paddedRowCount(), std::uint64_t{2}, "counted rows of padding");
});

const check::Add kFixed("a model of fixed rows is one bucket", [] {
  Rig rig;
  fixRows(rig, 4);
  const auto model = rig.load(bucketed(rig, {4}));
  check::equal(model->signature.inputs.front().shape[0], kFreeAxis,
               "rows that callers may ask for");
  rig.submit(model, {{.id = 1, .content = {.rows = 1, .value = 1}}});
  rig.submit(model, {{.id = 2, .content = {.rows = 11, .value = 2}}});
  rig.inbox->waitFor(2);
  check::equal(rig.wrongAnswers(1, 2), "", "all answers right");
  for (const std::int64_t rows : rowsOfRuns(rig)) {
    check::equal(rows, 4, "rows of a run");
  }
});

const check::Add kPoison("halves of a batch that failed are padded as well", [] {
  Rig rig;
  const auto model = rig.load(bucketed(rig, {4}));
  rig.stage->holdRuns(true);
  rig.submit(model, {{.id = 1, .content = {.rows = 4, .value = 1}}});
  rig.stage->waitForRuns(1);
  rig.submit(model, {{.id = 2, .content = {.value = 2}},
                     {.id = 3, .content = {.value = -1}},
                     {.id = 4, .content = {.value = 4}}});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(4);
  check::equal(rig.wrongAnswers(1, 2), "", "answers before the bad one right");
  check::equal(rig.wrongAnswers(4, 4), "", "answers behind the bad one right");
  check::failed(rig.inbox->answer(3), ErrorCode::kEngineFailed, "negative row");
  for (const std::int64_t rows : rowsOfRuns(rig)) {
    check::equal(rows, 4, "rows of a run");
  }
});

const check::Add kWarm("a warm-up runs every bucket", [] {
  Rig rig;
  auto spec = bucketed(rig, {1, 4, 8});
  spec.warmup = true;
  const auto model = rig.load(spec);
  check::equal(rowsOfRuns(rig), Rows{1, 4, 8}, "the runs");
});

const check::Add kShared("models of other buckets are other models", [] {
  Rig rig;
  const auto one = rig.load(bucketed(rig, {1, 4}));
  const auto other = rig.load(bucketed(rig, {2, 4}));
  const auto same = rig.load(bucketed(rig, {1, 4}));
  check::equal(rig.stage->loads(), std::size_t{2}, "loads");
});

struct RefusedCase {
  const char* name;
  void (*change)(infer::LoadSpec&, Rig&);
  const char* message;
};

const std::vector<RefusedCase> kRefused = {
    {"buckets that do not ascend are refused",
     [](infer::LoadSpec& spec, Rig&) { spec.limits.buckets = {4, 2}; },
     "batching.buckets: expected sizes in ascending order, got [4, 2]"},
    {"a bucket given twice is refused",
     [](infer::LoadSpec& spec, Rig&) { spec.limits.buckets = {2, 2}; },
     "batching.buckets: expected sizes in ascending order, got [2, 2]"},
    {"a maxBatch that is not the largest bucket is refused",
     [](infer::LoadSpec& spec, Rig&) { spec.limits.maxBatch = 6; },
     "batching.buckets: expected the largest to be batching.maxBatch, 6, got 8"},
    {"several buckets for a model of fixed rows are refused",
     [](infer::LoadSpec&, Rig& rig) { fixRows(rig, 4); },
     "batching.buckets: expected [4] for a model whose input \"x\" has the shape [4, ?], got [4, "
     "8]"},
    {"an output without rows is refused",
     [](infer::LoadSpec&, Rig& rig) {
       rig.stage->signature.outputs.front().shape.clear();
       rig.stage->signature.outputs.front().batchAxis.reset();
     },
     "batching.buckets: expected none for a model whose output \"y\" has the shape []"},
};

const check::AddEach kRefusals(kRefused, [](const RefusedCase& row) {
  Rig rig;
  auto spec = bucketed(rig, {4, 8});
  row.change(spec, rig);
  check::failed(rig.tryLoad(spec), ErrorCode::kBadInput, row.message);
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

}  // namespace
