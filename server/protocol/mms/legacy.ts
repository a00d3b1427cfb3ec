// SPDX-License-Identifier: Apache-2.0
// The answers of MMS 0.x, where a setting asks for them: predictions in a wrapper, and another text for health.
import type { HttpReply } from '../../route.js';

const opening = '{"prediction":[';
const closing = ']}';

/** @source  MMS 0.4: a list with the result of each output, of which a client here gets the first. */
export function wrapped(reply: HttpReply): HttpReply {
  if (reply.status !== 200) return reply;
  const { body } = reply;
  if (typeof body === 'string') return { ...reply, body: opening + body + closing };
  return { ...reply, body: Buffer.concat([Buffer.from(opening), body, Buffer.from(closing)]) };
}
