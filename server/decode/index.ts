// SPDX-License-Identifier: Apache-2.0
// Content type -> decoder: what a body holds, as the bytes of a JSON text or as tensors.
import { availableParallelism } from 'node:os';
import type { ModelInfo, TensorSpec } from '../../lib/index.js';
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
import { createImageDecoder, type DecodeImage, type ImageTensor, looksLikeImage } from './image.js';
import { joinJson } from './json_fields.js';
import { createTurns, type TakeTurn, type TurnStats } from './turns.js';

export interface EncodedBody {
  readonly body: Buffer;
  /** With parameters; may be empty. */
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export type Decoded =
  | { readonly kind: 'json'; readonly bytes: Buffer }
  | {
      readonly kind: 'tensors';
      readonly tensors: Readonly<Record<string, ImageTensor>>;
      /** The deadline by `limits.timeoutMs`, on the clock of performance.now(); Infinity for none. */
      readonly endsMs: number;
    }
  | { readonly kind: 'unsupported'; readonly message: string };

/**
 * Decodes the body of a prediction for one model.
 * @returns  at once for JSON; `unsupported` when the model takes no body of that type.
 * @throws   INFER_BAD_INPUT when the body is not what its type says; for images INFER_QUEUE_FULL, INFER_DEADLINE and
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
}

interface Decoder {
  readonly takes: (job: Job) => boolean;
  readonly decode: (job: Job) => Decoded | Promise<Decoded>;
}

const json: Decoder = {
  takes: ({ type, bytes, info }) =>
    type === 'application/json' ||
    type.endsWith('+json') ||
    (type === '' && !(imageInputs(info).length > 0 && looksLikeImage(bytes))),
  decode: ({ bytes }) => ({ kind: 'json', bytes }),
};

const image: Decoder = {
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

/** A form, or a body beside a query that has a value for the model. */
const fields: Decoder = {
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
  if (named.length > 0 && images.length === 0) return { kind: 'json', bytes: joinJson(all, named) };
  const [name, { bytes, contentType: type }] = pickField(all, job.info);
  const inner = { ...job, bytes, type, contentType: type };
  const decoder = [json, image].find(({ takes }) => takes(inner));
  return decoder === undefined ? unsupported(inner, `field ${quote(name)}`) : decoder.decode(inner);
}

const decoders: readonly Decoder[] = [fields, json, image];

export interface DecodeLimits {
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
  const { maxImagePixels, maxWaitingImages, httpThreads } = limits;
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
    const job = { bytes: body, contentType, type, info, encoded, given, decodeImage, takeTurn };
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
  const images = imageInputs(info).length > 0 ? ', image/*, application/octet-stream' : '';
  const expected = `application/json, multipart/form-data, application/x-www-form-urlencoded${images} for model ${quote(info.name)}`;
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

async function imagesToTensors(job: Job, images: readonly ImagePart[]): Promise<Decoded> {
  const endsMs = performance.now() + (job.info.limits.timeoutMs ?? Number.POSITIVE_INFINITY);
  const claim = { signal: job.encoded.signal, endsMs };
  const entries = images.map(async ({ spec, bytes, where }): Promise<[string, ImageTensor]> => {
    const target = job.info.preprocess?.[spec.name];
    if (target === undefined) throw new Error(`input ${quote(spec.name)}: lost its preprocessing`);
    const decode = () => job.decodeImage(bytes, { spec, image: target.image, where });
    return [spec.name, await job.takeTurn(decode, claim)];
  });
  return { kind: 'tensors', tensors: Object.fromEntries(await Promise.all(entries)), endsMs };
}

/** Of several images each has the name of its input. */
function imageField(all: Fields, spec: TensorSpec): ImagePart {
  const { bytes } = fieldOf(all, spec, 'an image');
  return { spec, bytes, where: `field ${quote(spec.name)}` };
}
