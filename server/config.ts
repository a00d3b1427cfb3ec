// SPDX-License-Identifier: Apache-2.0
// The table of settings, and the Config that is made of it.

/** Which contract of SageMaker is kept: none, that of one model, or that of many. */
export type SageMakerMode = 'off' | 'single' | 'multi';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** All settings of `serve`, checked and frozen. Units and ranges: the table below. */
export interface Config {
  readonly models: readonly string[];
  readonly modelStore: string;
  readonly workDir: string;
  readonly maxPackageBytes: number;
  readonly allowedUrls: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly managementHost: string;
  readonly managementPort: number;
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly tokenFiles: readonly string[];
  readonly tokens: 'optional' | 'required';
  readonly tlsKeystore: string;
  readonly tlsCertificateFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly tlsPassphrase: string;
  readonly tlsPassphraseFile: string;
  readonly corsAllowedOrigin: string;
  readonly corsAllowedMethods: string;
  readonly corsAllowedHeaders: string;
  readonly httpThreads: number;
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxResponseBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxImagePixels: number;
  readonly maxWaitingImages: number;
  readonly defaultWorkers: number;
  readonly modelControlMode: 'none' | 'explicit';
  readonly memoryBudgetBytes: number;
  readonly maxLoadedModels: number;
  readonly maxLoadedBytes: number;
  readonly responseTimeoutMs: number;
  readonly startupTimeoutMs: number;
  readonly unregisterTimeoutMs: number;
  readonly drainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly drainGraceMs: number;
  readonly profile: 'mms' | 'mms-0.x' | 'torchserve';
  readonly sageMaker: SageMakerMode;
  readonly logLevel: LogLevel;
}

export type Value = string | number | readonly string[];

/** One setting. Flag and environment variable follow from the key: `maxRequestBytes`, `--max-request-bytes`, `INFERENCE_NATIVE_MAX_REQUEST_BYTES`. */
export interface SettingRow {
  readonly key: keyof Config;
  readonly type: 'text' | 'integer' | 'list' | 'choice';
  /** Smallest and largest value of an integer. */
  readonly range?: readonly [number, number];
  readonly choices?: readonly string[];
  /** Never shown. */
  readonly isSecret?: true;
  /** Whether it becomes part of a header. */
  readonly isHeader?: true;
  readonly default: Value;
  readonly unit?: string;
  readonly description: string;
}

/** As many workers a model can have; more than a machine has lanes, and each of them is described. */
export const mostWorkers = 4096;

const port = { type: 'integer', range: [0, 65535] } as const;
const text = { type: 'text', default: '' } as const;
const header = { ...text, isHeader: true } as const;
const host = { type: 'text', default: '127.0.0.1' } as const;
const bytes = { type: 'integer', range: [1, 2 ** 31 - 1], unit: 'bytes' } as const;
const milliseconds = { type: 'integer', range: [0, 3_600_000], unit: 'ms' } as const;

