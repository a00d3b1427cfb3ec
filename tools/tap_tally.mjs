// SPDX-License-Identifier: Apache-2.0
// Counts the results in TAP text: points without points below them, so that a case counts once.

const POINT = /^( *)(not )?ok\b(?: \d+)?(?: - )?(.*)$/;

/** A result's name without the directive and the time behind it, and whether it was skipped. */
function nameOf(text) {
  const [name, directive] = text.split(/ # (?=time=|SKIP)/i, 2);
  return { name: name.trim(), skipped: /^SKIP/i.test(directive ?? '') };
}

/** Adds one point to the tally; `below` holds what was counted under it, or is undefined. */
function addPoint(tally, point, below) {
  if (point.skipped) tally.skipped += 1;
  else if (!point.failed && below === undefined) tally.passed += 1;
  else if (point.failed && !below?.failed) {
    tally.failed += 1;
    tally.failures.push(point);
  }
}

/**
 * @param text  TAP 14 with indented subtests, each before its own point, as tap writes it.
 * @returns     { passed, failed, skipped, failures: [{ name, details: string[] }] }; a failed point
 *              counts only when nothing below it failed: a file that crashed after passing its cases.
 */
export function tallyTap(text) {
  const tally = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const open = []; // per depth: whether a point, and whether a failed one, was seen since the last parent
  let details; // lines of the diagnostic block being read
  const titles = []; // names of the subtests around the line, outermost first
  let last;
  for (const line of text.split('\n')) {
    if (details !== undefined) {
      if (line.trim() === '...') details = undefined;
      else details.push(line);
      continue;
    }
    if (line.trim() === '---' && last) {
      details = last.details;
      continue;
    }
    const subtest = /^( *)# Subtest: (.*)$/.exec(line);
    if (subtest) titles.splice(subtest[1].length / 4, titles.length, subtest[2].trim());
    const match = POINT.exec(line);
    if (!match) continue;
    const depth = Math.floor(match[1].length / 4);
    const { name, skipped } = nameOf(match[3]);
    const path = [...titles.slice(0, depth), name].join(' > ');
    last = { name: path, skipped, failed: match[2] !== undefined, details: [] };
    addPoint(tally, last, open[depth + 1]);
    const failed = last.failed || open[depth]?.failed === true;
    open.length = depth + 1;
    open[depth] = { failed };
  }
  return tally;
}

/** Adds tallies up. */
export function sumTallies(tallies) {
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const one of tallies) {
    sum.passed += one.passed;
    sum.failed += one.failed;
    sum.skipped += one.skipped;
    sum.failures.push(...one.failures);
  }
  return sum;
}
