// SPDX-License-Identifier: Apache-2.0
// What only SageMaker asks for: how a batch transform job should send its records.
import { listDevices } from '../../../lib/index.js';
import type { Config } from '../../config.js';
import { jsonReply } from '../../reply.js';
import type { ErrorStyle, Protocol } from '../../route.js';

/** @param errors  of the protocol that the predictions are in. */
export function sageMaker(errors: ErrorStyle): Protocol {
  return {
    name: 'sagemaker',
    errors,
    routes: ({ config }) => {
      if (config.sageMaker === 'off') return [];
      const handle = () => jsonReply(200, executionParameters(config, listDevices().lanes));
      const path = '/execution-parameters';
      return [{ listener: 'inference', method: 'GET', path, isOpen: true, handle }];
    },
  };
}

const megabyte = 2 ** 20;
/** @source  SageMaker API reference, CreateTransformJob: the product of both numbers. */
const mostMegabytes = 100;

/** @param lanes  of a model for which nobody says how many. */
export function executionParameters(
  { maxRequestBytes, defaultWorkers }: Pick<Config, 'maxRequestBytes' | 'defaultWorkers'>,
  lanes: number,
): object {
  const payload = Math.floor(maxRequestBytes / megabyte);
  const MaxPayloadInMB = Math.min(Math.max(payload, 1), mostMegabytes);
  const workers =
    defaultWorkers === 0 ? lanes : Math.min(defaultWorkers, listDevices().cores.length);
  const most = Math.floor(mostMegabytes / MaxPayloadInMB);
  const MaxConcurrentTransforms = Math.max(1, Math.min(workers, most));
  return { MaxConcurrentTransforms, BatchStrategy: 'MULTI_RECORD', MaxPayloadInMB };
}
