// SPDX-License-Identifier: Apache-2.0
// Requests of the Open Inference Protocol with raw tensors, put together and taken apart as its clients do.
import { call, type Reply } from './helpers.js';

/** A tensor on the wire: as JSON `data`, or raw. */
export interface WireTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: unknown;
  readonly raw?: Buffer;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export interface WireBody {
  readonly body: Buffer;
  /** Of the JSON; absent when there is nothing behind it. */
  readonly headers: Readonly<Record<string, string>>;
}

export function wireBody(inputs: readonly WireTensor[], rest: object = {}): WireBody {
  const listed = inputs.map(({ raw, parameters, ...input }) => ({
    ...input,
    ...(raw === undefined && parameters === undefined
      ? {}
      : { parameters: { ...parameters, ...(raw && { binary_data_size: raw.length }) } }),
  }));
  const json = Buffer.from(JSON.stringify({ inputs: listed, ...rest }));
  const chunks = inputs.flatMap(({ raw }) => raw ?? []);
  if (chunks.length === 0) return { body: json, headers: {} };
  const headers = { 'inference-header-content-length': String(json.length) };
  return { body: Buffer.concat([json, ...chunks]), headers };
}

export interface WireAnswer {
  readonly json: {
    readonly id?: string;
    readonly model_name: string;
    readonly model_version: string;
    readonly outputs: readonly {
      readonly name: string;
      readonly datatype: string;
      readonly shape: readonly number[];
      readonly data?: readonly unknown[];
      readonly parameters?: { readonly binary_data_size: number };
    }[];
  };
  /** Raw tensors by name. */
  readonly raw: Readonly<Record<string, Buffer>>;
  /** Where the first of them begins. */
  readonly headerBytes: number;
}

/** @param bytes  of the answer once inflated. */
export function readAnswer({ headers }: Pick<Reply, 'headers'>, bytes: Buffer): WireAnswer {
  const length = headers['inference-header-content-length'];
  const headerBytes = length === undefined ? bytes.length : Number(length);
  const json = JSON.parse(bytes.toString('utf8', 0, headerBytes));
  let at = headerBytes;
  const raw: Record<string, Buffer> = {};
  for (const { name, parameters } of json.outputs) {
    if (parameters === undefined) continue;
    raw[name] = bytes.subarray(at, at + parameters.binary_data_size);
    at += parameters.binary_data_size;
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the tensors`);
  return { json, raw, headerBytes };
}

export function post(
  url: string,
  { body, headers }: WireBody,
  more: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return call(url, { method: 'POST', body, headers: { ...headers, ...more } });
}
