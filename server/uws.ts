// SPDX-License-Identifier: Apache-2.0
// The part of uWebSockets.js that http.ts uses, as types.

/** Its own types leave out listen() with host and options. */
export interface Uws {
  readonly App: () => UwsApp;
  /** @throws  an Error when the files cannot be used. */
  readonly SSLApp: (options: UwsTls) => UwsApp;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly us_listen_socket_close: (socket: object) => void;
  readonly us_socket_local_port: (socket: object) => number;
  readonly _cfg: (setting: string) => void;
}

/** Files in PEM, read at once. */
export interface UwsTls {
  readonly key_file_name: string;
  readonly cert_file_name: string;
  readonly passphrase: string;
  /** Of TLS 1.2, in the words of OpenSSL. */
  readonly ssl_ciphers: string;
}

export interface UwsApp {
  get(pattern: string, handler: (res: UwsResponse, req: UwsRequest) => void): void;
  post(pattern: string, handler: (res: UwsResponse, req: UwsRequest) => void): void;
  any(pattern: string, handler: (res: UwsResponse, req: UwsRequest) => void): void;
  filter(handler: (res: UwsResponse, change: number) => void): void;
  listen(host: string, port: number, options: number, done: (socket: object | false) => void): void;
  listen_unix(done: (socket: object | false) => void, path: string): void;
  close(): void;
  /** Of this app, for addChildAppDescriptor() in any thread; keeps the app alive. */
  getDescriptor(): number;
  /** From the first on, connections go to these in turn, and to the app itself only if it is among them. */
  addChildAppDescriptor(descriptor: number): void;
}

/** Valid only inside the handler that gets it. */
export interface UwsRequest {
  forEach(visit: (name: string, value: string) => void): void;
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
}

/** Valid until onAborted, end(), endWithoutBody() or a tryEnd() that is done; a later touch ends the process. */
export interface UwsResponse {
  onAborted(handler: () => void): void;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): void;
  onWritable(handler: (offset: number) => boolean): void;
  cork(write: () => void): void;
  writeStatus(status: string): void;
  writeHeader(name: string, value: string): void;
  end(body: string | Uint8Array, close: boolean): void;
  endWithoutBody(): void;
  tryEnd(rest: Uint8Array, totalBytes: number): [ok: boolean, done: boolean];
  getWriteOffset(): number;
}
