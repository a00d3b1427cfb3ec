// SPDX-License-Identifier: Apache-2.0
// The list of protocols: one line each.
import type { ErrorStyle, Protocol } from '../route.js';
import { errors } from './mms/errors.js';
import { mms } from './mms/routes.js';
import { ops } from './ops/routes.js';

export const protocols: readonly Protocol[] = [mms, ops(errors)];

/** What a request gets that no route takes, or that breaks the rules of HTTP. */
export const defaultErrors: ErrorStyle = errors;
