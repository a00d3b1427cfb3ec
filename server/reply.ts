// SPDX-License-Identifier: Apache-2.0
// The replies that several protocols make alike.
import type { HttpReply } from './route.js';

/** An object made by the server itself: indented by two spaces, one newline at the end, as MMS writes it. */
export function jsonReply(status: number, value: object): HttpReply {
  return {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify(value, undefined, 2)}\n`,
  };
}

/** JSON text that is ready. */
export function textReply(contentType: string, body: string | Uint8Array): HttpReply {
  return { status: 200, contentType, body };
}
