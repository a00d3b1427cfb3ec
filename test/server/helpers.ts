// SPDX-License-Identifier: Apache-2.0
// Starts the real server as a child process on free ports, and talks to it over real sockets.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { root } from '../helpers.js';

t.setTimeout(300_000); // a busy machine may take long to start so many servers

export const mainFile = join(root, 'dist', 'server', 'main.js');
export const iris = join(root, 'models', 'iris');
export const digits = join(root, 'models', 'digits');

export interface RunningServer {
  readonly inference: string;
  readonly management: string;
  readonly metrics: string;
  readonly pid: number;
  /** Log lines so far. */
  readonly log: readonly Record<string, unknown>[];
  /** Everything on standard output so far. */
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Exit code, or 128 + the signal's number. */
  readonly exited: Promise<number>;
  /** Asks it to end and waits for that; harmless when it has ended. */
  readonly stop: () => Promise<number>;
}

export interface ServerOptions {
  readonly models?: readonly string[];
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags that say where it listens; free ports unless given. */
  readonly ports?: readonly string[];
}

const freePorts = ['--port', '0', '--management-port', '0', '--metrics-port', '0'];

/**
 * Node as users run it: the test runner gives each child process hooks of its own, which make it start slowly and keep
 * what would be freed. They come in this variable whatever the environment says.
 */
function spawnNode(args: readonly string[], env: ServerOptions['env']) {
  return spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function spawnServer({
  models = [],
  args = [],
  nodeArgs = [],
  env = {},
  ports = freePorts,
}: ServerOptions): ChildProcess {
  const command = [...nodeArgs, mainFile, 'serve', ...models, ...ports, ...args];
  return spawnNode(command, env);
}

/** Log lines as they come; what is no JSON is kept as `text`. */
function collectLog(child: ChildProcess): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  if (child.stderr === null) return lines;
  createInterface({ input: child.stderr }).on('line', line => {
    lines.push(line.startsWith('{') ? JSON.parse(line) : { text: line });
  });
  return lines;
}

async function exitCodeOf(child: ChildProcess): Promise<number> {
  const [code, signal] = await once(child, 'close');
  return code ?? 128 + constants.signals[signal as NodeJS.Signals];
}

/** @throws  an Error with the log when the server ends before it listens. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const child = spawnServer(options);
  const log = collectLog(child);
  let output = '';
  const exited = exitCodeOf(child);
  const listening = new Promise<Record<string, string>>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      output += text.toString();
      const line = /^\{.*\}$/m.exec(output)?.[0]; // Node may be told to print lines of its own
      if (line !== undefined) resolve(JSON.parse(line));
    });
    exited.then(code => reject(new Error(`ended with ${code}: ${JSON.stringify(log)}`)));
  });
  const { inference = '', management = '', metrics = '' } = await listening;
  const kill = (signal: NodeJS.Signals) => {
    child.kill(signal);
  };
  const stop = () => {
    if (child.exitCode === null) kill('SIGTERM');
    return exited;
  };
  const { pid = 0 } = child;
  return { inference, management, metrics, pid, log, output: () => output, kill, exited, stop };
}

export interface Ended {
  readonly code: number;
  readonly log: readonly Record<string, unknown>[];
  readonly output: string;
}

/** Runs a command line that is expected to end by itself. */
export async function runCommand(
  args: readonly string[],
  env: ServerOptions['env'] = {},
): Promise<Ended> {
  const child = spawnNode([mainFile, ...args], env);
  const log = collectLog(child);
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
  });
  return { code: await exitCodeOf(child), log, output };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | FormBody;
}

/** One request on a connection of its own. */
export async function call(url: string, options: CallOptions = {}): Promise<Reply> {
  const { body = '' } = options;
  const form = typeof body === 'object' && 'boundary' in body ? body : undefined;
  const bytes = form?.bytes ?? (body as string | Buffer);
  const headers = form ? { 'content-type': `multipart/form-data; boundary=${form.boundary}` } : {};
  const method = options.method ?? (bytes.length > 0 ? 'POST' : 'GET');
  const [, hostname = '', port = '', path = '/'] = /^http:\/\/([^/]+):(\d+)(.*)$/s.exec(url) ?? [];
  const outgoing = request({
    hostname,
    port,
    path, // as it is: a URL object would resolve `..`
    method,
    agent: false,
    headers: {
      connection: 'keep-alive',
      ...headers,
      'content-length': Buffer.byteLength(bytes),
      ...options.headers,
    },
  });
  outgoing.on('error', () => {}); // the answer may come before the whole body is sent
  outgoing.end(bytes);
  const [response] = await Promise.race([
    once(outgoing, 'response'),
    once(outgoing, 'close').then(() => Promise.reject(new Error(`${method} ${url}: no answer`))),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  outgoing.destroy();
  const received = Buffer.concat(chunks);
  const { statusCode: status, headers: receivedHeaders } = response;
  return { status, headers: receivedHeaders, body: received, text: received.toString() };
}

export function postJson(url: string, body: unknown): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
}

export interface FormBody {
  readonly boundary: string;
  readonly bytes: Buffer;
}

/** A form with one file. */
export function formOf(name: string, file: Buffer, type = 'application/octet-stream'): FormBody {
  const boundary = 'boundary-of-this-form';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\nContent-Type: ${type}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { boundary, bytes };
}

/** Opens a plain connection to the listener of a URL. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes as they are and returns all that comes until the server closes the connection. */
export async function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(url);
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** A copy of a model directory with other settings; `remove` deletes it. */
export async function copyModel(from: string, settings: Readonly<Record<string, unknown>>) {
  const folder = await mkdtemp(join(tmpdir(), 'inference-native-'));
  await cp(from, folder, { recursive: true });
  const manifest = join(folder, 'model.json');
  const given = JSON.parse(await readFile(manifest, 'utf8').catch(() => '{}'));
  await writeFile(manifest, JSON.stringify({ ...given, ...settings }));
  return { folder, remove: () => rm(folder, { recursive: true }) };
}

/** One sample of the metrics, by name and labels as they are written. */
export async function metric(server: RunningServer, sample: string): Promise<number> {
  const { text } = await call(`${server.metrics}/metrics`);
  const line = text.split('\n').find(entry => entry.startsWith(`${sample} `));
  return line === undefined ? 0 : Number(line.slice(sample.length + 1));
}
