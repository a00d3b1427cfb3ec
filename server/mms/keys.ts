// SPDX-License-Identifier: Apache-2.0
// Every key of config.properties, of Multi Model Server and of TorchServe: what becomes of it here.
import type { Config } from '../config.js';

/** What a value becomes; undefined is the default, over what was said elsewhere. */
export type Settings = Partial<Record<keyof Config, unknown>>;

/** What a key takes. */
export type KeyType = 'text' | 'integer' | 'boolean' | 'address';

/** One key: either it becomes settings, or there is a reason why it has no effect. */
export interface MmsKey {
  readonly key: string;
  readonly type: KeyType;
  /** Settings from a value that is of the type. */
  readonly settings?: (value: string) => Settings;
  readonly ignored?: string;
  readonly unsupported?: string;
  /** The value that is what we do anyway. */
  readonly unless?: string;
  /** Refused when it has this value: going on as if it were not there would be unsafe. */
  readonly refused?: { readonly value: string; readonly reason: string };
  /** Has no effect beside this other key. */
  readonly yieldsTo?: string;
  /** Whether `MMS_{KEY}` may give it. */
  readonly isVariable?: true;
  /** Another variable that may. */
  readonly variable?: string;
}

const jvm = 'there is no Java machine here';
const python = 'Python is never run here';
const perModel = 'this version takes it from model.json of each model only';
const later = 'this version does not have it';
const noGrpc = 'there is no gRPC here';
const isVariable = true;

/** `http://host:port`, `https://host:port` or `unix:/path` as MMS reads it. The port may be missing. */
export const addressForm =
  /^(?:(https?):\/\/(\[[0-9a-f:]+\]|[^/:[\]]+)(?::(\d{1,5}))?\/?|unix:(\/.+))$/i;

/** Ports that are not said, without TLS and with it. */
function address(host: keyof Config, port: keyof Config, usual: readonly [number, number]) {
  return (value: string): Settings => {
    const [, scheme = '', name = '', given, path] = addressForm.exec(value) ?? [];
    if (path !== undefined) return { [host]: `unix:${path}`, [port]: undefined };
    const isTls = scheme.toLowerCase() === 'https';
    const bare = name.replace(/^\[|\]$/g, '');
    const usualPort = usual[isTls ? 1 : 0];
    return {
      [host]: isTls ? `https://${bare}` : bare,
      [port]: given === undefined ? usualPort : Number(given),
    };
  };
}

const largestResponse = 2 ** 28;
const mostThreads = 64;
const longestMs = 3_600_000;
const longestResponseMs = 86_400_000;

/** What our own limits allow at most stands for what is beyond them. */
const used: readonly MmsKey[] = [
  {
    key: 'inference_address',
    type: 'address',
    settings: address('host', 'port', [80, 443]),
    isVariable,
  },
  {
    key: 'management_address',
    type: 'address',
    settings: address('managementHost', 'managementPort', [8081, 8444]),
    isVariable,
  },
  {
    key: 'metrics_address',
    type: 'address',
    settings: address('metricsHost', 'metricsPort', [8082, 8445]),
  },
  textKey('model_store', 'modelStore'),
  { key: 'load_models', type: 'text', settings: value => ({ models: listOf(value) }), isVariable },
  {
    key: 'max_request_size',
    type: 'integer',
    settings: value => ({ maxRequestBytes: Number(value) }),
    isVariable,
  },
  {
    key: 'max_response_size',
    type: 'integer',
    settings: value => ({ maxResponseBytes: Math.min(Number(value), largestResponse) }),
    isVariable,
  },
  {
    key: 'number_of_netty_threads',
    type: 'integer',
    settings: value => ({ httpThreads: Math.min(Number(value), mostThreads) || undefined }),
    isVariable,
  },
  {
    key: 'default_workers_per_model',
    type: 'integer',
    settings: value => ({ defaultWorkers: Number(value) }),
    isVariable,
  },
  textKey('cors_allowed_origin', 'corsAllowedOrigin'),
  textKey('cors_allowed_methods', 'corsAllowedMethods'),
  textKey('cors_allowed_headers', 'corsAllowedHeaders'),
  textKey('keystore', 'tlsKeystore'),
  textKey('keystore_pass', 'tlsPassphrase'),
  textKey('private_key_file', 'tlsPrivateKeyFile'),
  textKey('certificate_file', 'tlsCertificateFile'),
  {
    key: 'default_response_timeout', // minutes, as in MMS, whose manual says seconds
    type: 'integer',
    settings: value => responseTimeout(Number(value) * 60_000),
    yieldsTo: 'default_response_timeout_seconds',
    isVariable,
  },
  {
    key: 'default_response_timeout_seconds',
    type: 'integer',
    settings: value => responseTimeout(Number(value) * 1000),
    isVariable,
  },
  {
    key: 'unregister_model_timeout',
    type: 'integer',
    settings: value => ({ unregisterTimeoutMs: Math.min(Number(value) * 1000, longestMs) }),
    isVariable,
  },
  {
    key: 'legacy_04_responses',
    type: 'boolean',
    settings: value => (value.toLowerCase() === 'true' ? { profile: 'mms-0.x' } : {}),
  },
];

