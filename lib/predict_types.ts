// SPDX-License-Identifier: Apache-2.0
// What predict(), predictJson(), predictBytes() and predictV2() may be asked for, and what the latter three give. Apart,
// because the types of the package must need none of Node's.

/** What a call of predict() may ask for. */
export interface PredictOptions {
  /** Aborting it takes the request out of the queue, or abandons its run: INFER_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to INFER_DEADLINE, above 0; overrides `limits.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** The forms of a JSON body. */
export const jsonForms = ['v2', 'instances', 'array'] as const;

/** All forms of a body, by the bit that stands for each in the addon. */
export const bodyForms = [...jsonForms, 'jsonlines', 'csv'] as const;

/** The formats of a body. */
export const bodyFormats = ['json', 'jsonlines', 'csv'] as const;

/**
 * `v2`: `{"inputs": [...]}` of the Open Inference Protocol; `instances`: `{"instances": [row, ...]}`; `array`: the only
 * input as a nested array.
 */
export type JsonForm = (typeof jsonForms)[number];

/** What a call of predictJson() may ask for. */
export interface JsonOptions extends PredictOptions {
  /** The forms that are taken; all of them by default. */
  readonly forms?: readonly JsonForm[] | undefined;
  /** About the most bytes of the answer: more is INFER_BAD_INPUT. No limit by default. */
  readonly maxResponseBytes?: number | undefined;
  /** Whether the answer says where the time went. */
  readonly timing?: boolean | undefined;
}

/** The formats of an answer, by their number in the addon. */
export const answerFormats = ['json', 'jsonlines', 'csv', 'npy', 'npz'] as const;

/**
 * `json`: in the form of the body, else the outputs as nested arrays, by name when there are several; `jsonlines`: an
 * entry of each output per row; `csv`: the first output, of one or two axes; `npy`: the first output; `npz`: all.
 */
export type AnswerFormat = (typeof answerFormats)[number];

export type BodyFormat = (typeof bodyFormats)[number];

/** What a call of predictBytes() may ask for. */
export interface BytesOptions extends JsonOptions {
  /** What the body is; `json` by default. `forms` counts for that one only. */
  readonly from?: BodyFormat | undefined;
  /** What the answer shall be; `json` by default. */
  readonly to?: AnswerFormat | undefined;
}

/** What predictJson() and predictBytes() give. */
export interface JsonAnswer {
  /** Text in UTF-8, or a file: a string when it is short and plain ASCII, else its bytes. */
  readonly body: string | Uint8Array;
  /** Microseconds, if they were asked for. */
  readonly timing?: JsonTiming;
}

/** What a call of predictV2() may ask for. */
export interface V2Options extends PredictOptions {
  /**
   * Bytes of the JSON in front of raw tensors (`Inference-Header-Content-Length`), at most those of the body. 0: the body
   * is the data of the only input, and all outputs come raw. All of the body is JSON by default.
   */
  readonly headerBytes?: number | undefined;
  /** As of predictJson(). */
  readonly maxResponseBytes?: number | undefined;
  readonly timing?: boolean | undefined;
}

/** What predictV2() gives. */
export interface V2Answer extends JsonAnswer {
  /** Bytes of the JSON in front of raw tensors; absent when there are none. */
  readonly headerBytes?: number;
}

/** Where the time of one request went, in microseconds. */
export interface JsonTiming {
  /** From the call until the body was tensors; for a large one with the wait for a thread that reads it. */
  readonly parseUs: number;
  /** From acceptance to the start of the run. */
  readonly queueUs: number;
  /** The run of the batch that it was in; of a request that was run in parts, the sum. */
  readonly runUs: number;
  /** Making text of the outputs. */
  readonly formatUs: number;
}
