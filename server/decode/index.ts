// SPDX-License-Identifier: Apache-2.0
// Content type -> decoder: what a body holds, as bytes of text that the library reads or as tensors.
import { availableParallelism } from 'node:os';
import type { BodyFormat, ModelInfo, TensorInput, TensorSpec } from '../../lib/index.js';
import { badInput, quote, quoteAll } from './describe.js';
import {
  concern,
  type Fields,
  fieldOf,
  isForm,
  isMislabelledJson,
  joinFields,
  namedInputs,
  pickField,
  readForm,
} from './fields.js';
import { readNpyBody, readNpzBody, readTextBody, takesText } from './files.js';
import { createImageDecoder, type DecodeImage, type ImageTensor, looksLikeImage } from './image.js';
import { joinJson } from './json_fields.js';
import { type Claim, createTurns, type TakeTurn, type TurnStats } from './turns.js';

export interface EncodedBody {
  readonly body: Buffer;
  /** With parameters; may be empty. */
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export type Decoded =
  /** What predictBytes() reads by itself. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly from: BodyFormat }
  | {
      readonly kind: 'tensors';
      readonly tensors: Readonly<Record<string, TensorInput>>;
      /** The deadline by `limits.timeoutMs`, on the clock of performance.now(); Infinity for none. */
      readonly endsMs: number;
      /** Whether they were images, whose answer in JSON is a list of classes. */
      readonly areImages: boolean;
    }
  | { readonly kind: 'unsupported'; readonly message: string };

/**
 * Decodes the body of a prediction for one model.
 * @returns  at once for JSON, JSON Lines and CSV; `unsupported` when the model takes no body of that type.
 * @throws   INFER_BAD_INPUT when the body is not what its type says; for images and NPZ INFER_QUEUE_FULL, INFER_DEADLINE and
 *           INFER_CANCELLED as well.
 */
export type Decode = (
  encoded: EncodedBody,
  info: ModelInfo,
  given?: Given,
) => Decoded | Promise<Decoded>;

/** Named values that were read before the body is decoded. */
export interface Given {
  /** Of the query string, where it counts as input; those of the body lie over them. */
  readonly query?: Fields;
  /** Of the body, when it is a form. */
  readonly form?: Fields;
}

/** What a body, or a part of a form, is decoded with. */
interface Job {
  readonly bytes: Buffer;
  /** As sent, for the boundary of a form. */
  readonly contentType: string;
  /** Without parameters, in lower case. */
  readonly type: string;
  readonly info: ModelInfo;
  readonly encoded: EncodedBody;
  readonly given: Given;
  readonly decodeImage: DecodeImage;
  readonly takeTurn: TakeTurn;
  /** What an archive of arrays may unpack to. */
  readonly maxRequestBytes: number;
}

interface Decoder {
  /** Content types for a message; empty where the model has no use for them. */
  readonly types: (info: ModelInfo) => string;
  readonly takes: (job: Job) => boolean;
  readonly decode: (job: Job) => Decoded | Promise<Decoded>;
}

const json: Decoder = {
  types: () => 'application/json',
  takes: ({ type, bytes, info }) =>
    type === 'application/json' ||
    type.endsWith('+json') ||
    (type === '' && !(imageInputs(info).length > 0 && looksLikeImage(bytes))),
  decode: ({ bytes }) => ({ kind: 'bytes', bytes, from: 'json' }),
};

const lineTypes = ['application/jsonlines', 'application/x-jsonlines', 'application/x-ndjson'];

const jsonLines: Decoder = {
  types: () => lineTypes[0] ?? '',
  takes: ({ type }) => lineTypes.includes(type),
  decode: ({ bytes }) => ({ kind: 'bytes', bytes, from: 'jsonlines' }),
};

const csv: Decoder = {
  types: ({ signature }) => (signature.inputs.length === 1 ? 'text/csv' : ''),
  takes: ({ type, info }) => type === 'text/csv' && info.signature.inputs.length === 1,
  decode: ({ bytes }) => ({ kind: 'bytes', bytes, from: 'csv' }),
};

