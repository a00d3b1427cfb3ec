// SPDX-License-Identifier: Apache-2.0
// The HTTP requests of the benchmarks: one row for the micro model, and a ping.
import type { HttpRequest } from './connection.js';

/** Open Inference Protocol V2 JSON, the form that the design's goals are about. */
export const microRequest: HttpRequest = {
  method: 'POST',
  path: '/predictions/micro',
  body: JSON.stringify({
    inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] }],
  }),
};

/** An answer to it of the usual size, for a server that does nothing else. */
export const microAnswer = JSON.stringify({
  model_name: 'micro',
  model_version: '1',
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [1, 3], data: [0.0012345678, 0.8987654, 0.10123456] },
  ],
});

export const pingRequest: HttpRequest = { method: 'GET', path: '/ping' };
