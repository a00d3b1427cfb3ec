// SPDX-License-Identifier: Apache-2.0
// Fetches a model by http: or https:, from where the operator allows it and nowhere else.
import { createHash } from 'node:crypto';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { basename, join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import { invalid, quoted, reasonOf } from './archive.js';
import { isArchiveName, nameProblem } from './extract.js';
import { isFull, storageError } from './storage.js';

export interface DownloadRules {
  /** Each matches a whole URL. */
  readonly allowed: readonly RegExp[];
  readonly maxBytes: number;
  /** How long the other side may be silent. */
  readonly idleMs: number;
}

export function isRemote(location: string): boolean {
  return /^https?:/i.test(location);
}

/** A location for logs and messages: the query of a URL may hold a signature that lets others read. */
export function withoutQuery(location: string): string {
  return isRemote(location) ? location.replace(/[?#].*$/s, '') : location;
}

/** @throws  INFER_BAD_INPUT for a pattern that is no regular expression. */
export function readPatterns(patterns: readonly string[]): readonly RegExp[] {
  return patterns.map(pattern => {
    try {
      return new RegExp(`^(?:${pattern})$`, 'i');
    } catch (error) {
      const message = `allowedUrls: expected a regular expression, got ${quoted(pattern)}`;
      throw new InferenceError('INFER_BAD_INPUT', message, { cause: error });
    }
  });
}

/**
 * @param location   a URL whose path ends in the name of an archive or of an .onnx file; `#sha256=` and 64 hexadecimal
 *                   digits at its end say what has to come.
 * @param directory  empty; the file is put there under its own name.
 * @returns          its path.
 * @throws           INFER_MODEL_NOT_FOUND for a URL that is not allowed, INFER_BAD_INPUT when it cannot be fetched,
 *                   INFER_MODEL_INVALID when it is too large or another file, INFER_INTERNAL when it cannot be stored.
 */
export async function download(
  location: string,
  directory: string,
  rules: DownloadRules,
): Promise<string> {
  const shown = withoutQuery(location).slice(0, longestShown);
  const label = `model ${quoted(shown)}`;
  const { url, sha256, name } = readUrl(location, shown);
  const path = join(directory, name);
  const response = await follow(url, shown, rules);
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600).catch(error => {
    response.destroy();
    throw storageError(`cannot make the file of ${label}`, error);
  });
  try {
    await writeFile(file, bounded(response, { label, ...rules }, hash.update.bind(hash)));
  } catch (error) {
    if (isFull(error)) throw storageError(`cannot store ${label}`, error);
    throw error instanceof InferenceError ? error : failed(shown, reasonOf(error), error);
  } finally {
    response.destroy();
    await file.close();
  }
  const got = hash.digest('hex');
  if (sha256 !== '' && got !== sha256)
    throw invalid(label, `expected SHA-256 ${sha256}, got ${got}`);
  return path;
}

const longestShown = 256;

function refused(shown: string, expected: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `model ${quoted(shown)}: ${expected}`);
}

/** @source MMS and TorchServe: clients know the texts that come here, and 404 beside them. */
function missing(message: string, cause?: unknown): InferenceError {
  return new InferenceError('INFER_MODEL_NOT_FOUND', message, cause === undefined ? {} : { cause });
}

/** @source MMS: clients know the beginning of the text, and 400 beside it. */
function failed(shown: string, reason: string, cause?: unknown): InferenceError {
  const extra = cause === undefined ? {} : { cause };
  const message = `Failed to download model from: ${shown}, ${reason}`;
  return new InferenceError('INFER_BAD_INPUT', message, extra);
}

function readUrl(location: string, shown: string) {
  const url = parseUrl(location, shown);
  const [, sha256] = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash) ?? [];
  if (url.hash !== '' && sha256 === undefined) {
    throw refused(shown, 'expected #sha256= and 64 hexadecimal digits behind it, or nothing');
  }
  url.hash = '';
  const name = fileName(url.pathname);
  if (nameProblem(name) !== undefined || !(isArchiveName(name) || /\.onnx$/i.test(name))) {
    throw refused(shown, 'expected a path that ends in .mar, .zip, .model, .tar.gz, .tgz or .onnx');
  }
  return { url, name, sha256: sha256?.toLowerCase() ?? '' };
}

