// SPDX-License-Identifier: Apache-2.0
// Which model a request of the Open Inference Protocol means, and what the protocol tells about it.
import type { ElementType, TensorSpec } from '../../../lib/index.js';
import { datatypes } from '../../decode/datatypes.js';
import { headerOf } from '../../headers.js';
import type { Registration, Registry } from '../../registry/index.js';
import type { HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { choose, countVariant } from '../../traffic.js';
import { withServed } from '../../with_served.js';
import { refusal } from './errors.js';

const shownCharacters = 128;

function unknown(name: string, what: string): string {
  return `Request for unknown model: '${name.slice(0, shownCharacters)}' ${what}`;
}

export function unknownModel(name: string): Error {
  return refusal(404, unknown(name, 'is not found'));
}

function unknownVersion(name: string, version: string): Error {
  return refusal(404, unknown(name, `version ${version.slice(0, shownCharacters)} is not found`));
}

function notReady(name: string, version: string): Error {
  return refusal(503, unknown(name, `version ${version} is not at ready state`));
}

/** A request with the name of the model and, where it has one, the version. */
interface Asking {
  readonly request: HttpRequest;
  readonly params: readonly string[];
}

/**
 * Runs a request with its model; without a version the share of the traffic that it falls into, else the default. What
 * was unloaded to make room is loaded first.
 * @throws  what the protocol says when there is nothing to run.
 */
export function withModel<T>(
  server: ServerContext,
  { request, params: [name = '', given] }: Asking,
  run: (served: Served) => T | Promise<T>,
): T | Promise<T> {
  const version = given ?? variantFor(server, request, name);
  return withServed(server, { name, version }, run, why => {
    if (why === 'no-model') return unknownModel(name);
    if (why === 'no-version') return unknownVersion(name, version ?? '');
    return version === undefined
      ? refusal(503, unknown(name, 'has no version at ready state'))
      : notReady(name, version);
  });
}

function variantFor(server: ServerContext, request: HttpRequest, name: string): string | undefined {
  const traffic = server.trafficOf(name);
  if (traffic === undefined) return undefined;
  const { stickyHeader } = traffic;
  const key = stickyHeader === undefined ? '' : headerOf(request, stickyHeader);
  const variant = choose(traffic, { target: '', key });
  if (variant === undefined) return undefined;
  countVariant(server.variants, name, variant.name);
  return variant.version;
}

/** A registration that runs, and is meant to. */
export type Ready = Registration & { readonly model: NonNullable<Registration['model']> };

export function isReady(registration: Registration): registration is Ready {
  return registration.model !== undefined && registration.maxWorkers > 0;
}

/** Whether requests are answered: what was unloaded to make room is loaded for the next one. */
export function isServing(registration: Registration): boolean {
  return isReady(registration) || registration.isEvicted;
}

/** @throws  as withModel(). */
export function findServing(
  registry: Registry,
  [name = '', version]: readonly string[],
): Registration {
  const all = registry.versions(name);
  const found = version === undefined ? all[0] : all.find(own => own.version === version);
  if (all.length === 0) throw unknownModel(name);
  if (found === undefined) throw unknownVersion(name, version ?? '');
  if (!isServing(found)) throw notReady(name, found.version);
  return found;
}

/**
 * Runs with what only a loaded model tells; one that was unloaded to make room is loaded first.
 * @throws  as withModel(), and what loading throws.
 */
export async function withReady<T>(
  { registry, await: load }: ServerContext,
  params: readonly string[],
  run: (ready: Ready) => T,
): Promise<T> {
  const found = findServing(registry, params);
  if (isReady(found)) return run(found);
  const { name, version } = found;
  const { model, release } = await load(name, version);
  try {
    return run({ ...found, model });
  } finally {
    release();
  }
}

/** @param versions  that are ready. */
export function metadataOf({ name, model }: Ready, versions: readonly string[]): object {
  const { inputs, outputs } = model.info.signature;
  return {
    name,
    versions: [...versions].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1)),
    platform,
    inputs: inputs.map(tensorOf),
    outputs: outputs.map(tensorOf),
  };
}

/** All models are of this engine. */
const platform = 'onnxruntime_onnx';

function tensorOf({ name, type, shape }: TensorSpec): object {
  return { name, datatype: datatypes[type], shape };
}

function typeName(type: ElementType): string {
  return type === 'string' ? 'TYPE_STRING' : `TYPE_${datatypes[type]}`;
}

/** The configuration as Triton would have it: without its batch axis where requests share runs. */
export function configOf({ name, model }: Ready): object {
  const { signature, batching, lanes, path } = model.info;
  const isBatched = batching.maxBatch > 1;
  const dimsOf = ({ shape }: TensorSpec) => (isBatched ? shape.slice(1) : shape);
  return {
    name,
    platform,
    backend: 'onnxruntime',
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: isBatched ? batching.maxBatch : 0,
    input: signature.inputs.map(spec => ({
      name: spec.name,
      data_type: typeName(spec.type),
      format: 'FORMAT_NONE',
      dims: dimsOf(spec),
      is_shape_tensor: false,
      allow_ragged_batch: false,
      optional: false,
    })),
    output: signature.outputs.map(spec => ({
      name: spec.name,
      data_type: typeName(spec.type),
      dims: dimsOf(spec),
      label_filename: '',
      is_shape_tensor: false,
    })),
    batch_input: [],
    batch_output: [],
    optimization: { priority: 'PRIORITY_DEFAULT' },
    ...(isBatched ? { dynamic_batching: batchingOf(batching) } : {}),
    instance_group: [
      {
        name,
        kind: 'KIND_CPU',
        count: lanes.length,
        gpus: [],
        profile: [],
        passive: false,
        host_policy: '',
      },
    ],
    default_model_filename: path.slice(path.lastIndexOf('/') + 1),
    cc_model_filenames: {},
    metric_tags: {},
    parameters: {},
    model_warmup: [],
  };
}

function batchingOf({
  maxBatch,
  maxDelayUs,
  preferred,
}: Ready['model']['info']['batching']): object {
  return {
    preferred_batch_size: preferred ?? [maxBatch],
    max_queue_delay_microseconds: maxDelayUs,
    preserve_ordering: false,
    priority_levels: 0,
    default_priority_level: 0,
    priority_queue_policy: {},
  };
}
