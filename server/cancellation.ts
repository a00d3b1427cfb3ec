// SPDX-License-Identifier: Apache-2.0
// An AbortSignal for each request at a hundredth of the cost of AbortController, which is 5 us and most of the garbage.

export interface Cancellation {
  readonly signal: AbortSignal;
  /** Calls the listeners once. */
  readonly abort: () => void;
}

type Listener = Parameters<AbortSignal['addEventListener']>[1];

/** The signal knows the one event there is; options of a listener do not matter to an event that comes once. */
export function createCancellation(): Cancellation {
  let aborted = false;
  let listeners: Listener[] = [];
  const signal: AbortSignal = {
    get aborted() {
      return aborted;
    },
    get reason() {
      return aborted ? closedByClient() : undefined;
    },
    onabort: null,
    throwIfAborted: () => {
      if (aborted) throw closedByClient();
    },
    addEventListener: (_type: string, listener: Listener) => {
      listeners.push(listener);
    },
    removeEventListener: (_type: string, listener: Listener) => {
      listeners = listeners.filter(known => known !== listener);
    },
    dispatchEvent: (event: Event) => {
      for (const listener of listeners) {
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      }
      return true;
    },
  };
  const abort = () => {
    if (aborted) return;
    aborted = true;
    const event = new Event('abort');
    signal.onabort?.(event);
    signal.dispatchEvent(event);
    listeners = [];
  };
  return { signal, abort };
}

function closedByClient(): DOMException {
  return new DOMException('the client closed the connection', 'AbortError');
}
