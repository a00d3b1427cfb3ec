// SPDX-License-Identifier: Apache-2.0
// Which model a request of the Open Inference Protocol means, and what the protocol tells about it.
import type { ElementType, TensorSpec } from '../../../lib/index.js';
import { headerOf } from '../../headers.js';
import type { Registration, Registry } from '../../registry/index.js';
import type { HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { choose, countVariant } from '../../traffic.js';
import { refusal } from './errors.js';

/** Names of the element types on the wire; TYPE_ and the name stand in configurations, but for strings. */
export const datatypes: Readonly<Record<ElementType, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
};

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

/**
 * What this thread runs for a request; without a version the share of the traffic that it falls into, else the default.
 * @throws  what the protocol says when there is nothing to run.
 */
export function findServed(
  server: ServerContext,
  request: HttpRequest,
  [name = '', version]: readonly string[],
): Served {
  const wanted = version ?? variantFor(server, request, name);
  const found = server.find(name, wanted);
  if (typeof found === 'object') return found;
  if (found === 'no-model') throw unknownModel(name);
  if (found === 'no-version') throw unknownVersion(name, wanted ?? '');
  throw wanted === undefined
    ? refusal(503, unknown(name, 'has no version at ready state'))
    : notReady(name, wanted);
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

/** @throws  as findServed(). */
export function findReady(registry: Registry, [name = '', version]: readonly string[]): Ready {
  const all = registry.versions(name);
  const found = version === undefined ? all[0] : all.find(own => own.version === version);
  if (all.length === 0) throw unknownModel(name);
  if (found === undefined) throw unknownVersion(name, version ?? '');
  if (!isReady(found)) throw notReady(name, found.version);
  return found;
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
