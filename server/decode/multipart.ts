// SPDX-License-Identifier: Apache-2.0
// multipart/form-data -> its parts, each as raw bytes.
import { Busboy } from '@fastify/busboy';
import { badInput } from './describe.js';

export interface Part {
  /** Without parameters, in lower case; empty for plain text, which is what a part is that names none. */
  readonly contentType: string;
  readonly bytes: Buffer;
}

const maxParts = 100;

/**
 * @param body         the whole body.
 * @param contentType  of the request, with its boundary.
 * @returns            parts by name; of several with one name the last, as in MMS.
 * @throws             INFER_BAD_INPUT when the boundary is missing, the end is missing, or there are over 100 parts.
 */
export function readParts(body: Buffer, contentType: string): Promise<Map<string, Part>> {
  return new Promise((resolve, reject) => {
    const parts = new Map<string, Part>();
    let failed = false;
    const refuse = (expected: string, got: string) => {
      failed = true;
      reject(badInput('body', expected, got));
    };
    const fail = (reason: string) => refuse('a complete multipart/form-data body', reason);
    try {
      const parser = new Busboy({
        headers: { 'content-type': contentType },
        limits: { parts: maxParts, headerPairs: 20, headerSize: 8192, fieldNameSize: 256 },
        isPartAFile: () => true, // a text part would be decoded, and so damaged if it is none
      });
      parser.on('file', (name: string | undefined, stream, _filename, _encoding, type) => {
        if (name === undefined) {
          stream.resume();
          refuse('a name for each part', 'a part without one');
          return;
        }
        const chunks: Buffer[] = [];
        stream.on('data', chunk => chunks.push(chunk));
        stream.on('error', error => fail(error.message));
        stream.on('end', () => {
          const contentType = type.toLowerCase();
          parts.set(name, {
            contentType: contentType === 'text/plain' ? '' : contentType,
            bytes: Buffer.concat(chunks),
          });
        });
      });
      parser.on('partsLimit', () => fail(`more than ${maxParts} parts`));
      parser.on('error', error => fail(error instanceof Error ? error.message : String(error)));
      parser.on('finish', () => resolve(parts));
      feed(parser, body, () => failed);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  });
}

/** How much is parsed before it is looked whether the rest matters. */
const sliceBytes = 65_536;

/** Hands the body over in slices, so that what is refused early is not parsed to its end. */
function feed(parser: InstanceType<typeof Busboy>, body: Buffer, isOver: () => boolean): void {
  const next = (offset: number) => {
    if (isOver()) return;
    const end = offset + sliceBytes;
    if (end >= body.length) parser.end(body.subarray(offset));
    else parser.write(body.subarray(offset, end), () => next(end));
  };
  next(0);
}
