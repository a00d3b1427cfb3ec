// SPDX-License-Identifier: Apache-2.0
// The part of the protocol buffers wire format that an ONNX file needs: a message is a list of byte chunks.

/** The encoded fields of one message, in order; joined only when the file is written. */
export type Message = readonly Uint8Array[];

const varintType = 0;
const lengthType = 2;
const fixed32Type = 5;

/** Base-128 varint of a safe integer; a negative one takes ten bytes, as the format says for int64. */
function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(field * 8 + wireType);
}

/** An int32, int64, bool or enum field. */
export function integer(field: number, value: number): Message {
  return [tag(field, varintType), varint(value)];
}

/** A float field. */
export function float(field: number, value: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [tag(field, fixed32Type), bytes];
}

/** A bytes field; the chunk is kept, not copied. */
export function bytes(field: number, value: Uint8Array): Message {
  return [tag(field, lengthType), varint(value.byteLength), value];
}

/** A string field. */
export function text(field: number, value: string): Message {
  return bytes(field, new TextEncoder().encode(value));
}

/** A field that holds another message. */
export function nested(field: number, value: Message): Message {
  return [tag(field, lengthType), varint(sizeOf(value)), ...value];
}

/** Bytes of a message once it is joined. */
export function sizeOf(message: Message): number {
  return message.reduce((sum, chunk) => sum + chunk.byteLength, 0);
}
