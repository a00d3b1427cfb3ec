// SPDX-License-Identifier: Apache-2.0
// The page of one run: the table, and latency and goodput against offered load as inline SVG; no scripts.
import { chart, type Line } from './chart.js';
import { type Curves, type PolicyName, policies } from './curve.js';
import { facts, type Result, verdict } from './result.js';
import { countText } from './scenario.js';
import { escapeText } from './text.js';

const style = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #d0d7de }
td.detail { color: #57606a; font-size: .85rem; padding-top: 0 } tr.first td { border-bottom: 0 }
.met { color: #116329 } .missed { color: #a40e26 } figure { margin: 2rem 0 } figcaption, .facts { color: #57606a } svg { max-width: 100%; height: auto }`;

function tableOf(result: Result): string {
  const rows = result.scenarios.flatMap(scenario => scenario.rows);
  if (rows.length === 0) return '';
  const body = rows.map(row => {
    const cells = [row.figure, row.limit, row.goal, row.result].map(
      text => `<td>${escapeText(text)}</td>`,
    );
    const word = verdict(row);
    return (
      `<tr class="first">${cells.join('')}<td class="${word}">${word}</td></tr>` +
      `<tr><td class="detail" colspan="5">${escapeText(row.detail)}</td></tr>`
    );
  });
  const head = ['Figure', 'Compared with', 'Goal', 'Result', ''].map(
    word => `<th scope="col">${word}</th>`,
  );
  return `<table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table>`;
}

const looks: Readonly<Record<PolicyName, { colour: string; dash: string }>> = {
  adaptive: { colour: '#0969da', dash: '' },
  off: { colour: '#bc4c00', dash: '10 5' },
  fixed: { colour: '#8250df', dash: '4 3' },
};

/** The lines of one number of all policies; a point without answers has no latency to show. */
function lines(curves: Curves, key: 'p50Us' | 'p99Us' | 'goodPerSecond', scale: number): Line[] {
  return (Object.keys(policies) as PolicyName[]).map(name => ({
    label: policies[name].says,
    ...looks[name],
    points: curves.policies[name]
      .filter(own => key === 'goodPerSecond' || own[key] > 0)
      .map(own => [own.load * 100, own[key] * scale] as const),
  }));
}

function figuresOf(curves: Curves): string {
  const { capacityPerSecond, deadlineMs } = curves;
  const x = `offered load, % of capacity (100 % = ${countText(capacityPerSecond)} rows/s)`;
  const latency = (key: 'p50Us' | 'p99Us', name: string) =>
    chart({
      title: `Wide perceptron, one lane: ${name} latency of answered requests`,
      x,
      y: `${name} latency, ms (logarithmic)`,
      logarithmic: true,
      lines: lines(curves, key, 1 / 1000),
      mark: { value: deadlineMs, label: `deadline ${deadlineMs} ms` },
    });
  const goodput = chart({
    title: 'Wide perceptron, one lane: requests answered within their deadline',
    x,
    y: 'answers per second',
    logarithmic: false,
    lines: lines(curves, 'goodPerSecond', 1),
    mark: { value: capacityPerSecond, label: 'capacity' },
  });
  const note =
    'Open loop: requests leave on a Poisson schedule, latency counts from the scheduled moment. ' +
    'The generator and the JS thread share one core, the lane has another.';
  const charts = [latency('p50Us', 'median'), latency('p99Us', 'p99'), goodput];
  return charts.map(svg => `<figure>${svg}<figcaption>${note}</figcaption></figure>`).join('\n');
}

/** The whole page. */
export function pageOf(result: Result): string {
  const about = facts(result).map(fact => `<li>${escapeText(fact)}</li>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>inference-native: benchmark of ${result.date.slice(0, 10)}</title><style>${style}</style></head><body>
<h1>inference-native: benchmark of ${result.date.slice(0, 10)}</h1>
<ul class="facts">${about.join('')}</ul>
${tableOf(result)}
${result.curves === undefined ? '' : figuresOf(result.curves)}
</body></html>
`;
}
