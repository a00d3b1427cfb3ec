// SPDX-License-Identifier: Apache-2.0
// Content type -> decoder: what a body holds, as the bytes of a JSON text or as tensors.
import { availableParallelism } from 'node:os';
import type { ModelInfo, TensorSpec } from '../../lib/index.js';
import { badInput, quote, quoteAll } from './describe.js';
import { createImageDecoder, type DecodeImage, type ImageTensor, looksLikeImage } from './image.js';
import { type Part, readParts } from './multipart.js';
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
export type Decode = (encoded: EncodedBody, info: ModelInfo) => Decoded | Promise<Decoded>;

/** What a body, or a part of a form, is decoded with. */
interface Job {
  readonly bytes: Buffer;
  /** As sent, for the boundary of a form. */
  readonly contentType: string;
  /** Without parameters, in lower case. */
  readonly type: string;
  readonly info: ModelInfo;
  readonly encoded: EncodedBody;
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

const multipart: Decoder = {
  takes: ({ type }) => type === 'multipart/form-data',
  decode: async job => {
    const parts = await readParts(job.bytes, job.contentType);
    const specs = imageInputs(job.info);
    if (specs.length > 1)
      return imagesToTensors(
        job,
        specs.map(spec => pickImage(parts, spec)),
      );
    const [name, part] = pickPart(parts, job.info);
    const type = part.contentType;
    const inner = { ...job, bytes: part.bytes, type, contentType: type };
    const decoder = [json, image].find(({ takes }) => takes(inner));
    return decoder === undefined
      ? unsupported(inner, `part ${quote(name)}`)
      : decoder.decode(inner);
  },
};

const decoders: readonly Decoder[] = [json, multipart, image];

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
  const decode: Decode = (encoded, info) => {
    const { body, contentType, contentEncoding } = encoded;
    if (contentEncoding !== '' && contentEncoding.toLowerCase() !== 'identity') {
      const message = `header content-encoding: expected none, got ${quote(contentEncoding)}`;
      return { kind: 'unsupported', message };
    }
    const type = withoutParameters(contentType);
    const job = { bytes: body, contentType, type, info, encoded, decodeImage, takeTurn };
    const decoder = decoders.find(({ takes }) => takes(job));
    return decoder === undefined ? unsupported(job, 'header content-type') : decoder.decode(job);
  };
  return { decode, stats };
}

function withoutParameters(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function unsupported({ type, info }: Job, where: string): Decoded {
  const images = imageInputs(info).length > 0 ? ', image/*, application/octet-stream' : '';
  const expected = `application/json, multipart/form-data${images} for model ${quote(info.name)}`;
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
function pickImage(parts: ReadonlyMap<string, Part>, spec: TensorSpec): ImagePart {
  const part = parts.get(spec.name);
  if (part !== undefined) return { spec, bytes: part.bytes, where: `part ${quote(spec.name)}` };
  const got = quoteAll([...parts.keys()]);
  throw badInput('body', `a part ${quote(spec.name)} with an image`, `the parts ${got}`);
}

/** The order in which MMS looks: the name of the input, then the two usual ones. */
function pickPart(parts: ReadonlyMap<string, Part>, info: ModelInfo): [string, Part] {
  const names = [info.signature.inputs[0]?.name ?? '', 'body', 'data'];
  for (const name of names) {
    const part = parts.get(name);
    if (part !== undefined) return [name, part];
  }
  const got = quoteAll([...parts.keys()]);
  throw badInput(
    'body',
    `a part named one of ${quoteAll([...new Set(names)])}`,
    `the parts ${got}`,
  );
}
