// SPDX-License-Identifier: Apache-2.0
// An HTTP thread beside the main one: the same models and predictions, on an event loop of its own.
import { parentPort, workerData } from 'node:worker_threads';
import { createResponder } from './app.js';
import { createDecoding } from './decode/index.js';
import { createHttp } from './http.js';
import { createLog, logHeld, surviveSurprises } from './log.js';
import { readThread, startLoopMonitor } from './metrics.js';
import { createPeer, type Peer, type Port } from './peer.js';
import { defaultErrors, protocols } from './protocol/index.js';
import type { Registry } from './registry/index.js';
import type { Handler, Protocol, Route, ServerContext } from './route.js';
import { createShelf } from './shelf.js';
import type { MainOffers, ThreadOffers, ThreadTask } from './threads.js';
import { createThrottle, sameFailureMs } from './throttle.js';

async function run(port: Port, { thread, config, ended }: ThreadTask): Promise<void> {
  const http = await createHttp({ ...config, errors: defaultErrors });
  const shelf = createShelf();
  const loop = startLoopMonitor();
  const decoding = createDecoding(config);
  let isReady = false;
  const stats = () => readThread({ http, loop, decoding, variants: shelf.variants });
  const offers: ThreadOffers = {
    load: async order => {
      await shelf.load(order);
    },
    publish: ({ name, entry }) => shelf.publish(name, entry),
    quiet: ({ id, limitMs }) => shelf.quiet(id, limitMs),
    unload: shelf.unload,
    uses: shelf.uses,
    setReady: is => {
      isReady = is;
    },
    start: async ({ mount, tls }) => {
      const own = protocols.map(protocol => onlyPredictions(protocol, main));
      const options = { protocols: own, context, errors: defaultErrors };
      return http.adopt({ respond: createResponder(options, mount), tls });
    },
    stats,
    drain: async ({ graceMs, limitMs }) => {
      const { inFlight, connections } = http.stats();
      log.info({ event: 'drain_started', inFlight, connections });
      const cut = await http.drain(graceMs, limitMs);
      logHeld(log, 'request_failed', context.failures);
      return cut;
    },
    close: shelf.close,
    end: () => process.exit(0),
  };
  const main = createPeer<MainOffers>(port, offers);
  const log = createLog(config.logLevel, line => main.tell('log', line)).child({ thread });
  const context: ServerContext = {
    config,
    log,
    failures: createThrottle(sameFailureMs),
    find: shelf.find,
    await: (name, version) =>
      shelf.await(() => main.ask('demand', { name, version }), name, version),
    trafficOf: shelf.trafficOf,
    startupModel: shelf.startupModel,
    targetOf: shelf.targetOf,
    variants: shelf.variants,
    registry: absent,
    decode: decoding.decode,
    isReady: () => isReady && !http.isDraining(),
    isDraining: http.isDraining,
    threads: async () => [stats()], // never asked: the metrics come from the main thread
  };
  surviveSurprises(log);
  process.once('exit', () => {
    http.close(); // Node aborts when a thread ends with connections open
    Atomics.store(ended, 0, 1);
    Atomics.notify(ended, 0);
  });
}

/** Never asked: see onlyPredictions(). */
const absent = new Proxy({} as Registry, {
  get: (_, key) => {
    throw new Error(`registry.${String(key)}: asked beside the main thread`);
  },
});

function isOwn({ listener, onMain = false }: Route): boolean {
  return listener === 'inference' && !onMain;
}

/** What is about the whole server, where it shares the port of predictions, is answered by the main thread. */
function onlyPredictions(protocol: Protocol, main: Peer<MainOffers>): Protocol {
  const askMain: Handler = async ({ signal: _, releaseBody: __, ...request }) => {
    const reply = await main.ask('respond', request);
    const { body } = reply;
    return typeof body === 'string' ? reply : { ...reply, body: Buffer.from(body) };
  };
  const routes: Protocol['routes'] = (server, listeners) =>
    protocol
      .routes(server, listeners)
      .map(route => (isOwn(route) ? route : { ...route, handle: askMain }));
  return { ...protocol, routes };
}

if (parentPort === null) throw new Error('thread.js: runs as a worker thread of the server only');
await run(parentPort, workerData as ThreadTask);
