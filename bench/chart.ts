// SPDX-License-Identifier: Apache-2.0
// A line chart as SVG: axes with ticks and units, a legend, and one level marked across.
import { escapeText } from './text.js';

/** One curve; points in order of x. */
export interface Line {
  readonly label: string;
  readonly colour: string;
  /** SVG dash pattern, so that colour is not all that tells lines apart; empty for a solid one. */
  readonly dash: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  /** Names of the axes with their units. */
  readonly x: string;
  readonly y: string;
  readonly logarithmic: boolean;
  readonly lines: readonly Line[];
  readonly mark: { readonly value: number; readonly label: string };
}

const width = 960;
const height = 460;
const plot = { left: 90, right: 940, top: 56, bottom: 370 } as const;

/** A scale of y: from a value to its place, and the values that get a tick. */
interface Scale {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Steps of 1, 2 or 5 times a power of ten, about five of them. */
function linearScale(largest: number): Scale {
  const rough = largest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(own => own * power).find(own => own >= rough) ?? power * 10;
  const steps = Math.ceil(largest / step);
  const place = (value: number) =>
    plot.bottom - (value / (steps * step)) * (plot.bottom - plot.top);
  return { place, ticks: Array.from({ length: steps + 1 }, (_, at) => at * step) };
}

/** Whole powers of ten at both ends, ticks at 1, 2 and 5 of each. */
function logarithmicScale(smallest: number, largest: number): Scale {
  const first = Math.floor(Math.log10(smallest));
  const last = Math.max(Math.ceil(Math.log10(largest)), first + 1);
  const place = (value: number) =>
    plot.bottom - ((Math.log10(value) - first) / (last - first)) * (plot.bottom - plot.top);
  const powers = Array.from({ length: last - first }, (_, at) => 10 ** (first + at));
  return { place, ticks: [...powers.flatMap(own => [own, 2 * own, 5 * own]), 10 ** last] };
}

function shortNumber(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}

function text(x: number, y: number, words: string, extra = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${escapeText(words)}</text>`;
}

function rule(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  const ends = [x1, y1, x2, y2].map(value => value.toFixed(1));
  return `<line x1="${ends[0]}" y1="${ends[1]}" x2="${ends[2]}" y2="${ends[3]}" stroke="${stroke}"/>`;
}

function dashed(line: string, pattern: string): string {
  return line.replace('/>', ` stroke-width="2" stroke-dasharray="${pattern}"/>`);
}

function axes(
  { x, y, title }: Chart,
  scale: Scale,
  placeX: (value: number) => number,
  xs: readonly number[],
): string {
  const middle = (plot.left + plot.right) / 2;
  const grid = scale.ticks.map(value => {
    const at = scale.place(value);
    return (
      rule(plot.left, at, plot.right, at, '#e5e8eb') +
      text(plot.left - 8, at + 4, shortNumber(value), 'text-anchor="end"')
    );
  });
  const below = xs.map(value => {
    const at = placeX(value);
    return (
      rule(at, plot.bottom, at, plot.bottom + 6, '#57606a') +
      text(at, plot.bottom + 22, shortNumber(value), 'text-anchor="middle"')
    );
  });
  return [
    ...grid,
    ...below,
    rule(plot.left, plot.bottom, plot.right, plot.bottom, '#57606a'),
    rule(plot.left, plot.top, plot.left, plot.bottom, '#57606a'),
    text(middle, 24, title, 'text-anchor="middle" font-size="17" font-weight="600"'),
    text(middle, plot.bottom + 46, x, 'text-anchor="middle"'),
    `<g transform="translate(22 ${(plot.top + plot.bottom) / 2}) rotate(-90)">${text(0, 0, y, 'text-anchor="middle"')}</g>`,
  ].join('');
}

function curve(
  { points, colour, dash }: Line,
  place: (point: readonly [number, number]) => string,
): string {
  const places = points.map(place);
  const dots = places.map(at => {
    const [x, y] = at.split(',');
    return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`;
  });
  return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>${dots.join('')}`;
}

function legend(lines: readonly Line[]): string {
  return lines
    .map(({ label, colour, dash }, at) => {
      const x = plot.left + at * 260;
      return dashed(rule(x, 444, x + 36, 444, colour), dash) + text(x + 44, 448, label);
    })
    .join('');
}

/** Draws it; x starts at 0. */
export function chart(own: Chart): string {
  const { lines, mark, logarithmic, title } = own;
  const all = lines.flatMap(line => line.points);
  const ys = [...all.map(([, y]) => y), mark.value];
  const xs = [...new Set(all.map(([x]) => x))].sort((a, b) => a - b);
  const scale = logarithmic
    ? logarithmicScale(Math.min(...ys), Math.max(...ys))
    : linearScale(Math.max(...ys));
  const placeX = (value: number) =>
    plot.left + (value / (xs.at(-1) ?? 1)) * (plot.right - plot.left);
  const place = ([x, y]: readonly [number, number]) =>
    `${placeX(x).toFixed(1)},${scale.place(y).toFixed(1)}`;
  const level = scale.place(mark.value);
  return (
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(title)}" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24">` +
    axes(own, scale, placeX, xs) +
    rule(plot.left, level, plot.right, level, '#a40e26').replace(
      '/>',
      ' stroke-dasharray="6 4"/>',
    ) +
    text(plot.right - 4, level - 6, mark.label, 'text-anchor="end" fill="#a40e26"') +
    lines.map(line => curve(line, place)).join('') +
    legend(lines) +
    '</svg>'
  );
}
