// SPDX-License-Identifier: Apache-2.0
// The list of protocols: one line each.
import type { ErrorStyle, Protocol } from '../route.js';
import { errors } from './mms/errors.js';
import { mms } from './mms/routes.js';
import { ops } from './ops/routes.js';
import { sageMaker } from './sagemaker/routes.js';
import { errors as v2Errors } from './v2/errors.js';
import { v2 } from './v2/routes.js';

export const protocols: readonly Protocol[] = [mms, v2, sageMaker(errors), ops(errors)];

/** What a request gets that no route takes, or that breaks the rules of HTTP. */
export const defaultErrors: ErrorStyle = {
  fromError: errors.fromError,
  fromStatus: (status, message, path = '') =>
    (/^\/v[12](\/|$)/.test(path) ? v2Errors : errors).fromStatus(status, message),
};
