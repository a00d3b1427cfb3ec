// SPDX-License-Identifier: Apache-2.0
// Extensions that are not offered, refused as their clients expect: shared memory, trace and logging.
import type { Handler, Route } from '../../route.js';
import { errorReply, jsonReply } from './errors.js';

const refused = {
  sharedMemory: () =>
    errorReply(501, 'Client shared memory is disabled. Send tensors in the body.'),
  trace: () => errorReply(503, 'the server does not support tracing'),
  logging: () => errorReply(503, 'the server does not support dynamic logging'),
};
/** No region is ever there. */
const status: Handler = () => jsonReply(200, []);
/** Clients that begin with taking all regions back go on. */
const unregister: Handler = () => jsonReply(200, {});

const listener = 'inference';

export const absentRoutes: readonly Route[] = [
  ...['/v2/systemsharedmemory', '/v2/cudasharedmemory'].flatMap((path): Route[] => [
    { listener, method: 'GET', path: `${path}/status`, handle: status },
    { listener, method: 'GET', path: `${path}/region/{region}/status`, handle: status },
    {
      listener,
      method: 'POST',
      path: `${path}/region/{region}/register`,
      handle: refused.sharedMemory,
    },
    { listener, method: 'POST', path: `${path}/unregister`, handle: unregister },
    { listener, method: 'POST', path: `${path}/region/{region}/unregister`, handle: unregister },
  ]),
  ...['/v2/trace/setting', '/v2/models/{model}/trace/setting'].flatMap((path): Route[] => [
    { listener, method: 'GET', path, handle: refused.trace },
    { listener, method: 'POST', path, handle: refused.trace },
  ]),
  { listener, method: 'GET', path: '/v2/logging', handle: refused.logging },
  { listener, method: 'POST', path: '/v2/logging', handle: refused.logging },
];
