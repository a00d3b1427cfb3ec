// SPDX-License-Identifier: Apache-2.0
// What guards the listeners, looked at before models are loaded so that a mistake shows at once.
import { addressesOf, isPublic, nameOf, type Shared } from './address.js';
import type { Config } from './config.js';
import type { Log } from './log.js';
import type { Workspace } from './packages/workspace.js';
import { createTls, type TlsFiles } from './tls/index.js';
import { readTokenPaths, readTokens } from './tokens.js';

export interface Security {
  /** For listeners that speak TLS; undefined when there are none. */
  readonly tls: TlsFiles | undefined;
  /** Removes those files: once everything listens nobody reads them. */
  readonly release: () => Promise<void>;
}

/**
 * @param scratch  makes a directory that is closed to others.
 * @throws         INFER_BAD_INPUT naming the file that cannot be used.
 */
export async function prepareSecurity(
  config: Config,
  scratch: Workspace['scratch'],
  log: Log,
): Promise<Security> {
  const warn = (message: string) => log.warn({ event: 'security_note', message });
  const addresses = addressesOf(config);
  tokenNotes(config).forEach(warn);
  openNotes(config, addresses).forEach(warn);
  if (addresses.every(({ scheme }) => scheme !== 'https')) {
    unusedNotes(config).forEach(warn);
    return { tls: undefined, release: async () => {} };
  }
  const { directory, release } = await scratch();
  try {
    const { notes, ...tls } = await createTls(config, directory);
    notes.forEach(warn);
    return { tls, release };
  } catch (error) {
    await release();
    throw error;
  }
}

function tokenNotes({ tokenFiles }: Config): readonly string[] {
  const paths = new Set(Object.values(readTokenPaths(tokenFiles)));
  return [...paths].flatMap(path => readTokens(path).notes);
}

/** Whoever reaches the management API can have the server load any model that it can read. */
function openNotes({ tokenFiles }: Config, addresses: readonly Shared[]): readonly string[] {
  if (readTokenPaths(tokenFiles).management !== undefined) return [];
  const open = addresses.filter(
    address => isPublic(address) && address.listeners.includes('management'),
  );
  const expected = 'management API: expected a token (tokenFiles), or an address of this machine';
  return open.map(address => `${expected}, got ${nameOf(address)} for everybody`);
}

function unusedNotes({ tlsKeystore, tlsCertificateFile }: Config): readonly string[] {
  if (tlsKeystore === '' && tlsCertificateFile === '') return [];
  const expected = 'expected an address that begins with https://, got none: nothing speaks TLS';
  return [`${tlsKeystore === '' ? 'tlsCertificateFile' : 'tlsKeystore'}: ${expected}`];
}
