// SPDX-License-Identifier: Apache-2.0
// What operators ask for: metrics in the text format of Prometheus.
import { metricsType, renderMetrics } from '../../metrics.js';
import { textReply } from '../../reply.js';
import type { ErrorStyle, Protocol } from '../../route.js';

/** @param errors  of the protocol whose clients most often reach the same ports. */
export function ops(errors: ErrorStyle): Protocol {
  return {
    name: 'ops',
    errors,
    routes: server => [
      {
        listener: 'metrics',
        method: 'GET',
        path: '/metrics',
        handle: async () => textReply(metricsType, await renderMetrics(server)),
      },
    ],
  };
}
