// SPDX-License-Identifier: Apache-2.0
// Reads an object of S3 with the client of AWS, which whoever wants it installs beside this package.
import { addAbortSignal, type Readable } from 'node:stream';
import { InferenceError } from '../../lib/index.js';
import { quoted } from './archive.js';

/** The part of @aws-sdk/client-s3 that is used. */
export interface S3Library {
  readonly S3Client: new (settings: object) => S3Client;
  readonly GetObjectCommand: new (input: ObjectName) => object;
}

interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

interface S3Client {
  send(command: object, options: { readonly abortSignal: AbortSignal }): Promise<S3Object>;
  destroy(): void;
}

interface S3Object {
  readonly Body?: Readable;
  readonly ContentLength?: number;
}

/** A file on its way. */
export interface Arriving {
  readonly chunks: AsyncIterable<Buffer>;
  /** As announced; 0 when it was not. */
  readonly sizeBytes: number;
  /** To be called once, whatever became of it. */
  readonly end: () => void;
}

export interface S3Rules {
  /** How long it may take until an answer comes, and between two parts of it. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** How the client of AWS is loaded; where it is installed unless given. */
  readonly loadS3?: (() => Promise<S3Library>) | undefined;
}

const library = '@aws-sdk/client-s3';

/**
 * Region, credentials and endpoint come from where that client looks for them: variables, files, the role of the machine.
 * @param url  `s3://bucket/key`.
 * @throws     INFER_BAD_INPUT without the client; an Error with the `status` of an answer, or the `code` ETIMEDOUT.
 */
export async function openObject(
  url: URL,
  { idleMs, signal, loadS3 = installed }: S3Rules,
): Promise<Arriving> {
  const { S3Client, GetObjectCommand } = await loadS3().catch(cause => {
    throw notInstalled(url, cause);
  });
  const client = new S3Client(settingsFrom(process.env));
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(late(idleMs)), idleMs);
  const command = new GetObjectCommand(nameOf(url));
  try {
    const abortSignal = AbortSignal.any([signal, silent.signal]);
    abortSignal.throwIfAborted();
    const sent = client.send(command, { abortSignal });
    const { Body: stream, ContentLength: sizeBytes = 0 } = await unlessAborted(sent, abortSignal);
    if (stream === undefined) throw new Error('expected an object, got none');
    addAbortSignal(signal, stream);
    const end = () => {
      stream.destroy();
      client.destroy();
    };
    return { chunks: timed(stream, idleMs), sizeBytes, end };
  } catch (error) {
    client.destroy();
    throw silent.signal.aborted ? silent.signal.reason : withoutAnswer(error);
  } finally {
    clearTimeout(timer);
  }
}

/** The client does not look at its signal while it asks for credentials, by a program that may hang. */
function unlessAborted(sent: Promise<S3Object>, signal: AbortSignal): Promise<S3Object> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    const take = (object: S3Object) => {
      signal.removeEventListener('abort', giveUp);
      if (signal.aborted) object.Body?.destroy();
      resolve(object);
    };
    sent.then(take, error => {
      signal.removeEventListener('abort', giveUp);
      reject(error);
    });
  });
}

async function installed(): Promise<S3Library> {
  return await import(library);
}

function notInstalled({ href }: URL, cause: unknown): InferenceError {
  const message = `model ${quoted(href)}: expected ${library}, which is not there: npm install ${library}`;
  return new InferenceError('INFER_BAD_INPUT', message, { cause });
}

/** Services other than that of AWS rarely have a host name for each bucket. */
function settingsFrom(environment: NodeJS.ProcessEnv): object {
  const own = environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL'];
  return own === undefined ? {} : { forcePathStyle: true };
}

function nameOf({ hostname, pathname }: URL): ObjectName {
  return { Bucket: hostname, Key: decodeURIComponent(pathname.slice(1)) };
}

/** What did not come in time. */
export function late(idleMs: number): Error {
  return Object.assign(new Error(`nothing came for ${idleMs} ms`), { code: timeoutCode });
}

export const timeoutCode = 'ETIMEDOUT';

/** Only the wait for the other side counts, not what is done with what came. */
async function* timed(stream: Readable, idleMs: number): AsyncGenerator<Buffer> {
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    timer = setTimeout(() => stream.destroy(late(idleMs)), idleMs);
  };
  try {
    wait();
    for await (const chunk of stream) {
      clearTimeout(timer);
      yield chunk;
      wait();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** What the client throws holds the whole answer and how it was asked for, credentials and all. */
function withoutAnswer(error: unknown): Error {
  const { name, message, $metadata } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return Object.assign(new Error(`${name}: ${message}`), status === undefined ? {} : { status });
}
