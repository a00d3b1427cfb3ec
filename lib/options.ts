// SPDX-License-Identifier: Apache-2.0
// The one table of options: every key of model.json and of loadModel() with type, range, default and unit.
import { elementTypes, maxAxisSize } from './tensor.js';

/** The longest deadline: what setTimeout() can count, nearly 25 days. */
export const maxTimeoutMs = 2 ** 31 - 1;

/** The defaults that are fixed values; the table shows them too. */
export const defaults = {
  version: '1',
  batching: {
    maxDelayUs: 0,
    mode: 'adaptive',
    maxQueue: 1024,
    maxQueueRows: 1_048_576,
    maxQueueBytes: 268_435_456,
  },
  padding: { value: 0 },
  placement: { device: 'cpu', threadsPerRun: 1 },
  warmup: 'none',
  image: { resize: 'stretch', filter: 'lanczos', layout: 'NCHW', colour: 'rgb', scale: 1 / 255 },
  postprocess: { topK: 5, softmax: false },
} as const;

/** The part of JSON Schema that the table uses. */
export interface Schema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly enum?: readonly string[];
  readonly pattern?: string;
  /** The pattern in words. */
  readonly description?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: { readonly [key: string]: Schema };
  readonly additionalProperties?: false | Schema;
  readonly required?: readonly string[];
}

/** One option: its key (`*` stands for any name), what values it takes, and what it does. */
export interface OptionRow {
  readonly key: string;
  readonly schema: Schema;
  /** The value when the key is left out. */
  readonly default?: unknown;
  /** What happens when the key is left out and that is not one fixed value. */
  readonly defaultText?: string;
  readonly unit?: string;
  readonly required?: true;
  /** True for what only the caller of loadModel() may set, never a file. */
  readonly callerOnly?: true;
  readonly description: string;
}

const axis: Schema = { type: 'integer', minimum: -1, maximum: maxAxisSize };
const specs: Schema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      name: { type: 'string' },
      type: { type: 'string', enum: Object.keys(elementTypes) },
      shape: { type: 'array', items: axis, maxItems: 32 },
    },
    additionalProperties: false,
    required: ['name', 'type', 'shape'],
  },
};
const pixels: Schema = { type: 'integer', minimum: 1, maximum: 16384 };
const perChannel: Schema = { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 3 };
const fileName: Schema = { type: 'string', minLength: 1, maxLength: 1024 };
const named = (maxLength: number): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  pattern: '^[^\\u0000-\\u001f\\u007f/\\\\]+$',
  description: 'without slashes and control characters',
});
const choice = (...values: string[]): Schema => ({ type: 'string', enum: values });
const integer = (minimum: number, maximum: number): Schema => ({
  type: 'integer',
  minimum,
  maximum,
});

const sizes: Schema = {
  type: 'array',
  items: integer(1, 65536),
  minItems: 1,
  maxItems: 64,
  uniqueItems: true,
};