/** An empty one takes back what is said elsewhere. */
function textKey(key: string, setting: keyof Config): MmsKey {
  return { key, type: 'text', settings: value => ({ [setting]: value || undefined }), isVariable };
}

/** A negative one is as none. */
function responseTimeout(timeoutMs: number): Settings {
  return timeoutMs < 0 ? {} : { responseTimeoutMs: Math.min(timeoutMs, longestResponseMs) };
}

function listOf(value: string): readonly string[] | undefined {
  const names = value.split(',').map(name => name.trim());
  const models = names.filter(name => name !== '');
  return models.length === 0 ? undefined : models;
}

const withoutEffect: readonly MmsKey[] = [
  { key: 'job_queue_size', type: 'integer', unsupported: perModel, isVariable },
  { key: 'number_of_gpu', type: 'integer', unsupported: later, unless: '0', isVariable },
  {
    key: 'decode_input_request',
    type: 'boolean',
    ignored: 'a body always becomes tensors',
    isVariable,
  },
  { key: 'keystore_type', type: 'text', ignored: 'the keystore itself tells', isVariable },
  { key: 'debug', type: 'boolean', unsupported: later, unless: 'false', isVariable },
  { key: 'plugins_path', type: 'text', unsupported: 'plugins are Java classes' },
  { key: 'metric_time_interval', type: 'integer', unsupported: 'metrics are read at /metrics' },
  { key: 'default_service_handler', type: 'text', ignored: python, isVariable },
  { key: 'blacklist_env_vars', type: 'text', ignored: python, isVariable },
  { key: 'PYTHON_EXECUTABLE', type: 'text', ignored: python },
  { key: 'NUM_WORKERS', type: 'integer', ignored: 'lanes follow the cores' },
  { key: 'netty_client_threads', type: 'integer', ignored: jvm, isVariable },
  { key: 'prefer_direct_buffer', type: 'boolean', ignored: jvm, isVariable },
  { key: 'use_native_io', type: 'boolean', ignored: jvm },
  { key: 'io_ratio', type: 'integer', ignored: jvm },
  { key: 'vmargs', type: 'text', ignored: jvm },
  { key: 'model_server_home', type: 'text', ignored: jvm },
  { key: 'async_logging', type: 'boolean', ignored: 'the log never waits', isVariable },
  {
    key: 'preload_model',
    type: 'boolean',
    ignored: 'a model is loaded once for all its lanes',
    isVariable,
  },
  { key: 'enable_envvars_config', type: 'boolean', settings: () => ({}) }, // read before all others
];

const ofTorchServe: readonly MmsKey[] = [
  {
    key: 'disable_token_authorization',
    type: 'boolean',
    settings: value => (value === 'false' ? { tokens: 'required' } : {}),
    variable: 'TS_DISABLE_TOKEN_AUTHORIZATION',
  },
  {
    key: 'token_expiration_min',
    type: 'integer',
    unsupported: 'tokens go when their file changes',
  },
  {
    key: 'enable_model_api',
    type: 'boolean',
    settings: () => ({}),
    refused: { value: 'false', reason: 'true: this version always has the management API' },
  },
  { key: 'allowed_urls', type: 'text', settings: value => ({ allowedUrls: listOf(value) }) },
  { key: 'use_env_allowed_urls', type: 'boolean', unsupported: later, unless: 'false' },
  { key: 'models', type: 'text', unsupported: perModel },
  { key: 'default_startup_timeout', type: 'integer', unsupported: later },
  { key: 'enable_metrics_api', type: 'boolean', unsupported: later, unless: 'true' },
  { key: 'limit_max_image_pixels', type: 'boolean', unsupported: later, unless: 'true' },
  { key: 'ts_open_inference_protocol', type: 'text', unsupported: later },
  { key: 'workflow_store', type: 'text', unsupported: later },
  { key: 'metrics_mode', type: 'text', ignored: 'metrics are read at /metrics' },
  { key: 'metrics_config', type: 'text', ignored: 'metrics are read at /metrics' },
  { key: 'model_metrics_auto_detect', type: 'boolean', ignored: python },
  { key: 'disable_system_metrics', type: 'boolean', ignored: 'there are none of the host' },
  { key: 'system_metrics_cmd', type: 'text', ignored: 'there are none of the host' },
  { key: 'install_py_dep_per_model', type: 'boolean', ignored: python },
  { key: 'service_envelope', type: 'text', ignored: 'the body of a request tells its form' },
  { key: 'initial_worker_port', type: 'integer', ignored: 'lanes have no ports' },
  { key: 'model_snapshot', type: 'text', ignored: 'no snapshots are written' },
];

/** Keys of families that nobody lists in full. */
const families: readonly { readonly start: RegExp; readonly row: Omit<MmsKey, 'key'> }[] = [
  { start: /^(?:grpc_|enable_grpc_)/, row: { type: 'text', unsupported: noGrpc } },
  { start: /^(?:cpu_launcher_|ipex_)/, row: { type: 'text', ignored: python } },
];

/** All keys that have names of their own. */
export const mmsKeys: readonly MmsKey[] = [...used, ...withoutEffect, ...ofTorchServe];

/** The row of a key; undefined for one that is not known. */
export function keyRow(key: string): MmsKey | undefined {
  const family = families.find(({ start }) => start.test(key));
  return mmsKeys.find(row => row.key === key) ?? (family && { key, ...family.row });
}
