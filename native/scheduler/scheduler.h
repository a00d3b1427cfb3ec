// SPDX-License-Identifier: Apache-2.0
// Scheduler: the queues of all loaded models and the lanes that pull from them; one per process.
// Threads: every function from any thread, unless it says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/loader.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"

namespace infer {

struct LoadSpec {
  // Called on a loader thread: opening an engine's library takes a while.
  std::function<Result<std::shared_ptr<Engine>>()> engine;
  Device device;
  ModelFile file;
  Limits limits;  // `batchable` is found from the signature; maxBatch 0 means the default
  std::vector<PadRule> padding;
  Placement placement;
  bool warmup = false;  // one run of zeros before the model is ready
  // Inputs that the caller declares narrower than the file; the warm-up keeps to them.
  std::map<std::string, Shape> declared;
};

class Scheduler;

// One caller's share of a loaded model. Whoever holds it keeps the scheduler alive; move-only.
class ModelHandle {
 public:
  ModelHandle() = default;
  ModelHandle(Scheduler& scheduler, std::shared_ptr<ServedModel> model);
  ModelHandle(ModelHandle&& other) noexcept = default;
  ModelHandle& operator=(ModelHandle&& other) noexcept;
  ~ModelHandle();

  // Gives the share back. After the last one the model is freed on a thread that no load keeps
  // waiting, and `freed` is called there; earlier ones call it at once. Does nothing but call it
  // when there is no share.
  void release(std::function<void()> freed);

  explicit operator bool() const { return model_ != nullptr; }
  ServedModel& operator*() const { return *model_; }
  ServedModel* operator->() const { return model_.get(); }
  // For a caller that may lose this handle while it uses the model. It is no share.
  std::shared_ptr<ServedModel> model() const { return model_; }

 private:
  Scheduler* scheduler_ = nullptr;
  std::shared_ptr<ServedModel> model_;
};

class Scheduler {
 public:
  // `allowed`: every core this process may use; `budget`: the default lanes among them.
  Scheduler(std::vector<int> allowed, CpuBudget budget, const Clock& clock,
            const ThreadRules& rules = {});
  // Stops runs in flight where the engine can and joins lanes and loads. What is queued is dropped:
  // the last JS environment is gone.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  using Loaded = std::function<void(Result<ModelHandle>)>;

  // Loads on a loader thread, or joins a load or a loaded model of the same file, device and
  // limits: then all callers share it. No file is looked at on the caller's thread. `done` is
  // called once, on a loader thread or, when none can be started, on the caller's.
  void load(const LoadSpec& spec, const Loaded& done);

  // Whether submit() may run a batch itself, on the caller's thread, where the model is so small
  // that handing over would cost more than the run.
  enum class Where : std::uint8_t { kLane, kHere };

  // Queues `requests` in order, with one lock and one wake-up. Those that are refused are answered
  // through their channel. With kHere their answers may be delivered before it returns.
  void submit(ServedModel& model, Requests requests, Where where = Where::kLane);

  // Answers those requests of `channel`, in any order, with `error` that wait or run; a run is
  // stopped when nobody waits for it any more. Others were answered already and are left alone. One
  // look at each request of the model, however many ids there are.
  void cancel(ServedModel& model, const std::shared_ptr<ReplyChannel>& channel,
              std::vector<std::uint64_t> ids, const Error& error);

  // Forgets every request of a channel: nothing is answered, and each counts as cancelled.
  static void abandon(ServedModel& model, const ReplyChannel* channel);

  using Scaled = std::function<void(Result<void>)>;

  // Places a loaded model anew, for all who share it. No request is lost: a lane that it leaves
  // ends its run, and what is queued is served by the others. `done` is called as for load().
  // Errors: kBadInput, kClosed when the last share was given back; the lanes are then as before.
  void scale(std::shared_ptr<ServedModel> model, const Placement& placement, const Scaled& done);

  const CpuBudget& budget() const { return lanes_.budget(); }

 private:
  friend class ModelHandle;
  void release(std::shared_ptr<ServedModel> model, std::function<void()> freed);

  struct Entry {
    std::shared_ptr<ServedModel> model;  // null while it loads
    std::size_t handles = 0;
    std::vector<Loaded> waiting;  // for the load to end
  };

  // What a load needs to know before it joins another or begins.
  struct Found {
    std::shared_ptr<Engine> engine;  // shared with the registry, which keeps it
    std::string key;                 // loads with equal ones share a model
  };

  // Of these, nothing is thrown. thread: loader.
  static Result<Found> find(const LoadSpec& spec);
  void join(const LoadSpec& spec, const Loaded& done);
  Result<std::shared_ptr<ServedModel>> loadSafely(const LoadSpec& spec, Engine& engine);

  bool runHere(ServedModel& model, TimeNs budget);
  Result<std::shared_ptr<ServedModel>> loadNow(const LoadSpec& spec, Engine& engine);
  void finishLoad(const std::string& key, Result<std::shared_ptr<ServedModel>> result);
  Result<void> scaleNow(const std::shared_ptr<ServedModel>& model, const Placement& placement);
  static void move(const std::shared_ptr<ServedModel>& model, const std::vector<Lane*>& to);

  const Clock& clock_;
  std::mutex placing_;  // held while the lanes of a loaded model change; before mutex_
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_; by what makes models the same
  LanePool lanes_;
  // Last: their jobs use everything above. Each is a pool of its own, so that nothing waits behind
  // what takes much longer.
  Loader bigLoads_;
  Loader smallLoads_;
  Loader desk_;   // one thread that looks loads up, in order: it may have to open an engine first
  Loader frees_;  // one thread, which also scales
};

}  // namespace infer