function parseUrl(text: string, shown: string, base?: URL): URL {
  try {
    return new URL(text, base);
  } catch (error) {
    throw missing(`Invalid model url: ${shown}`, error);
  }
}

/** '' where there is none. */
function fileName(pathname: string): string {
  try {
    const name = decodeURIComponent(basename(pathname));
    return name.includes('/') ? '' : name;
  } catch {
    return '';
  }
}

const mostRedirects = 5;
const mostMs = 3_600_000;

/** The answer with the file, after redirects, each of which has to be allowed as well. */
async function follow(from: URL, shown: string, rules: DownloadRules): Promise<IncomingMessage> {
  const signal = AbortSignal.timeout(mostMs);
  let url = from;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    checkAllowed(url, shown, rules);
    const response = await answerTo(url, shown, { signal, idleMs: rules.idleMs });
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return response;
    response.destroy();
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) {
      throw failed(shown, `code: ${statusCode}`);
    }
    url = parseUrl(headers.location, shown, url);
  }
  throw failed(shown, `more than ${mostRedirects} redirects`);
}

function checkAllowed(url: URL, shown: string, { allowed }: DownloadRules): void {
  const { href, protocol, username, password, hostname } = url;
  const own = new URL(href);
  own.search = '';
  if (username !== '' || password !== '')
    throw refused(shown, 'expected no user and password in it');
  const isHttp = protocol === 'http:' || protocol === 'https:';
  if (!isHttp || !allowed.some(rule => rule.test(href))) {
    throw missing(`Given URL ${own.href} does not match any allowed URL(s), see allowedUrls`);
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isForbidden(host)) throw linkLocal(host);
}

/** Where clouds hand out the credentials of the machine, whatever name leads there. */
const forbidden = new BlockList();
forbidden.addSubnet('169.254.0.0', 16);
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addAddress('fd00:ec2::254', 'ipv6');

function isForbidden(address: string): boolean {
  return forbidden.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function linkLocal(address: string): InferenceError {
  return refused('model', `expected an address that is not link-local, got ${address}`);
}

/** Looks at the address that is connected to: a name may lead elsewhere the second time. @param find  node:dns lookup. */
export function guardLookup(find: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    find(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(one => one.address);
      const bad = error === null ? addresses.find(isForbidden) : undefined;
      callback(bad === undefined ? error : linkLocal(bad), found, family);
    });
  };
}

const guarded = guardLookup(lookup);

interface Waiting {
  readonly signal: AbortSignal;
  readonly idleMs: number;
}

async function answerTo(url: URL, shown: string, { signal, idleMs }: Waiting) {
  const get = url.protocol === 'https:' ? https.get : http.get;
  const headers = { 'accept-encoding': 'identity' };
  const request: ClientRequest = get(url, { lookup: guarded, agent: false, headers, signal });
  request.setTimeout(idleMs, () => request.destroy(new Error(`nothing came for ${idleMs} ms`)));
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    request.on('error', error => response.destroy(error));
    return response;
  } catch (error) {
    throw error instanceof InferenceError ? error : failed(shown, reasonOf(error), error);
  }
}

interface Bounds {
  readonly label: string;
  readonly maxBytes: number;
}

async function* bounded(
  response: IncomingMessage,
  { label, maxBytes }: Bounds,
  update: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  const tooLarge = () =>
    invalid(label, `expected at most ${maxBytes} bytes (maxPackageBytes), got more`);
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  let got = 0;
  for await (const chunk of response) {
    got += chunk.length;
    if (got > maxBytes) throw tooLarge();
    update(chunk);
    yield chunk;
  }
}
