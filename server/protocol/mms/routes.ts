// SPDX-License-Identifier: Apache-2.0
// The Multi Model Server API, in the order in which its routes count: descriptors, inference, management.
import type { Protocol } from '../../route.js';
import { descriptorRoutes } from './descriptors.js';
import { errors } from './errors.js';
import { inferenceRoutes } from './inference.js';
import { managementRoutes } from './management.js';

/** Predictions also take tensors in the form of V2, and answer in kind. */
export const mms: Protocol = {
  name: 'mms',
  errors,
  routes: (server, listeners) => [
    ...descriptorRoutes(server, listeners),
    ...inferenceRoutes(server),
    ...managementRoutes(server),
  ],
};
