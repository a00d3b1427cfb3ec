// SPDX-License-Identifier: Apache-2.0
// Finds where a text stops being JSON, which the messages of JSON.parse do not always tell.

// One token of RFC 8259. Sticky, so that a failure leaves its offset.
const token =
  /[ \t\r\n]+|[{}[\],:]|"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y;

/** What may stand next; `first` also allows the bracket that ends an empty array or object. */
type Next = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'comma';

/** @returns  offset of the first token that cannot stand where it does; the length when the text only ends early. */
export function firstMistake(text: string): number {
  const open: string[] = [];
  let next: Next | undefined = 'value';
  for (let offset = 0; offset < text.length; offset = token.lastIndex) {
    token.lastIndex = offset;
    const found = token.exec(text)?.[0];
    if (found === undefined) return offset;
    if (found.trim() === '') continue;
    next = after(found.charAt(0), next, open);
    if (next === undefined) return offset;
  }
  return text.length;
}

function after(first: string, next: Next, open: string[]): Next | undefined {
  if (first === ':') return next === 'colon' ? 'value' : undefined;
  if (first === ',') {
    if (next !== 'comma' || open.length === 0) return undefined;
    return open.at(-1) === '{' ? 'key' : 'value';
  }
  if (first === ']' || first === '}') {
    const [start, empty] = first === ']' ? ['[', 'first value'] : ['{', 'first key'];
    return (next === 'comma' || next === empty) && open.pop() === start ? 'comma' : undefined;
  }
  if (next.endsWith('key')) return first === '"' ? 'colon' : undefined;
  if (!next.endsWith('value')) return undefined;
  if (first !== '[' && first !== '{') return 'comma';
  open.push(first);
  return first === '[' ? 'first value' : 'first key';
}