/** All settings in the order of docs/server.md, which a test compares with this table. */
export const settingTable: readonly SettingRow[] = [
  {
    key: 'models',
    type: 'list',
    default: [],
    description:
      'Models to serve, each a path or `name=path`; also given as arguments without a flag, or `ALL` for those in `modelStore`. Without any the shipped ones are served.',
  },
  {
    key: 'modelStore',
    type: 'text',
    default: '',
    description: 'Directory that relative paths of models start at, and stay in.',
  },
  {
    key: 'workDir',
    type: 'text',
    default: '',
    description:
      'Directory that archives are unpacked in, of this server and user alone; without it one in the temporary directory.',
  },
  {
    key: 'maxPackageBytes',
    ...bytes,
    range: [1, 2 ** 40],
    default: 2 ** 33,
    description: 'The most that one archive may unpack to, or that is fetched for one model.',
  },
  {
    key: 'allowedUrls',
    type: 'list',
    default: [],
    description:
      'Regular expressions of whole `http:`, `https:` and `s3:` URLs that models may be fetched from.',
  },
  {
    key: 'host',
    ...host,
    description:
      'Address that the inference API listens on; `https://` before it for TLS, or `unix:` and the path of a socket.',
  },
  { key: 'port', ...port, default: 8080, description: 'Its port; 0 takes a free one.' },
  { key: 'managementHost', ...host, description: 'The same for the management API.' },
  {
    key: 'managementPort',
    ...port,
    default: 8081,
    description: 'Its port; that of another API on the same address joins the two.',
  },
  { key: 'metricsHost', ...host, description: 'The same for the metrics.' },
  {
    key: 'metricsPort',
    ...port,
    default: 8082,
    description: 'Its port; that of another API on the same address joins the two.',
  },
  {
    key: 'tokenFiles',
    type: 'list',
    default: [],
    description:
      'Files with the bearer tokens that requests need, one a line: a path for all APIs, or `inference=`, `management=` or `metrics=` and one.',
  },
  {
    key: 'tokens',
    type: 'choice',
    choices: ['optional', 'required'],
    default: 'optional',
    description: 'Whether the start is refused while an API has no `tokenFiles`.',
  },
  {
    key: 'tlsKeystore',
    ...text,
    description: 'File in PKCS #12 with the private key and the certificates of TLS.',
  },
  {
    key: 'tlsCertificateFile',
    ...text,
    description: 'The certificates in PEM instead; with `tlsPrivateKeyFile`.',
  },
  { key: 'tlsPrivateKeyFile', ...text, description: 'Their private key in PEM.' },
  {
    key: 'tlsPassphrase',
    ...text,
    isSecret: true,
    description:
      'Of keystore or key; other users may see flags. `changeit` for a keystore unless it is said.',
  },
  {
    key: 'tlsPassphraseFile',
    ...text,
    description: 'File with that passphrase; counts over `tlsPassphrase`.',
  },
  {
    key: 'corsAllowedOrigin',
    ...header,
    description: 'Text of the header `Access-Control-Allow-Origin` of all answers.',
  },
  {
    key: 'corsAllowedMethods',
    ...header,
    description: 'The same for `Access-Control-Allow-Methods`.',
  },
  {
    key: 'corsAllowedHeaders',
    ...header,
    description: 'The same for `Access-Control-Allow-Headers`.',
  },
  {
    key: 'httpThreads',
    type: 'integer',
    range: [1, 64],
    default: 1,
    unit: 'threads',
    description: 'Event loops that share the port of the inference API.',
  },
  {
    key: 'maxRequestBytes',
    ...bytes,
    default: 6_553_500,
    description: 'Largest body of one request; a larger one is answered 413.',
  },
  {
    key: 'maxBufferedBytes',
    ...bytes,
    range: [1, 2 ** 40],
    default: 2 ** 28,
    description: 'Memory for the bodies of all requests together; beyond it the answer is 503.',
  },
  {
    key: 'maxResponseBytes',
    ...bytes,
    range: [1, 2 ** 28],
    default: 2 ** 26,
    description:
      'Largest JSON of tensors, estimated before it is written; a larger one is answered 400.',
  },
  {
    key: 'maxHeaderBytes',
    ...bytes,
    range: [4096, 2 ** 20],
    default: 16_384,
    description: 'Largest request line and headers of one request; beyond it the answer is 431.',
  },
  {
    key: 'maxImagePixels',
    type: 'integer',
    range: [1, 2 ** 32],
    default: 40_000_000,
    unit: 'pixels',
    description: 'Largest width times height of an image, looked at before it is decoded.',
  },
  {
    key: 'maxWaitingImages',
    type: 'integer',
    range: [0, 65_536],
    default: 256,
    unit: 'images',
    description: 'How many images may wait to be decoded; beyond it the answer is 503.',
  },
  {
    key: 'defaultWorkers',
    type: 'integer',
    range: [0, mostWorkers],
    default: 0,
    unit: 'lanes',
    description:
      'Lanes of a model, unless it is registered with `initial_workers`. With 0 those served from the start have the usual ones, and those that the management API registers have none: they serve when they are scaled up.',
  },
  {
    key: 'modelControlMode',
    type: 'choice',
    choices: ['none', 'explicit'],
    default: 'none',
    description:
      'Whether clients of the inference API may load and unload models by the repository extension of the Open Inference Protocol: `explicit` lets them.',
  },
  {
    key: 'memoryBudgetBytes',
    type: 'integer',
    range: [0, 2 ** 50],
    default: 0,
    unit: 'bytes',
    description:
      'Memory of the process that models may be loaded within; beyond it the answer is 507. With 0 that of the control group, or of the machine.',
  },
  {
    key: 'maxLoadedModels',
    type: 'integer',
    range: [0, 2 ** 20],
    default: 0,
    unit: 'models',
    description:
      'How many models are loaded at a time; more are registered, and loaded when a request comes. With 0 there is no limit.',
  },
  {
    key: 'maxLoadedBytes',
    type: 'integer',
    range: [0, 2 ** 50],
    default: 0,
    unit: 'bytes',
    description: 'The same by the size of their files; with 0 there is no limit.',
  },
  {
    key: 'responseTimeoutMs',
    ...milliseconds,
    range: [0, 86_400_000],
    default: 0,
    description:
      'How long a prediction may take, waiting included, by a model that says nothing of it (`limits.timeoutMs`); then the answer is 504. With 0 there is no limit.',
  },
  {
    key: 'startupTimeoutMs',
    ...milliseconds,
    default: 0,
    description:
      'How long loading the models of the start may take before the server gives up; with 0 any time.',
  },
  {
    key: 'unregisterTimeoutMs',
    ...milliseconds,
    default: 120_000,
    description: 'How long accepted requests may still take when their model is unregistered.',
  },
  {
    key: 'drainDelayMs',
    ...milliseconds,
    default: 0,
    description:
      'How long requests are still taken after SIGTERM or SIGINT while `/ping` says 503, so that a load balancer finds out.',
  },
  {
    key: 'drainTimeoutMs',
    ...milliseconds,
    default: 25_000,
    description: 'How long accepted requests may still take after SIGTERM or SIGINT.',
  },
  {
    key: 'drainGraceMs',
    ...milliseconds,
    default: 1_000,
    description: 'How long idle connections are kept open while draining.',
  },
  {
    key: 'profile',
    type: 'choice',
    choices: ['mms', 'mms-0.x', 'torchserve'],
    default: 'mms',
    description:
      'The server whose answers clients expect: Multi Model Server 1.x, the same with the answers of 0.x to its own routes, or TorchServe.',
  },
  {
    key: 'sageMaker',
    type: 'choice',
    choices: ['off', 'single', 'multi'],
    default: 'off',
    description:
      'The contract of SageMaker that is kept, for one model or for many; found out from its environment unless it is given.',
  },
  {
    key: 'logLevel',
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'Least severe log lines that are written.',
  },
];

/** `--max-request-bytes` */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
}

/** `INFERENCE_NATIVE_MAX_REQUEST_BYTES` */
export function variableOf(key: string): string {
  return `INFERENCE_NATIVE_${key.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`;
}

/** What one HTTP thread works with: an equal part of what the process may hold in all, so that none asks the others. */
export function threadShareOf(config: Config): Config {
  const { httpThreads, maxBufferedBytes, maxWaitingImages } = config;
  return {
    ...config,
    maxBufferedBytes: Math.floor(maxBufferedBytes / httpThreads),
    maxWaitingImages: Math.floor(maxWaitingImages / httpThreads),
  };
}
