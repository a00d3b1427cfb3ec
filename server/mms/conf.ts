// SPDX-License-Identifier: Apache-2.0
// The mms.conf of Multi Model Server 0.x -> entries of config.properties.
import { InferenceError } from '../../lib/index.js';
import type { ConfigNote } from '../layers.js';
import type { Entry } from './file.js';

/** What a file says, and what of it has no counterpart. */
export interface ConfEntries {
  readonly entries: readonly Entry[];
  readonly notes: readonly ConfigNote[];
}

/** Sections by a word of their heading. */
const sections = ['mms', 'gunicorn', 'nginx', 'mxnet'] as const;
type Section = (typeof sections)[number];

interface Line {
  readonly text: string;
  readonly source: string;
}

/** Whether the text is of this format rather than of properties. */
export function isConf(text: string): boolean {
  return /^\s*\[[^\]]*mms[^\]]*\]\s*$/im.test(text);
}

/**
 * @param label  what messages call the text.
 * @throws       INFER_BAD_INPUT for a section that is not known.
 * @source       MMS 0.4: flags of the server and of gunicorn on one line and their value on the next, where `optional`
 *               stands for none; nginx as it is; variables of the environment.
 */
export function readConf(text: string, label: string): ConfEntries {
  const entries: Entry[] = [];
  const notes: ConfigNote[] = [];
  for (const [section, lines] of linesOf(text, label)) {
    if (section === 'nginx') {
      const nginx = readNginx(lines);
      entries.push(...nginx.entries);
      notes.push(...nginx.notes);
    } else if (section === 'mxnet') notes.push(...lines.map(variableNote));
    else {
      for (const pair of pairsOf(lines)) {
        if (pair.value === 'optional' || pair.value === '') continue;
        if (pair.key === '--models') entries.push(modelsEntry(pair));
        else notes.push(flagNote(pair));
      }
    }
  }
  return { entries, notes };
}

function linesOf(text: string, label: string): Map<Section, Line[]> {
  const found = new Map<Section, Line[]>();
  let current: Line[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || /^[#$]/.test(line)) continue;
    const source = `${label}:${index + 1}`;
    const [, heading] = /^\[(.*)\]$/.exec(line) ?? [];
    if (heading === undefined) {
      current.push({ text: line, source });
      continue;
    }
    const section = sections.find(word => heading.toLowerCase().includes(word));
    if (section === undefined) throw unknownSection(source, heading);
    current = found.get(section) ?? [];
    found.set(section, current);
  }
  return found;
}

function unknownSection(source: string, heading: string): InferenceError {
  const message = `${source}: expected a section of ${sections.join(', ')}, got ${JSON.stringify(heading)}`;
  return new InferenceError('INFER_BAD_INPUT', message);
}

/** Flags with the line after them, unless that is a flag itself. */
function pairsOf(lines: readonly Line[]): Entry[] {
  return lines.flatMap(({ text: key, source }, index) => {
    if (!key.startsWith('--')) return [];
    const next = lines[index + 1]?.text ?? '';
    return [{ key, value: next.startsWith('--') ? '' : next, source }];
  });
}

function modelsEntry({ value, source }: Entry): Entry {
  return { key: 'load_models', value: value.split(/\s+/).join(','), source };
}

interface Directive {
  readonly name: string;
  readonly words: readonly string[];
  readonly source: string;
}

/** What stands before each `;`, `{` and `}`. */
function directivesOf(lines: readonly Line[]): Directive[] {
  return lines.flatMap(({ text, source }) =>
    text
      .replace(/(?:^|\s)#.*$/, '')
      .split(/[;{}]/)
      .map(part => part.trim().split(/\s+/))
      .flatMap(([name = '', ...words]) => (name === '' ? [] : [{ name, words, source }])),
  );
}

/** Directives of nginx that have a key of MMS. */
const filesOfTls: ReadonlyMap<string, string> = new Map([
  ['ssl_certificate', 'certificate_file'],
  ['ssl_certificate_key', 'private_key_file'],
]);

/** nginx was what clients spoke to: where it listened, we do. */
function readNginx(lines: readonly Line[]): ConfEntries {
  const entries: Entry[] = [];
  const notes: ConfigNote[] = [];
  const reason = 'there is no nginx here';
  const directives = directivesOf(lines);
  const listens = readListens(directives);
  for (const { name, words, source } of directives) {
    const key = filesOfTls.get(name);
    if (key !== undefined) entries.push({ key, value: words[0] ?? '', source });
    else if (name !== 'server' && name !== 'listen' && name !== 'ssl') {
      notes.push({ kind: 'ignored', key: name, source, reason });
    }
  }
  return { entries: [...entries, ...listens.entries], notes: [...notes, ...listens.notes] };
}

/** There is one address here: one that speaks TLS where there is any, for what was secret must not go in the clear. */
function readListens(directives: readonly Directive[]): ConfEntries {
  const allTls = directives.some(({ name, words }) => name === 'ssl' && words[0] === 'on');
  const found = directives
    .filter(({ name }) => name === 'listen')
    .map(({ words: [where = '', ...flags], source }) => {
      const value = listenAddress(where, allTls || flags.includes('ssl'));
      return { key: 'inference_address', value, source };
    });
  const kept = found.find(({ value }) => value.startsWith('https:')) ?? found[0];
  if (kept === undefined) return { entries: [], notes: [] };
  const reason = `expected one address, got several: ${kept.value} is taken`;
  const notes = found
    .filter(entry => entry !== kept)
    .map(({ source }) => ({ kind: 'unsupported', key: 'listen', source, reason }) as const);
  return { entries: [kept], notes };
}

/** @source  nginx: `listen [address:]port [flags]`, or an address alone, with port 80; all addresses are `*`. */
function listenAddress(where: string, isTls: boolean): string {
  if (where.startsWith('unix:')) return where;
  const [, address = '*', port] = /^(?:(.*):)?(\d+)$/.exec(where) ?? [undefined, where, '80'];
  const host = address === '*' ? '0.0.0.0' : address;
  return `${isTls ? 'https' : 'http'}://${host}:${port}`;
}

function flagNote({ key, source }: Entry): ConfigNote {
  const reason = 'it is about the Python servers of MMS 0.x';
  return { kind: 'ignored', key, source, reason };
}

function variableNote({ text, source }: Line): ConfigNote {
  const [key = ''] = text.split('=');
  return { kind: 'ignored', key, source, reason: 'it is about MXNet' };
}
