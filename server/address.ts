// SPDX-License-Identifier: Apache-2.0
// Which API listens where, and why an address cannot be listened on.
import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { BlockList, connect, createServer, isIP } from 'node:net';
import type { Config } from './config.js';
import { bad } from './layers.js';
import type { Address, ListenerName } from './route.js';

/** One place to listen, with the APIs that are served there. */
export interface Shared extends Address {
  readonly listeners: readonly ListenerName[];
}

interface Wanted {
  readonly listener: ListenerName;
  readonly key: 'host' | 'managementHost' | 'metricsHost';
  readonly port: number;
}

/**
 * APIs at the same address share one listener; two free ports (0) are the same only for SageMaker, which has one port
 * for all, and wants the metrics there wherever they are beside.
 * @throws  INFER_BAD_INPUT for a host that is none.
 */
export function addressesOf(config: Config): Shared[] {
  const isSageMaker = config.sageMaker !== 'off';
  const { port } = config;
  const wanted: readonly Wanted[] = [
    { listener: 'inference', key: 'host', port },
    { listener: 'management', key: 'managementHost', port: config.managementPort },
    { listener: 'metrics', key: 'metricsHost', port: config.metricsPort },
    ...(isSageMaker ? [{ listener: 'metrics', key: 'host', port } as const] : []),
  ];
  const groups = new Map<string, Shared>();
  for (const { listener, key, port } of wanted) {
    const address = { ...readHost(config[key], key), port };
    const isOwn = port === 0 && address.scheme !== 'unix' && !isSageMaker;
    const name = isOwn ? listener : nameOf(address);
    const listeners = new Set([...(groups.get(name)?.listeners ?? []), listener]);
    groups.set(name, { ...address, listeners: [...listeners] });
  }
  return [...groups.values()];
}

/** @source  unix(7): the address of a socket has 108 bytes for its path, that of macOS 104, with a zero at the end. */
const longestPath = 103;

/** @param host  a name or an IP address, `https://` before it for TLS; or `unix:` and a path. */
function readHost(host: string, key: string): Pick<Address, 'scheme' | 'host'> {
  const [, path] = /^unix:(.+)$/is.exec(host) ?? [];
  if (path !== undefined) {
    if (Buffer.byteLength(path) <= longestPath) return { scheme: 'unix', host: path };
    throw bad(key, `unix: and a path of at most ${longestPath} bytes`, host);
  }
  const [, start = '', name] =
    /^(https?:\/\/)?(\[[0-9a-f:.]+\]|[0-9a-f:.]+(?:%\w+)?|[^\s/:[\]]+)$/i.exec(host) ?? [];
  if (name === undefined) {
    const expected =
      'a name or an IP address without a port, https:// and one, or unix: and a path';
    throw bad(key, expected, host);
  }
  const scheme = start.toLowerCase() === 'https://' ? 'https' : 'http';
  return { scheme, host: name.replace(/^\[|\]$/g, '') };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether pages of the web that a browser on this machine shows could be led here, and no other machine can come. */
export function isLoopback(address: Address): boolean {
  if (address.scheme === 'unix') return false;
  const name = usualName(address);
  const family = isIP(name);
  return family === 0 ? name === 'localhost' : loopback.check(name, `ipv${family === 6 ? 6 : 4}`);
}

/** In lower case, and an IP address as it is usually written: the system takes 127.1 for one as well. */
function usualName(address: Address): string {
  const url = nameOf(address);
  if (!URL.canParse(url)) return address.host; // an IPv6 address with a zone
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** Whether other machines can come. */
export function isPublic(address: Address): boolean {
  return address.scheme !== 'unix' && !isLoopback(address);
}

export function nameOf({ scheme, host, port }: Address): string {
  if (scheme === 'unix') return `unix:${host}`;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The HTTP library only says that it failed, so Node is asked to try the same. */
export function whyNotListening({ scheme, host, port }: Address): Promise<string> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', error => resolve(error.message));
    const place = scheme === 'unix' ? { path: host } : { host, port };
    probe.listen(place, () => probe.close(() => resolve('refused by the system')));
  });
}

/**
 * Removes the socket that a process which is gone has left. The HTTP library would remove any file.
 * @throws  an Error when something else is there, or somebody listens.
 */
export async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSocket() && (await connectError(path)) === 'ECONNREFUSED') {
    rmSync(path, { force: true });
    return;
  }
  const kind = found.isSocket() ? 'a socket that is in use' : 'a file of another kind';
  throw new Error(`cannot listen on unix:${path}: expected nothing there, got ${kind}`);
}

/** undefined when somebody listens. */
async function connectError(path: string): Promise<string | undefined> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}
