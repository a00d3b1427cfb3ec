// SPDX-License-Identifier: Apache-2.0
// Bearer tokens of a file, which is read again when it changes; comparing takes as long whatever is sent.
import { createHash, timingSafeEqual } from 'node:crypto';
import { type BigIntStats, statSync } from 'node:fs';
import type { Log } from './log.js';
import type { ListenerName } from './route.js';
import { readSecretFile, refused } from './secret_file.js';

export interface Tokens {
  /** @param authorization  value of that header; '' when it did not come. */
  readonly accept: (authorization: string) => boolean;
}

/** Which file has the tokens of an API; one that is missing is open. */
export type TokenPaths = Partial<Record<ListenerName, string>>;

export const apis: readonly ListenerName[] = ['inference', 'management', 'metrics'];
const label = 'tokenFiles';

/**
 * @param entries  each a path, for all APIs without one of their own, or `api=path`.
 * @throws         INFER_BAD_INPUT for an API that is not known, or one with two files.
 */
export function readTokenPaths(entries: readonly string[]): TokenPaths {
  const paths = new Map<string, string>();
  for (const entry of entries) {
    const [, api = '', path = entry] = /^([^/=]+)=(.+)$/s.exec(entry) ?? [];
    if (api !== '' && !apis.some(known => known === api)) {
      const expected = `expected a path, or one behind ${apis.join('=, ')}=`;
      throw refused(label, `${expected}, got ${JSON.stringify(entry)}`);
    }
    if (paths.has(api)) throw refused(label, `expected one file for ${api || 'all'}, got two`);
    paths.set(api, path);
  }
  const found = apis.map(api => [api, paths.get(api) ?? paths.get('')]);
  return Object.fromEntries(found.filter(([, path]) => path !== undefined));
}

/** How long a change of the file may stay unseen. */
const lookMs = 1000;

/** A file that was written so short a time ago may be written again without a new time of change. */
const settledMs = 2000;

interface Content {
  readonly digests: readonly Buffer[];
  /** Differs when the file does; '' when that cannot be told. */
  readonly version: string;
  readonly notes: readonly string[];
}

/**
 * @param now  milliseconds on a clock that only moves forward.
 * @throws     INFER_BAD_INPUT when there is no token in the file. Later the last tokens hold, whatever becomes of it.
 */
export function openTokens(path: string, log: Log, now = () => performance.now()): Tokens {
  let content = readTokens(path);
  let lookedMs = now();
  let problem = '';
  const look = () => {
    try {
      if (versionOf(statSync(path, { bigint: true })) === content.version) return;
      const fresh = readTokens(path);
      const isSame = joined(fresh).equals(joined(content));
      content = fresh;
      if (isSame && problem === '') return;
      problem = '';
      log.info({ event: 'tokens_read_again', path, tokens: content.digests.length });
    } catch (error) {
      content = { ...content, version: '' };
      const { message } = error as Error;
      if (message === problem) return;
      problem = message;
      log.error({ event: 'tokens_unreadable', message, tokens: content.digests.length });
    }
  };
  return {
    accept: authorization => {
      if (now() - lookedMs >= lookMs) {
        lookedMs = now();
        look();
      }
      return isAmong(authorization, content.digests);
    },
  };
}

/** Every token is looked at, whichever it is. @source  RFC 6750 section 2.1: the form of a token. */
function isAmong(authorization: string, digests: readonly Buffer[]): boolean {
  const [, token = ''] = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization) ?? [];
  const given = digestOf(token);
  let found = false;
  for (const digest of digests) if (timingSafeEqual(digest, given)) found = true;
  return found;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function joined({ digests }: Content): Buffer {
  return Buffer.concat(digests);
}

/** One token a line; empty lines, and those that begin with #, do not count. @throws  INFER_BAD_INPUT */
export function readTokens(path: string): Content {
  const { bytes, found, notes } = readSecretFile(label, path);
  const lines = bytes
    .toString()
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/);
  const digests = lines.flatMap((line, index) => {
    const token = line.trim();
    if (token === '' || token.startsWith('#')) return [];
    if (/^[\w.~+/-]+=*$/.test(token)) return [digestOf(token)];
    const expected = 'expected a token of letters, digits, -._~+/, and = at its end';
    throw refused(`${label}: ${path}:${index + 1}`, expected); // what came may be a secret
  });
  if (digests.length === 0)
    throw refused(`${label}: ${path}`, 'expected a token on a line, got none');
  const isSettled = Date.now() - Number(found.mtimeMs) > settledMs;
  return { digests, version: isSettled ? versionOf(found) : '', notes };
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
