// SPDX-License-Identifier: Apache-2.0
// Prints the table, and writes the JSON and the page of one run into bench/results.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Curves, type PolicyName, policies } from './curve.js';
import { root } from './models.js';
import { pageOf } from './page.js';
import { facts, type Result, verdict } from './result.js';
import { countText, usText } from './scenario.js';

/** Prints facts and rows; columns as wide as their contents. */
export function printRows(result: Result): void {
  const rows = result.scenarios.flatMap(scenario => scenario.rows);
  const head = ['Figure', 'Compared with', 'Goal', 'Result', ''];
  const cells = rows.map(row => [row.figure, row.limit, row.goal, row.result, verdict(row)]);
  const widths = head.map((word, column) =>
    Math.max(word.length, ...cells.map(own => own[column]?.length ?? 0)),
  );
  const line = (own: readonly string[]) =>
    own
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join(' | ')
      .trimEnd();
  for (const fact of facts(result)) console.log(fact);
  if (rows.length > 0) {
    console.log(`\n${line(head)}\n${widths.map(width => '-'.repeat(width)).join('-|-')}`);
    rows.forEach((row, at) => {
      console.log(line(cells[at] ?? []));
      console.log(`    ${row.detail}`);
    });
  }
  if (result.curves !== undefined) printCurves(result.curves);
}

function printCurves(curves: Curves): void {
  const { capacityPerSecond, policies: points } = curves;
  console.log(
    `\nWide perceptron, one lane, open loop, deadline ${curves.deadlineMs} ms, ` +
      `100 % is ${countText(capacityPerSecond)}/s`,
  );
  for (const name of Object.keys(points) as PolicyName[]) {
    console.log(`batching ${policies[name].says}`);
    for (const own of points[name]) {
      console.log(
        `  ${`${Math.round(own.load * 100)} %`.padStart(5)}: good ${countText(own.goodPerSecond)}/s, ` +
          `p50 ${usText(own.p50Us)}, p99 ${usText(own.p99Us)}, refused ${own.refused}, late ${own.late}, ` +
          `failed ${own.failed}, rows a batch ${own.meanBatch.toFixed(1)}`,
      );
    }
  }
}

/** Writes both files and returns their paths; bench/results is committed by hand only. */
export function saveResult(result: Result): readonly string[] {
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, `${result.date.slice(0, 10)}-${result.machine.id}`);
  writeFileSync(`${base}.json`, `${JSON.stringify(withoutPaths(result), null, 2)}\n`);
  writeFileSync(`${base}.html`, pageOf(result));
  return [`${base}.json`, `${base}.html`].map(path => relative(root, path));
}

/** A result must not tell where the checkout lies. */
function withoutPaths(result: Result): Result {
  const settings = { ...result.settings, engineLibrary: 'as found by listDevices()' };
  return JSON.parse(JSON.stringify({ ...result, settings }).replaceAll(root, '.')) as Result;
}
