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
  /** Whether the answer shall tell how long it took. */
  readonly asksForTiming: boolean;
  /** One value for each line. */
  readonly connection: readonly string[];
  /** All others in their order: name in lower case, value, name, value. */
  readonly others: readonly string[];
  /** Bytes announced; undefined for a chunked body; 0 when there is none. */
  readonly declaredBytes: number | undefined;
  /** Set when it is not certain where this request ends: answer and close. */
  readonly refusal: Refusal | undefined;
}

/** The header lines of a request, in order, with their names in lower case. */
interface Headers {
  readonly forEach: (visit: (name: string, value: string) => void) => void;
}

/** What has come so far; undefined means not yet, an empty value has come. */
interface Seen {
  contentType: string | undefined;
  contentEncoding: string;
  host: string | undefined;
  origin: string;
  timing: string;
  connection: readonly string[];
  readonly others: string[];
  expect: string;
  length: string | undefined;
  coding: string | undefined;
  /** A header that may come once and came again. */
  repeated: string;
}

const none: readonly string[] = [];

function unseen(): Seen {
  return {
    contentType: undefined,
    contentEncoding: '',
    host: undefined,
    origin: '',
    timing: '',
    connection: none,
    others: [],
    expect: '',
    length: undefined,
    coding: undefined,
    repeated: '',
  };
}

/** Of the request that is being read: they are read one after the other, so that one function can note for all. */
let seen = unseen();

export function readHead(headers: Headers): Head {
  seen = unseen();
  headers.forEach(note);
  const { contentType = '', contentEncoding, host = '', origin, length, coding } = seen;
  return {
    contentType,
    contentEncoding,
    host,
    origin,
    asksForTiming: seen.timing === '1',
    connection: seen.connection,
    others: seen.others,
    declaredBytes: coding === undefined ? Number(length ?? 0) : undefined,
    refusal: refusalOf(seen),
  };
}

function note(name: string, value: string): void {
  switch (name) {
    case 'content-length':
      if (seen.length !== undefined) seen.repeated = name;
      seen.length = value;
      return;
    case 'transfer-encoding':
      if (seen.coding !== undefined) seen.repeated = name;
      seen.coding = value;
      return;
    case 'content-type':
      if (seen.contentType !== undefined) seen.repeated = name;
      seen.contentType = value;
      return;
    case 'host':
      if (seen.host !== undefined) seen.repeated = name;
      seen.host = value;
      return;
    case 'content-encoding':
      seen.contentEncoding += seen.contentEncoding === '' ? value : `, ${value}`;
      return;
    case 'origin':
      seen.origin = value;
      return;
    case 'x-server-timing':
      seen.timing = value;
      return;
    case 'connection':
      seen.connection = [...seen.connection, value];
      return;
    case 'expect':
      seen.expect = value;
      return;
    default:
      seen.others.push(name, value);
  }
}

/** @source RFC 9112 sections 3.2, 6.1 to 6.3; RFC 9110 section 10.1.1 for Expect. */
function refusalOf({ length, coding, repeated, expect }: Seen): Refusal | undefined {
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
