// SPDX-License-Identifier: Apache-2.0
// JSON.parse with the line and column of the first mistake, which the engines of Node 20 to 22 word differently or leave out.

/** What is wrong with a JSON text, and where; lines and columns start at 1. */
export interface JsonProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * Parses JSON.
 * @param text  the whole document; a byte-order mark at its start is skipped.
 * @returns     the value, or the problem with its position.
 */
export function parseJson(text: string): { value: unknown } | { problem: JsonProblem } {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  try {
    return { value: JSON.parse(body) as unknown };
  } catch (error) {
    const before = body.slice(0, firstMistake(body)).split('\n');
    const message = error instanceof Error ? error.message : 'not JSON';
    return { problem: { line: before.length, column: (before.at(-1) ?? '').length + 1, message } };
  }
}

// One token: white space, punctuation, string, number or word. Sticky, so that a failure shows its offset.
const token =
  /[ \t\r\n]+|[{}[\],:]|"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y;

/** What may come next; `value!` is a value that cannot be left out, `key!` likewise. */
type Expected = 'value' | 'value!' | 'key' | 'key!' | 'colon' | 'comma';

/** The offset at which `text` stops being JSON (RFC 8259); its length when it only ends too early. */
function firstMistake(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value!';
  let offset = 0;
  while (offset < text.length) {
    token.lastIndex = offset;
    const found = token.exec(text)?.[0];
    if (found === undefined) return offset;
    if (!/^\s/.test(found)) {
      const next = step(found, expected, open);
      if (next === undefined) return offset;
      expected = next;
    }
    offset += found.length;
  }
  return offset;
}

/** Takes one token: what may follow it, or undefined when it may not stand here. */
function step(found: string, expected: Expected, open: string[]): Expected | undefined {
  const first = found.charAt(0);
  if (first === ':') return expected === 'colon' ? 'value!' : undefined;
  if (first === ',') {
    if (expected !== 'comma' || open.length === 0) return undefined;
    return open.at(-1) === '{' ? 'key!' : 'value!';
  }
  if (first === '}' || first === ']') {
    const empty = first === '}' ? 'key' : 'value';
    if (expected !== 'comma' && expected !== empty) return undefined;
    return open.pop() === (first === '}' ? '{' : '[') ? 'comma' : undefined;
  }
  if (expected === 'key' || expected === 'key!') return first === '"' ? 'colon' : undefined;
  if (expected !== 'value' && expected !== 'value!') return undefined;
  if (first !== '{' && first !== '[') return 'comma';
  open.push(first);
  return first === '{' ? 'key' : 'value';
}
