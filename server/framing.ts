// SPDX-License-Identifier: Apache-2.0
// Rules on the headers that say where a request ends, as far as the HTTP parser leaves them open.

/** Why a request is answered before any handler sees it. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** The headers that the server looks at; empty when one did not come. */
export interface Head {
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly host: string;
  readonly origin: string;
  readonly connection: string;
  /** Bytes announced; undefined for a chunked body; 0 when there is none. */
  readonly declaredBytes: number | undefined;
  /** Set when it is not certain where this request ends: answer and close. */
  readonly refusal: Refusal | undefined;
}

type EachHeader = (visit: (name: string, value: string) => void) => void;

/**
 * Reads the headers of one request, each seen once.
 * @param each  calls its argument for every header line, in order, with the name in lower case.
 */
export function readHead(each: EachHeader): Head {
  let contentType = '';
  let contentEncoding = '';
  let host = '';
  let origin = '';
  let connection = '';
  let expect = '';
  let length: string | undefined;
  let coding: string | undefined;
  let repeated = '';
  each((name, value) => {
    switch (name) {
      case 'content-length':
        if (length !== undefined) repeated = name;
        length = value;
        break;
      case 'transfer-encoding':
        if (coding !== undefined) repeated = name;
        coding = value;
        break;
      case 'content-type':
        if (contentType !== '') repeated = name;
        contentType = value;
        break;
      case 'host':
        if (host !== '') repeated = name;
        host = value;
        break;
      case 'content-encoding':
        contentEncoding = contentEncoding === '' ? value : `${contentEncoding}, ${value}`;
        break;
      case 'origin':
        origin = value;
        break;
      case 'connection':
        connection = value;
        break;
      case 'expect':
        expect = value;
    }
  });
  return {
    contentType,
    contentEncoding,
    host,
    origin,
    connection,
    declaredBytes: coding === undefined ? Number(length ?? 0) : undefined,
    refusal: refusalOf({ length, coding, repeated, expect }),
  };
}

interface FramingHeaders {
  readonly length: string | undefined;
  readonly coding: string | undefined;
  readonly repeated: string;
  readonly expect: string;
}

/** @source RFC 9112 sections 3.2, 6.1 to 6.3; RFC 9110 section 10.1.1 for Expect. */
function refusalOf({ length, coding, repeated, expect }: FramingHeaders): Refusal | undefined {
  if (repeated !== '') {
    return { status: 400, message: `header ${repeated}: expected one line, got several` };
  }
  if (length !== undefined && coding !== undefined) {
    const message = 'header transfer-encoding: expected it or content-length, got both';
    return { status: 400, message };
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    return { status: 400, message: `header content-length: expected digits, got ${show(length)}` };
  }
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return {
      status: 400,
      message: `header transfer-encoding: expected chunked, got ${show(coding)}`,
    };
  }
  if (expect !== '' && expect.toLowerCase() !== '100-continue') {
    return { status: 417, message: `header expect: expected 100-continue, got ${show(expect)}` };
  }
  return undefined;
}

function show(value: string): string {
  return JSON.stringify(value.slice(0, 60));
}
