// SPDX-License-Identifier: Apache-2.0
// What predict() and predictJson() may be asked for, and what the latter gives. Apart, because the types of the package
// must need none of Node's.

/** What a call of predict() may ask for. */
export interface PredictOptions {
  /** Aborting it takes the request out of the queue, or abandons its run: INFER_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to INFER_DEADLINE, above 0; overrides `limits.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** The forms of a JSON body, by the bit that stands for each in the addon. */
export const jsonForms = ['v2', 'instances', 'array'] as const;

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

/** What predictJson() gives. */
export interface JsonAnswer {
  /** JSON in UTF-8: a string when it is short and plain ASCII, else its bytes. */
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
