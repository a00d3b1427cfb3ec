// SPDX-License-Identifier: Apache-2.0
// Which API listens where, and why an address cannot be listened on.
import { createServer } from 'node:net';
import type { Config } from './config.js';
import type { ListenerName } from './route.js';

/** One place to listen, with the APIs that are served there. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly listeners: readonly ListenerName[];
}

/** APIs on the same host and port share one listener; two free ports (0) are never the same. */
export function addressesOf(config: Config): Address[] {
  const wanted = [
    { listener: 'inference', host: config.host, port: config.port },
    { listener: 'management', host: config.managementHost, port: config.managementPort },
    { listener: 'metrics', host: config.metricsHost, port: config.metricsPort },
  ] as const;
  const groups = new Map<string, Address>();
  for (const { listener, host, port } of wanted) {
    const key = port === 0 ? listener : `${host} ${port}`;
    const listeners = [...(groups.get(key)?.listeners ?? []), listener];
    groups.set(key, { host, port, listeners });
  }
  return [...groups.values()];
}

/** Whether only this machine can reach a host of this name. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The HTTP library only says that it failed, so Node is asked to try the same. */
export function whyNotListening(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once('error', error => resolve(error.message));
    probe.listen({ host, port }, () => probe.close(() => resolve('refused by the system')));
  });
}
