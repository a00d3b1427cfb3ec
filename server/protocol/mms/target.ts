// SPDX-License-Identifier: Apache-2.0
// The name that clients of SageMaker know a model by: told when it is loaded, and with its requests, for comparison only.
import { badInput, quote } from '../../decode/describe.js';
import { headerOf } from '../../headers.js';
import type { HttpRequest, ServerContext } from '../../route.js';

/** @source  SageMaker runtime API reference, InvokeEndpoint: TargetModel. */
const header = 'x-amzn-sagemaker-target-model';

/** Empty when it did not come. */
export function targetOf(request: HttpRequest): string {
  return headerOf(request, header);
}

/**
 * The path alone says which model is meant.
 * @throws  INFER_BAD_INPUT when the header of this request belongs to another one.
 */
export function checkTarget(
  server: Pick<ServerContext, 'targetOf'>,
  name: string,
  request: HttpRequest,
): void {
  const known = server.targetOf(name);
  if (known === undefined) return;
  const given = targetOf(request);
  if (given === '' || given === known) return;
  throw badInput(`header ${header}`, `that of model ${quote(name)}`, quote(given));
}
