// SPDX-License-Identifier: Apache-2.0
// A configuration as text: each setting with its value and where it is from, then what had no effect.
import { settingTable } from './config.js';
import type { ConfigReport } from './layers.js';
import { redact } from './redact.js';

/** One line for each setting and each note. */
export function explainText({ config, sources, notes }: ConfigReport): string {
  const rows = settingTable.map(
    ({ key, isSecret }) =>
      [
        key,
        isSecret && config[key] !== ''
          ? 'set'
          : shown(key === 'models' ? config.models.map(redact) : config[key]),
        sources[key],
      ] as const,
  );
  const width = (column: 0 | 1) => Math.max(...rows.map(row => row[column].length)) + 2;
  const [keys, values] = [width(0), width(1)];
  const lines = rows.map(
    ([key, value, source]) => `${key.padEnd(keys)}${value.padEnd(values)}${source}`,
  );
  const left = notes.map(
    ({ kind, key, source, reason }) => `${kind}: ${key} (${source}): ${reason}`,
  );
  return [...lines, ...left, ''].join('\n');
}

function shown(value: string | number | readonly string[]): string {
  if (typeof value === 'number') return String(value);
  return value.length === 0 ? 'none' : String(value);
}
