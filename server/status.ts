// SPDX-License-Identifier: Apache-2.0
// Status lines of HTTP.
import { STATUS_CODES } from 'node:http';

/** `200 OK`; a status without a registered phrase stands alone. */
export function statusLine(status: number): string {
  const phrase = STATUS_CODES[status];
  return phrase === undefined ? String(status) : `${status} ${phrase}`;
}
