// SPDX-License-Identifier: Apache-2.0
// Fetches a model by http:, https: or s3:, from where the operator allows it and nowhere else.
import { createHash } from 'node:crypto';
import { lookup } from 'node:dns';
import { open, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import { invalid, quoted } from './archive.js';
import { type Arriving, late, openObject, type S3Rules, timeoutCode } from './s3.js';
import { isFull, storageError } from './storage.js';
import { checkAllowed, guardLookup, readUrl, redirected, shownUrl } from './url.js';

export interface DownloadRules {
  /** Each matches a whole URL. */
  readonly allowed: readonly RegExp[];
  readonly maxBytes: number;
  /** How long the other side may be silent, and how long it may take until it answers. */
  readonly idleMs: number;
  /** How long all of it may take. */
  readonly mostMs: number;
  /** Ends what is under way; its reason is what that rejects with. */
  readonly ending: AbortSignal;
  /** How names become addresses; the guarded one of node:dns unless given. */
  readonly lookup?: LookupFunction;
  readonly loadS3?: S3Rules['loadS3'];
}

/** Of an error of the network or of the other side, for those who ask for a model by URL. */
export const downloadFailed = 'download';

/**
 * @param location   a URL whose path ends in the name of an archive or of an .onnx file; `#sha256=` and 64 hexadecimal
 *                   digits at its end say what has to come.
 * @param directory  empty; the file is put there under its own name.
 * @returns          its path.
 * @throws           INFER_MODEL_NOT_FOUND for a URL that is not allowed, INFER_BAD_INPUT when it cannot be fetched,
 *                   INFER_MODEL_INVALID when it is too large or another file, INFER_INTERNAL when it cannot be stored,
 *                   and the reason of `rules.ending`.
 */
export async function download(
  location: string,
  directory: string,
  rules: DownloadRules,
): Promise<string> {
  const { ending, mostMs } = rules;
  ending.throwIfAborted();
  const shown = shownUrl(location);
  const label = `model ${quoted(shown)}`;
  const { url, sha256, name } = readUrl(location);
  const path = join(directory, name);
  const hash = createHash('sha256');
  // The timer holds on to its signal; one of AbortSignal.timeout() is collected where only any() knows it.
  const limit = new AbortController();
  const late = new DOMException(`not all of it came within ${mostMs} ms`, 'TimeoutError');
  const timer = setTimeout(() => limit.abort(late), mostMs);
  const signal = AbortSignal.any([limit.signal, ending]);
  try {
    const arriving = await arrive(url, signal, rules);
    const content = bounded(arriving, { label, ...rules }, hash.update.bind(hash));
    await save(content, path, label).finally(arriving.end);
  } catch (error) {
    if (ending.aborted) throw ending.reason;
    if (isFull(error)) throw storageError(`cannot store ${label}`, error);
    throw failed(shown, signal.aborted ? signal.reason : error);
  } finally {
    clearTimeout(timer);
  }
  const got = hash.digest('hex');
  if (sha256 !== '' && got !== sha256)
    throw invalid(label, `expected SHA-256 ${sha256}, got ${got}`);
  return path;
}

async function save(content: AsyncIterable<Buffer>, path: string, label: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch(error => {
    throw storageError(`cannot make the file of ${label}`, error);
  });
  try {
    await writeFile(file, content);
  } finally {
    await file.close();
  }
}

/**
 * What is said of an error of the other side: the status of its answer, the rest is for the operator alone.
 * @source  MMS: clients know the texts, and 400 beside them.
 */
function failed(shown: string, error: unknown): InferenceError {
  if (error instanceof InferenceError) return error;
  const { code, status, name } = error as { code?: unknown; status?: unknown; name?: unknown };
  const isLate = code === timeoutCode || name === 'TimeoutError';
  const suffix = status === undefined ? '' : `, code: ${status}`;
  const message = isLate
    ? `Download model timeout: ${shown}`
    : `Failed to download model from: ${shown}${suffix}`;
  return new InferenceError('INFER_BAD_INPUT', message, { detail: downloadFailed, cause: error });
}

const mostRedirects = 5;

async function arrive(url: URL, signal: AbortSignal, rules: DownloadRules): Promise<Arriving> {
  if (url.protocol === 's3:') {
    checkAllowed(url, rules.allowed);
    return openObject(url, { ...rules, signal });
  }
  const response = await follow(url, signal, rules);
  const sizeBytes = Number(response.headers['content-length'] ?? 0);
  return { chunks: response, sizeBytes, end: () => response.destroy() };
}

/** The answer with the file, after redirects, each of which has to be allowed as well. */
async function follow(
  from: URL,
  signal: AbortSignal,
  rules: DownloadRules,
): Promise<IncomingMessage> {
  let url = from;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    checkAllowed(url, rules.allowed);
    const response = await answerTo(url, signal, rules);
    const { statusCode: status = 0, headers } = response;
    if (status === 200) return response;
    response.destroy();
    if (status < 300 || status >= 400 || headers.location === undefined) {
      throw Object.assign(new Error(`expected the status 200, got ${status}`), { status });
    }
    url = redirected(url, headers.location);
  }
  throw new Error(`more than ${mostRedirects} redirects`);
}

const guarded = guardLookup(lookup);

/** The socket's own timeout begins with the connection, and so does not see a name or connection that takes long. */
function answerTo(
  url: URL,
  signal: AbortSignal,
  { idleMs, lookup = guarded }: DownloadRules,
): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? https.get : http.get;
  const headers = { 'accept-encoding': 'identity' };
  return new Promise((resolve, reject) => {
    const request = get(url, { lookup, agent: false, headers, signal });
    const giveUp = () => request.destroy(late(idleMs));
    const timer = setTimeout(giveUp, idleMs);
    request.on('response', response => {
      clearTimeout(timer);
      request.setTimeout(idleMs, giveUp);
      request.on('error', error => response.destroy(error));
      resolve(response);
    });
    request.on('error', reject);
    request.on('close', () => {
      clearTimeout(timer); // and an answer that changes the protocol comes as neither of the two
      reject(new Error('the connection was closed without an answer'));
    });
  });
}

interface Bounds {
  readonly label: string;
  readonly maxBytes: number;
}

async function* bounded(
  { chunks, sizeBytes }: Arriving,
  { label, maxBytes }: Bounds,
  update: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  const tooLarge = () =>
    invalid(label, `expected at most ${maxBytes} bytes (maxPackageBytes), got more`);
  if (sizeBytes > maxBytes) throw tooLarge();
  let got = 0;
  for await (const chunk of chunks) {
    got += chunk.length;
    if (got > maxBytes) throw tooLarge();
    update(chunk);
    yield chunk;
  }
}