const image: Decoder = {
  types: info => (imageInputs(info).length > 0 ? 'image/*, application/octet-stream' : ''),
  takes: ({ type, info }) =>
    imageInputs(info).length > 0 &&
    (type === '' || type === 'application/octet-stream' || type.startsWith('image/')),
  decode: async job => {
    const [spec, ...others] = imageInputs(job.info);
    if (spec === undefined || others.length > 0) {
      const names = quoteAll(imageInputs(job.info).map(({ name }) => name));
      throw badInput('body', `multipart/form-data with the images ${names}`, 'one image');
    }
    return imagesToTensors(job, [{ spec, bytes: job.bytes, where: 'image' }]);
  },
};

const npy: Decoder = {
  types: ({ signature }) => (signature.inputs.length === 1 ? 'application/x-npy' : ''),
  takes: ({ type, info }) => type === 'application/x-npy' && info.signature.inputs.length === 1,
  decode: async ({ bytes, info }) => inputs(await readNpyBody(bytes, info)),
};

const npz: Decoder = {
  types: () => 'application/x-npz',
  takes: ({ type }) => type === 'application/x-npz',
  decode: async job => {
    const { bytes, info, maxRequestBytes } = job;
    const claim = claimOf(job);
    // In turn, because a few bytes may unpack to a thousand times as many.
    const tensors = await job.takeTurn(() => readNpzBody(bytes, info, maxRequestBytes), claim);
    return { kind: 'tensors', tensors, endsMs: claim.endsMs, areImages: false };
  },
};

const text: Decoder = {
  types: info => (takesText(info) ? 'text/plain' : ''),
  takes: ({ type, info }) => type.startsWith('text/') && takesText(info),
  decode: ({ bytes, info }) => inputs(readTextBody(bytes, info)),
};

/** Read by predict(), from whose call on the deadline counts. */
function inputs(tensors: Readonly<Record<string, TensorInput>>): Decoded {
  return { kind: 'tensors', tensors, endsMs: Number.POSITIVE_INFINITY, areImages: false };
}

/** A form, or a body beside a query that has a value for the model. */
const fields: Decoder = {
  types: () => 'multipart/form-data, application/x-www-form-urlencoded',
  takes: ({ type, info, given: { query } }) =>
    isForm(type) || (query !== undefined && concern(query, info)),
  decode: async job => {
    const { bytes, contentType, type, given } = job;
    if (isForm(type)) {
      const form = given.form ?? (await readForm(bytes, contentType));
      return fromFields(joinFields(given.query, form), job);
    }
    const body = { contentType: type, bytes };
    return fromFields(
      joinFields(given.query, new Map(bytes.length > 0 ? [['body', body]] : [])),
      job,
    );
  },
};

function fromFields(all: Fields, job: Job): Decoded | Promise<Decoded> {
  const images = imageInputs(job.info);
  if (images.length > 1) {
    return imagesToTensors(
      job,
      images.map(spec => imageField(all, spec)),
    );
  }
  const named = namedInputs(all, job.info);
  if (named.length > 0 && images.length === 0) {
    return { kind: 'bytes', bytes: joinJson(all, named), from: 'json' };
  }
  const [name, { bytes, contentType: type }] = pickField(all, job.info);
  const inner = { ...job, bytes, type, contentType: type };
  const decoder = whole.find(({ takes }) => takes(inner));
  return decoder === undefined ? unsupported(inner, `field ${quote(name)}`) : decoder.decode(inner);
}

/** Of a body, or of a field of a form. */
const whole: readonly Decoder[] = [json, jsonLines, csv, npy, npz, text, image];
const decoders: readonly Decoder[] = [fields, ...whole];

export interface DecodeLimits {
  /** Largest body, packed or unpacked. */
  readonly maxRequestBytes: number;
  /** Largest width times height of an image. */
  readonly maxImagePixels: number;
  /** How many images may wait to be decoded. */
  readonly maxWaitingImages: number;
  /** How many threads of this process decode, each with limits of its own. */
  readonly httpThreads: number;
}

