// SPDX-License-Identifier: Apache-2.0
// Java properties text -> keys, values and the lines they are on.

export interface Property {
  readonly key: string;
  readonly value: string;
  /** From 1 on; the first of several that belong together. */
  readonly line: number;
}

/**
 * @returns  all properties in their order; of a key that comes twice both.
 * @source   java.util.Properties.load: `#` and `!` begin a comment, `=`, `:` or white space ends a key, a backslash
 *           escapes what follows and at the end of a line joins the next one.
 */
export function parseProperties(text: string): Property[] {
  return logicalLines(text).map(({ content, line }) => {
    const [, key = '', value = ''] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(content) ?? [];
    return { key: unescaped(key), value: unescaped(value), line };
  });
}

interface Line {
  readonly content: string;
  readonly line: number;
}

/** Lines without comments and blank ones, continued ones joined. */
function logicalLines(text: string): Line[] {
  const lines: Line[] = [];
  let open: Line | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const trimmed = raw.replace(/^[ \t\f]+/, '');
    if (open === undefined && (trimmed === '' || /^[#!]/.test(trimmed))) continue;
    const continues = /(?<!\\)(?:\\\\)*\\$/.test(trimmed);
    const content: string = (open?.content ?? '') + (continues ? trimmed.slice(0, -1) : trimmed);
    open = { content, line: open?.line ?? index + 1 };
    if (continues) continue;
    lines.push(open);
    open = undefined;
  }
  return open === undefined ? lines : [...lines, open];
}

const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' };

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.)|$)/gs, (_, code?: string, letter = '') =>
    code === undefined
      ? (controls[letter] ?? letter)
      : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