/** All options in the order of docs/options.md, which a test compares with this table. */
export const optionTable: readonly OptionRow[] = [
  {
    key: 'name',
    schema: named(512),
    defaultText: 'name of the directory, or of the file without its extension',
    description: 'What the model is called in `info`, logs, metrics and URLs.',
  },
  {
    key: 'version',
    schema: named(64),
    default: defaults.version,
    description: 'Version of the model, shown beside its name.',
  },
  {
    key: 'engine',
    schema: choice('onnxruntime'),
    defaultText: "from the file's extension",
    description: 'The engine that runs the model.',
  },
  {
    key: 'file',
    schema: fileName,
    defaultText: 'the only model file in the directory',
    description: 'The model file, relative to its directory and inside it.',
  },
  {
    key: 'inputs',
    schema: specs,
    defaultText: 'as in the file',
    description:
      'The inputs. Checked against the file; an axis that is free (-1) in the file may be fixed here.',
  },
  {
    key: 'outputs',
    schema: specs,
    defaultText: 'as in the file',
    description: 'The outputs. Checked against the file.',
  },
  {
    key: 'preprocess.*.image.size',
    schema: { type: 'array', items: pixels, minItems: 2, maxItems: 2 },
    required: true,
    unit: 'pixels',
    description: 'Width and height of the image that the input `*` takes.',
  },
  {
    key: 'preprocess.*.image.resize',
    schema: choice('stretch', 'cover', 'contain', 'shorter'),
    default: defaults.image.resize,
    description:
      '`stretch` ignores the aspect ratio, `cover` fills and cuts the centre out, `contain` fits and pads with black, `shorter` scales the shorter side to `shorter` and cuts the centre out.',
  },
  {
    key: 'preprocess.*.image.shorter',
    schema: pixels,
    defaultText: 'the larger of `size`',
    unit: 'pixels',
    description: 'Length of the shorter side before the cut, with resize `shorter`.',
  },
  {
    key: 'preprocess.*.image.filter',
    schema: choice('lanczos', 'bilinear', 'area'),
    default: defaults.image.filter,
    description:
      'How pixels of another size are made: `lanczos`, the sharpest; `bilinear`, as Pillow and torchvision scale down; `area`, the average of what each covers, as OpenCV and MXNet do.',
  },
  {
    key: 'preprocess.*.image.layout',
    schema: choice('NCHW', 'NHWC'),
    default: defaults.image.layout,
    description: 'Order of the axes: channels before or after height and width.',
  },
  {
    key: 'preprocess.*.image.colour',
    schema: choice('rgb', 'bgr', 'gray'),
    default: defaults.image.colour,
    description: 'Channels and their order.',
  },
  {
    key: 'preprocess.*.image.scale',
    schema: { type: 'number' },
    default: defaults.image.scale,
    description: 'Factor on each pixel (0 to 255): value = (pixel * scale - mean) / std.',
  },
  {
    key: 'preprocess.*.image.mean',
    schema: perChannel,
    defaultText: '0 for each channel',
    description: 'Subtracted from each channel after scaling; one number per channel.',
  },
  {
    key: 'preprocess.*.image.std',
    schema: perChannel,
    defaultText: '1 for each channel',
    description: 'Divides each channel after that; one number per channel, none of them 0.',
  },
  {
    key: 'postprocess.*.labels',
    schema: fileName,
    defaultText: 'class numbers',
    description:
      'File of class names for the output `*` inside the directory of the model: one per line, or, where it ends in `.json`, an object of class numbers and names, as `index_to_name.json` of TorchServe.',
  },
  {
    key: 'postprocess.*.topK',
    schema: integer(1, 1_000_000),
    default: defaults.postprocess.topK,
    unit: 'classes',
    description: 'How many classes an answer names at most, best first.',
  },
  {
    key: 'postprocess.*.softmax',
    schema: { type: 'boolean' },
    default: defaults.postprocess.softmax,
    description: 'Whether scores still have to be turned into probabilities.',
  },
  {
    key: 'batching.maxBatch',
    schema: integer(1, 65536),
    defaultText:
      '32, or the largest of `buckets`; 1 when the axes 0 of the model are not one free axis',
    unit: 'rows',
    description:
      'The most rows of one run. Rows of several requests are run together; a larger request is run in parts, which may share runs with others, and is answered when all of them are there. Above 1, it also says that axis 0 is the batch axis where the file names it differently. A model whose rows depend on each other along axis 0 (a mean or a softmax over the batch, say) needs 1: with more, an answer would depend on the requests of others.',
  },
  {
    key: 'batching.maxDelayUs',
    schema: integer(0, 60_000_000),
    default: defaults.batching.maxDelayUs,
    unit: 'us',
    description: 'The longest a request may wait for others although a lane is free.',
  },
  {
    key: 'batching.mode',
    schema: choice('adaptive', 'fixed', 'triton'),
    default: defaults.batching.mode,
    description:
      "When a batch that is not full leaves although a lane is free: `adaptive` waits for more rows only while the measured arrivals say that this pays, `maxDelayUs` at most; `fixed` always waits for `maxDelayUs`; `triton` follows the rules of Triton's dynamic batcher: a batch of a size of `preferred` leaves at once, another shape ends it, no request is divided, and one of more rows than `maxBatch` is refused.",
  },
  {
    key: 'batching.preferred',
    schema: sizes,
    defaultText: '`maxBatch`',
    unit: 'rows',
    description: 'The sizes that `mode` `triton` does not wait beyond (`preferred_batch_size`).',
  },
  {
    key: 'batching.buckets',
    schema: sizes,
    defaultText: 'none: a run has as many rows as there are',
    unit: 'rows',
    description:
      'The only sizes that a run may have, ascending; the largest is `maxBatch`. A run is padded to the next one with copies of its first row, or made as several smaller ones where the measured times say that this is faster; no answer holds padding. For models compiled for these sizes: one whose file fixes axis 0 at k takes any number of rows with `[k]`.',
  },
  {
    key: 'batching.padding.*.value',
    schema: { type: 'number' },
    default: defaults.padding.value,
    description:
      'Lets requests whose free axes of the input `*` differ in length share a run: shorter ones are filled up with this value at the end. All inputs with an axis of the same name need a value; free axes of outputs have to carry names of axes of inputs, and are cut back. All requests of a run take as long as its longest one.',
  },
  {
    key: 'batching.padding.*.mask',
    schema: { type: 'string', minLength: 1 },
    defaultText: 'none',
    description:
      'The input that tells the model which elements of `*` are real: 1 for them and 0 for padding. A caller may leave it out of the inputs: then all of his elements are.',
  },
  {
    key: 'batching.maxQueue',
    schema: integer(1, 1_000_000),
    default: defaults.batching.maxQueue,
    unit: 'requests',
    description: 'The most requests that wait; one more is refused with INFER_QUEUE_FULL.',
  },
  {
    key: 'batching.maxQueueRows',
    schema: integer(1, 1_000_000_000),
    default: defaults.batching.maxQueueRows,
    unit: 'rows',
    description: 'The most rows that wait. When nothing waits, any one request is taken.',
  },
  {
    key: 'batching.maxQueueBytes',
    schema: integer(1, 1_099_511_627_776),
    default: defaults.batching.maxQueueBytes,
    unit: 'bytes',
    description:
      'The most memory of the inputs that wait. When nothing waits, any one request is taken.',
  },
  {
    key: 'placement.device',
    schema: {
      type: 'string',
      minLength: 1,
      maxLength: 32,
      pattern: '^[a-z]+(:[0-9]+)?$',
      description: 'such as "cpu" or "cuda:0"',
    },
    default: defaults.placement.device,
    description: 'Where the model runs, as `listDevices()` names it.',
  },
  {
    key: 'placement.lanes',
    schema: integer(1, 1024),
    defaultText: 'as many as `listDevices().lanes`',
    unit: 'threads',
    description:
      'How many runs of the model may go on at the same time; at most as many as `listDevices().cores`.',
  },
  {
    key: 'placement.cores',
    schema: {
      type: 'array',
      items: integer(0, 65535),
      minItems: 1,
      maxItems: 1024,
      uniqueItems: true,
    },
    defaultText: 'the `laneCores` of `listDevices()`',
    description:
      'The cores that the lanes are pinned to, one lane each; `lanes` then does not count.',
  },
  {
    key: 'placement.threadsPerRun',
    schema: integer(1, 1024),
    default: defaults.placement.threadsPerRun,
    unit: 'threads',
    description: 'Threads that share one run.',
  },
  {
    key: 'limits.timeoutMs',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: maxTimeoutMs },
    defaultText: 'no limit',
    unit: 'ms',
    description:
      'Deadline of a request, from the call of `predict()`; `timeoutMs` of the call overrides it. A run that nobody waits for any more is told to stop, and one that does not loses its thread: see hung runs in docs/api.md.',
  },
  {
    key: 'limits.maxRows',
    schema: integer(1, maxAxisSize),
    defaultText: 'no limit',
    unit: 'rows',
    description: 'The most rows of one request.',
  },
  {
    key: 'warmup',
    schema: choice('none', 'random'),
    default: defaults.warmup,
    description:
      '`random` runs one row of zeros, or every size of `buckets`, before the model is ready, so that the first request is not the slowest; the file does not load when that run fails. Free axes are 1 except where `inputs` fixes them. A load that joins a loaded model runs nothing.',
  },
  {
    key: 'enginePath',
    schema: { type: 'string', minLength: 1 },
    defaultText: 'see the search order in docs/api.md',
    callerOnly: true,
    description:
      "The engine's library file. The engine is opened once per process, so the first load decides.",
  },
];
