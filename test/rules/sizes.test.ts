// SPDX-License-Identifier: Apache-2.0
// The size limits of files and functions, and where the C++ preprocessor may decide.
import t, { type Test } from 'tap';
import ts from 'typescript';
import { type Source, sourcesIn } from './sources.js';

const limits = { fileLines: 400, functionLines: 60 } as const;
const mayDecide = /^native\/(base\/affinity|engine\/registry)\.cc$/;

interface Size {
  readonly what: string;
  readonly lines: number;
}

/** Blanks out comments, strings and characters of C++, keeping every line break. */
function bare(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|R"([^(\s]*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|\b[0-9][\w']*|'(?:\\.|[^'\\\n])+'/g;
  return text.replace(token, found => found.replace(/[^\n]/g, ' '));
}

/** Whether the text before a brace is the head of a function or lambda. */
function isFunctionHead(head: string): boolean {
  if (/^(if|for|while|switch|catch|else|do|try|namespace|enum|struct|class|union)\b/.test(head)) {
    return /\[[^\]]*\]\s*(\([^()]*\))?\s*(mutable|noexcept)?\s*$/.test(head);
  }
  return /(\)|\])\s*(const|noexcept|override|final|mutable|&|\s)*(->[^;{}]*|:[^:][^;]*)?$/.test(
    head,
  );
}

function parenthesesOpen(text: string): number {
  return text.split('(').length - text.split(')').length;
}

/** The functions and lambdas of a C++ file, by counting braces. */
function nativeFunctions({ path, text }: Source): Size[] {
  const found: Size[] = [];
  const open: { readonly line: number; readonly head: string }[] = [];
  let head = '';
  let line = 1;
  for (const char of bare(text).replace(/^[ \t]*#.*$/gm, '')) {
    if (char === '\n') line += 1;
    if (char === '{') {
      open.push({ line: line - (head.trimStart().match(/\n/g)?.length ?? 0), head: head.trim() });
      head = '';
    } else if (char === '}') {
      const start = open.pop();
      if (start && isFunctionHead(start.head)) {
        found.push({ what: `${path}:${start.line}`, lines: line - start.line + 1 });
      }
      head = '';
    } else {
      head = char === ';' && parenthesesOpen(head) === 0 ? '' : head + char;
    }
  }
  if (open.length > 0) throw new Error(`${path}: ${open.length} braces are not closed`);
  return found;
}

/** The functions, methods and arrow functions of a TypeScript or JavaScript file. */
function scriptFunctions({ path, text }: Source): Size[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const found: Size[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const start = lineAt(node.getStart(file));
      found.push({ what: `${path}:${start}`, lines: lineAt(node.end) - start + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function functionsOf(source: Source): Size[] {
  return /\.(h|cc)$/.test(source.path) ? nativeFunctions(source) : scriptFunctions(source);
}

function fileSize({ path, text }: Source): Size {
  return { what: path, lines: text.replace(/\n$/, '').split('\n').length };
}

function check(t: Test, sizes: readonly Size[], limit: number): void {
  const sorted = [...sizes].sort((a, b) => b.lines - a.lines);
  for (const { what, lines } of sorted.slice(0, 10)) t.comment(`${lines} lines: ${what}`);
  t.same(
    sorted.filter(({ lines }) => lines > limit),
    [],
    `nothing has more than ${limit} lines`,
  );
}

/** A function of `lines` lines around statements, in either language. */
function sample(path: string, head: string, lines: number): Source {
  return { path, text: `${head}\n${'  { "}" };\n'.repeat(lines - 2)}}\n` };
}

const samples = [
  { name: 'a C++ function', source: sample('a.cc', 'int f(int a) {', 70) },
  { name: 'a C++ member function', source: sample('a.cc', 'bool A::f() const noexcept {', 70) },
  { name: 'a C++ constructor', source: sample('a.cc', 'A::A(int a) : a_(a), b_(0) {', 70) },
  { name: 'a C++ lambda', source: sample('a.cc', 'const Case c("{", [&x] {', 70) },
  { name: 'a TypeScript function', source: sample('a.ts', 'function f() {', 70) },
  { name: 'an arrow function', source: sample('a.ts', 'const f = async () => {', 70) },
] as const;

for (const { name, source } of samples) {
  t.test(`the length of ${name} is counted`, async t => {
    t.same(functionsOf(source), [{ what: `${source.path}:1`, lines: 70 }]);
  });
}

t.test('a class, a table and a loop are not functions', async t => {
  const text =
    'class A final : public B<int> {\n};\nint t[] = {1};\nfor (;;) {\n}\nnamespace {\n}\n';
  t.same(functionsOf({ path: 'a.cc', text }), []);
});

const sources = sourcesIn(
  ['native', 'lib', 'server', 'bench', 'test', 'tools'],
  ['.cc', '.h', '.ts', '.mjs', '.py'],
);

t.test('no file is too long', async t => {
  t.ok(sources.length > 30, 'files were examined');
  check(t, sources.map(fileSize), limits.fileLines);
});

t.test('no function is too long', async t => {
  const sizes = sources.filter(({ path }) => !path.endsWith('.py')).flatMap(functionsOf);
  t.ok(sizes.length > 100, 'functions were examined');
  check(t, sizes, limits.functionLines);
});

t.test('the preprocessor decides in two files only, and defines nothing', async t => {
  const native = sources.filter(({ path }) => /\.(h|cc)$/.test(path));
  t.ok(native.length > 20, 'files were examined');
  const deciding = native.filter(({ text }) =>
    /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b/m.test(text),
  );
  t.same(
    deciding.map(({ path }) => path).filter(path => !mayDecide.test(path)),
    [],
  );
  const defining = native.filter(({ text }) => /^[ \t]*#[ \t]*define\b/m.test(text));
  t.same(
    defining.map(({ path }) => path),
    [],
  );
});
