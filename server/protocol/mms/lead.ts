// SPDX-License-Identifier: Apache-2.0
// Which loaded model a prediction goes to: the version in its path, else a share of the traffic, else the default.
import { InferenceError } from '../../../lib/index.js';
import { badInput, quote, quoteAll } from '../../decode/describe.js';
import { headerOf } from '../../headers.js';
import type { HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { choose, type Traffic, type Variant } from '../../traffic.js';
import { modelNotFound, versionNotFound } from './known.js';

export interface Led {
  readonly served: Served;
  /** Empty when the traffic is not shared out. */
  readonly variant: string;
}

/** @source  SageMaker runtime API reference, InvokeEndpoint. */
const targetHeader = 'x-amzn-sagemaker-target-variant';
export const variantHeader = 'x-Amzn-Invoked-Production-Variant';

/** @throws  an error of MMS when there is nothing to run. */
export function lead(
  server: ServerContext,
  request: HttpRequest,
  [name = '', version]: readonly string[],
): Led {
  const traffic = version === undefined ? server.trafficOf(name) : undefined;
  if (traffic === undefined) return { served: find(server, name, version), variant: '' };
  const variant = pick(traffic, request);
  const served = find(server, name, variant.version);
  count(server, name, variant.name);
  return { served, variant: variant.name };
}

function pick(traffic: Traffic, request: HttpRequest): Variant {
  const { stickyHeader, variants } = traffic;
  const target = headerOf(request, targetHeader);
  const key = stickyHeader === undefined ? '' : headerOf(request, stickyHeader);
  const variant = choose(traffic, { target, key });
  if (variant !== undefined) return variant;
  const known = quoteAll(variants.map(own => own.name));
  throw badInput(`header ${targetHeader}`, `one of ${known}`, quote(target));
}

function count({ variants }: ServerContext, model: string, variant: string): void {
  const counts = variants.get(model) ?? new Map<string, number>();
  variants.set(model, counts);
  counts.set(variant, (counts.get(variant) ?? 0) + 1);
}

function find(server: ServerContext, name: string, version?: string): Served {
  const found = server.find(name, version);
  if (typeof found === 'object') return found;
  if (found === 'no-model') throw modelNotFound(name);
  if (found === 'no-version') throw versionNotFound(name, version);
  const message = `No worker is available to serve request for model: ${name}. Scale it up, or wait until it is loaded.`;
  throw new InferenceError('INFER_CLOSED', message);
}
