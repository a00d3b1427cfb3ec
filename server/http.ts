// SPDX-License-Identifier: Apache-2.0
// Loads uWebSockets.js, listens, drains, shuts down; exchange.ts has what becomes of a request.
import { rmSync } from 'node:fs';
import { nameOf, removeStale, whyNotListening } from './address.js';
import { createBudget } from './body.js';
import { type CorsSettings, corsLines } from './cors.js';
import { createDrain } from './drain.js';
import { accept, createHeads, type Exchanges } from './exchange.js';
import type { Address, CutRequest, ErrorStyle, HttpServer, Listening, Serving } from './route.js';
import { createDurations } from './stages.js';
import type { TlsFiles } from './tls/index.js';
import type { Uws, UwsApp, UwsRequest, UwsResponse } from './uws.js';

export interface HttpOptions extends CorsSettings {
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxHeaderBytes: number;
  /** For what is refused before a handler sees it. */
  readonly errors: ErrorStyle;
}

/** What the functions of one server share; nothing outside this file sees it. */
interface State {
  readonly uws: Uws;
  readonly apps: UwsApp[];
  readonly sockets: object[];
  /** Paths of those that are Unix sockets. */
  readonly paths: string[];
  readonly exchanges: Exchanges;
  connections: number;
}

/** @throws  an Error with the remedy when uWebSockets.js has no binary for this Node. */
export async function createHttp(options: HttpOptions): Promise<HttpServer> {
  const budget = createBudget(options.maxBufferedBytes);
  const exchanges: Exchanges = {
    errors: options.errors,
    heads: createHeads(corsLines(options)),
    limits: { maxBytes: options.maxRequestBytes, budget },
    inFlight: [],
    ready: [],
    replies: new Map(),
    acceptTimes: createDurations(),
    writeTimes: createDurations(),
    draining: false,
    onChange: () => {},
  };
  const uws = await loadUws(options.maxHeaderBytes);
  const state: State = { uws, apps: [], sockets: [], paths: [], exchanges, connections: 0 };
  return {
    listen: (address, serving) => listen(state, address, serving),
    adopt: serving => createApp(state, serving).getDescriptor(),
    drain: (graceMs, limitMs) => drain(state, graceMs, limitMs),
    close: () => close(state),
    isDraining: () => exchanges.draining,
    stats: () => ({
      connections: state.connections,
      inFlight: exchanges.inFlight.length,
      bufferedBytes: budget.usedBytes(),
      replies: exchanges.replies,
      acceptSeconds: exchanges.acceptTimes.read(),
      writeSeconds: exchanges.writeTimes.read(),
    }),
  };
}

async function loadUws(maxHeaderBytes: number): Promise<Uws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(maxHeaderBytes); // read once, when the library is loaded
  try {
    // The repack is ESM, upstream's own package is CommonJS; both have the same names.
    const loaded = (await import('uWebSockets.js')) as unknown as Uws & { readonly default?: Uws };
    const uws = loaded.App === undefined && loaded.default ? loaded.default : loaded;
    uws._cfg('silent'); // no header that names the library
    return uws;
  } catch (cause) {
    const message =
      `uWebSockets.js: expected a binary for Node ${process.version} on ${process.platform} ${process.arch}, ` +
      'found none. It comes with those for Node 20 and 22; for another version install a release of ' +
      'uNetworking/uWebSockets.js under the name uWebSockets.js beside this package.';
    throw new Error(message, { cause });
  }
}

async function listen(
  state: State,
  address: Address,
  { others = [], ...serving }: Listening,
): Promise<number> {
  const { uws } = state;
  const app = createApp(state, serving);
  const all = others.length === 0 ? [] : [app.getDescriptor(), ...others];
  for (const descriptor of all) app.addChildAppDescriptor(descriptor);
  const { scheme, host, port } = address;
  if (scheme === 'unix') await removeStale(host);
  const socket = await new Promise<object | false>(resolve => {
    if (scheme === 'unix') app.listen_unix(resolve, host);
    else app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (socket === false) {
    throw new Error(`cannot listen on ${nameOf(address)}: ${await whyNotListening(address)}`);
  }
  state.sockets.push(socket);
  if (scheme === 'unix') state.paths.push(host);
  return scheme === 'unix' ? 0 : uws.us_socket_local_port(socket);
}

/** Of TLS 1.2 those with forward secrecy and authenticated encryption; those of 1.3 are all of that kind. */
const ciphers = 'ECDHE+AESGCM:ECDHE+CHACHA20';

function newApp({ App, SSLApp }: Uws, tls: TlsFiles | undefined): UwsApp {
  if (tls === undefined) return App();
  return SSLApp({
    key_file_name: tls.keyFile,
    cert_file_name: tls.certificateFile,
    passphrase: tls.passphrase,
    ssl_ciphers: ciphers,
  });
}

function createApp(state: State, { respond, tls }: Serving): UwsApp {
  const app = newApp(state.uws, tls);
  const { exchanges } = state;
  const take = (method: string | undefined) => (res: UwsResponse, req: UwsRequest) =>
    accept(exchanges, { res, req, respond, method: method ?? req.getCaseSensitiveMethod() });
  const count = (_: UwsResponse, change: number) => {
    state.connections += change;
    exchanges.onChange();
  };
  app.filter(count);
  app.get('/*', take('GET')); // saves the usual methods a crossing
  app.post('/*', take('POST'));
  app.any('/*', take(undefined));
  state.apps.push(app);
  return app;
}

/** Every connection is told to close by its next answer; those that never ask are closed at the end. */
async function drain(state: State, graceMs: number, limitMs: number): Promise<CutRequest[]> {
  const { exchanges } = state;
  stopListening(state);
  exchanges.draining = true;
  // A connection that a listener took just now comes to its thread with a turn of the event loop.
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  const work = () => ({ requests: exchanges.inFlight.length, connections: state.connections });
  const { done, look } = createDrain(work, { graceMs, limitMs });
  exchanges.onChange = look;
  await done;
  await new Promise(setImmediate); // out of any callback of the library, whose sockets are closed next
  const cut = exchanges.inFlight.map(({ request }) => {
    return { id: request.id, method: request.method, path: request.path };
  });
  close(state);
  return cut;
}

/** Paths first: once nobody listens another process may take one over, and its socket would be removed. */
function stopListening({ uws, sockets, paths }: State): void {
  try {
    for (const path of paths.splice(0)) rmSync(path, { force: true });
  } finally {
    for (const socket of sockets.splice(0)) uws.us_listen_socket_close(socket);
  }
}

function close(state: State): void {
  stopListening(state);
  for (const app of state.apps.splice(0)) app.close();
}
