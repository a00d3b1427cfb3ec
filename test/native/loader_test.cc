// SPDX-License-Identifier: Apache-2.0
// Jobs on loader threads: where they run, how many at once, what becomes of them at the end.
#include "native/scheduler/loader.h"

#include <atomic>
#include <barrier>
#include <fstream>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "native/base/error.h"
#include "test/native/check.h"
#include "test/native/threads.h"

namespace {

using infer::ErrorCode;
using infer::Loader;
using test::Threads;

void give(Loader& loader, Loader::Job job) {
  check::succeeded(loader.run(job), "taken");
}

const check::Add kThread("a job runs on a thread of the loader's own, which has a name", [] {
  Loader loader(1);
  std::promise<std::pair<std::thread::id, std::string>> ran;
  give(loader, [&ran] {
    std::string name;
    std::getline(std::ifstream("/proc/thread-self/comm"), name);
    ran.set_value({std::this_thread::get_id(), name});
  });
  const auto [thread, name] = ran.get_future().get();
  check::that(thread != std::this_thread::get_id(), "another thread");
  check::that(name.empty() || name == "infer-load", "infer-load, got " + name);
});

const check::Add kAtOnce("as many jobs run at once as there may be threads", [] {
  std::barrier together(3);
  Loader loader(3);
  std::latch done(3);
  for (int i = 0; i < 3; ++i) {
    give(loader, [&] {
      together.arrive_and_wait();  // none passes before all three run
      done.count_down();
    });
  }
  done.wait();
});

const check::Add kMost("no more jobs run at once than there may be threads", [] {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::latch done(200);
  Loader loader(2);
  for (int i = 0; i < 200; ++i) {
    give(loader, [&] {
      const int now = ++running;
      int seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      --running;
      done.count_down();
    });
  }
  done.wait();
  check::that(most <= 2, "at most two at once, got " + std::to_string(most));
});

const check::Add kFreed("what a job holds is freed on the loader's thread", [] {
  Loader loader(1);
  std::promise<std::thread::id> freed;
  give(loader, [last = std::shared_ptr<void>(
                    nullptr, [&freed](void*) { freed.set_value(std::this_thread::get_id()); })] {});
  check::that(freed.get_future().get() != std::this_thread::get_id(), "another thread");
});

const check::Add kEnd("the end waits for the job that runs and drops those that wait", [] {
  bool ended = false;  // read after the join
  bool ran = false;
  std::promise<void> started;
  std::promise<void> dropped;
  {
    Loader loader(1);
    give(loader, [&] {
      started.set_value();
      dropped.get_future().get();
      ended = true;
    });
    started.get_future().get();
    give(loader, [&ran, last = std::shared_ptr<void>(
                            nullptr, [&](void*) { dropped.set_value(); })] { ran = true; });
  }
  check::that(ended, "the running job to have ended");
  check::that(!ran, "the waiting job not to have run");
});

const check::Add kLateJob("a job that comes from a job during the end is dropped", [] {
  std::atomic<bool> ran{false};
  std::latch started(2);
  std::promise<void> dropped;
  const std::shared_future<void> ending = dropped.get_future().share();
  {
    Loader loader(2);
    for (int i = 0; i < 2; ++i) {
      give(loader, [&] {
        started.count_down();
        ending.wait();
        give(loader, [&ran] { ran = true; });
      });
    }
    started.wait();
    give(loader, [last = std::shared_ptr<void>(nullptr, [&](void*) { dropped.set_value(); })] {});
  }
  check::that(!ran, "no job that came after the end began");
});

const check::Add kNoThread("a job that no thread can take stays with the caller", [] {
  Threads threads(0);
  Loader loader(2, threads.starter());
  std::promise<void> ran;
  Loader::Job job = [&ran] { ran.set_value(); };
  check::failed(loader.run(job), ErrorCode::kInternal, "a loader thread cannot be started");
  check::that(static_cast<bool>(job), "the job to be left");
  threads.allow(1);
  check::succeeded(loader.run(job), "taken when there is a thread again");
  ran.get_future().get();
});

const check::Add kFewThreads("jobs wait for the threads there are when no more can be started", [] {
  Threads threads(1);
  Loader loader(2, threads.starter());
  std::promise<void> go;
  std::latch done(2);
  give(loader, [&] {
    go.get_future().get();
    done.count_down();
  });
  give(loader, [&] { done.count_down(); });
  go.set_value();
  done.wait();
});

}  // namespace
