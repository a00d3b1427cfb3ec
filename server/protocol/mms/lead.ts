// SPDX-License-Identifier: Apache-2.0
// Which loaded model a prediction goes to: the version in its path, else a share of the traffic, else the default.
import { InferenceError } from '../../../lib/index.js';
import { badInput, quote, quoteAll } from '../../decode/describe.js';
import { headerOf } from '../../headers.js';
import type { HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { choose, countVariant, type Traffic, type Variant } from '../../traffic.js';
import { type Wanted, withServed } from '../../with_served.js';
import { modelNotFound, versionNotFound } from './known.js';
import { profileOf } from './profile.js';

/** @source  SageMaker runtime API reference, InvokeEndpoint. */
const targetHeader = 'x-amzn-sagemaker-target-variant';
export const variantHeader = 'x-Amzn-Invoked-Production-Variant';

/**
 * The share that a request for no version falls into, which is counted; undefined when the traffic is not shared out.
 * @throws  INFER_BAD_INPUT when it wants a variant that is not there.
 */
export function variantFor(
  server: ServerContext,
  name: string,
  request: HttpRequest,
): Variant | undefined {
  const traffic = server.trafficOf(name);
  if (traffic === undefined) return undefined;
  const variant = pick(traffic, request);
  countVariant(server.variants, name, variant.name);
  return variant;
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

/**
 * Runs a request with its model, which is loaded first when it was unloaded to make room.
 * @throws  an error of MMS when there is nothing to run.
 */
export function withModel<T>(
  server: ServerContext,
  { name, version }: Wanted,
  run: (served: Served) => T | Promise<T>,
): T | Promise<T> {
  return withServed(server, { name, version }, run, why => {
    if (why === 'no-model') return modelNotFound(name);
    if (why === 'no-version') return versionNotFound(name, version);
    return new InferenceError('INFER_CLOSED', profileOf(server.config).noWorker(name, version));
  });
}