/** Images are decoded in Node's pool of threads, which has four; what runs there cannot be stopped. */
const poolThreads = Math.min(4, availableParallelism());

/** What decodes the bodies of one HTTP thread. */
export interface Decoding {
  readonly decode: Decode;
  /** Of its images. */
  readonly stats: () => TurnStats;
}

export function createDecoding(limits: DecodeLimits): Decoding {
  const { maxImagePixels, maxWaitingImages, httpThreads, maxRequestBytes } = limits;
  const atOnce = Math.max(1, Math.floor(poolThreads / httpThreads));
  const decodeImage = createImageDecoder(maxImagePixels);
  const { take: takeTurn, stats } = createTurns({ atOnce, maxWaiting: maxWaitingImages });
  const decode: Decode = (encoded, info, given = {}) => {
    const { body, contentType, contentEncoding } = encoded;
    if (!isPlain(contentEncoding)) {
      const message = `header content-encoding: expected none, got ${quote(contentEncoding)}`;
      return { kind: 'unsupported', message };
    }
    const type = typeOf(contentType, body);
    const job: Job = {
      bytes: body,
      contentType,
      type,
      info,
      encoded,
      given,
      decodeImage,
      takeTurn,
      maxRequestBytes,
    };
    const decoder = decoders.find(({ takes }) => takes(job));
    return decoder === undefined ? unsupported(job, 'header content-type') : decoder.decode(job);
  };
  return { decode, stats };
}

/** Whether a body of this content encoding is as it was. */
export function isPlain(contentEncoding: string): boolean {
  return contentEncoding === '' || contentEncoding.toLowerCase() === 'identity';
}

/** Without parameters, in lower case; empty also for JSON that is said to be a form. */
export function typeOf(contentType: string, body: Buffer): string {
  const end = contentType.indexOf(';');
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  return isMislabelledJson(type, body) ? '' : type;
}

function unsupported({ type, info }: Job, where: string): Decoded {
  const types = [...whole, fields].map(decoder => decoder.types(info)).filter(own => own !== '');
  const expected = `${types.join(', ')} for model ${quote(info.name)}`;
  return { kind: 'unsupported', message: `${where}: expected ${expected}, got ${quote(type)}` };
}

/** The inputs that model.json makes from images. */
function imageInputs({ signature, preprocess }: ModelInfo): TensorSpec[] {
  if (preprocess === undefined) return [];
  return signature.inputs.filter(({ name }) => Object.hasOwn(preprocess, name));
}

interface ImagePart {
  readonly spec: TensorSpec;
  readonly bytes: Buffer;
  readonly where: string;
}

/** How long the caller waits for what takes its turn. */
function claimOf({ info, encoded }: Job): Claim {
  const endsMs = performance.now() + (info.limits.timeoutMs ?? Number.POSITIVE_INFINITY);
  return { signal: encoded.signal, endsMs };
}

async function imagesToTensors(job: Job, images: readonly ImagePart[]): Promise<Decoded> {
  const claim = claimOf(job);
  const entries = images.map(async ({ spec, bytes, where }): Promise<[string, ImageTensor]> => {
    const target = job.info.preprocess?.[spec.name];
    if (target === undefined) throw new Error(`input ${quote(spec.name)}: lost its preprocessing`);
    const decode = () => job.decodeImage(bytes, { spec, image: target.image, where });
    return [spec.name, await job.takeTurn(decode, claim)];
  });
  const tensors = Object.fromEntries(await Promise.all(entries));
  return { kind: 'tensors', tensors, endsMs: claim.endsMs, areImages: true };
}

/** Of several images each has the name of its input. */
function imageField(all: Fields, spec: TensorSpec): ImagePart {
  const { bytes } = fieldOf(all, spec, 'an image');
  return { spec, bytes, where: `field ${quote(spec.name)}` };
}
