// SPDX-License-Identifier: Apache-2.0
// Every import and include of the repository against the arrows between its layers.
import { dirname, posix } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { type Source, sourcesIn } from './sources.js';

/** `from` may use what matches one of `to`: in C++ a path from the root or <header>, in TypeScript
 *  a path from the root or a package name. $1 in `to` is what the group in `from` matched. */
interface Arrow {
  readonly from: RegExp;
  readonly to: readonly string[];
}

const standard = '<[a-z_0-9]+>'; // C++ standard headers have no .h
const system = '<(pthread|sched|dlfcn|unistd|fcntl|link|time)\\.h>|<sys/[a-z]+\\.h>';
const modules = 'node:.*|[^/.]+(\\.js)?|@[^/]+/[^/]+'; // of Node, and packages

// The first row that matches a file is the one that counts.
const arrows: readonly Arrow[] = [
  { from: /^native\/base\//, to: [standard, system, 'native/base/.*'] },
  { from: /^native\/codec\//, to: [standard, 'native/(base|codec)/.*'] },
  {
    from: /^native\/scheduler\//,
    to: [standard, 'native/(base|scheduler)/.*', 'native/engine/engine.h'],
  },
  { from: /^native\/engine\/engine\.h$/, to: [standard, 'native/base/.*'] },
  {
    from: /^native\/engine\/registry\.(?:h|cc)$/,
    to: [
      standard,
      'native/base/.*',
      'native/engine/(engine|registry).h',
      'native/engine/(\\w+)/\\1_engine.h',
    ],
  },
  {
    from: /^native\/engine\/(\w+)\//,
    to: [standard, 'native/base/.*', 'native/engine/engine.h', 'native/engine/$1/.*'],
  },
  {
    from: /^native\/addon\//,
    to: [
      standard,
      '<napi.h>',
      'native/(base|codec|scheduler|addon)/.*',
      'native/engine/(engine|registry).h',
    ],
  },
  { from: /^lib\//, to: [modules, 'lib/.*'] },
  {
    from: /^server\/protocol\/(\w+)\//,
    to: [modules, 'server/protocol/$1/.*', 'server/(?!protocol/).*', 'lib/index.ts'],
  },
  {
    from: /^server\/decode\//,
    to: [modules, 'server/(decode/.*|numbers.ts|packages/crc32.ts)', 'lib/index.ts'],
  },
  { from: /^server\//, to: [modules, 'server/.*', 'lib/index.ts'] },
];

/** What only one place may use, whatever the arrows say. */
const owned: readonly { readonly what: RegExp; readonly owner: RegExp }[] = [
  { what: /^<(napi|node_api|js_native_api|uv|v8|node)\.h>$/, owner: /^native\/addon\// },
  { what: /^<dlfcn\.h>$/, owner: /^native\/base\/shared_library\.cc$/ },
  // The benchmark's references are what a user without us would write.
  { what: /^uWebSockets\.js$/, owner: /^(server\/http|bench\/references\/uws)\.ts$/ },
  { what: /^node-gyp-build$/, owner: /^lib\/binding\.ts$/ },
  {
    what: /^native\/engine\/\w+\//,
    owner: /^native\/engine\/(registry\.(h|cc)$|\w+\/)|^test\/native\//,
  },
  { what: /^server\/protocol\/\w+\//, owner: /^server\/protocol\/|^test\// },
];

function includesOf({ text }: Source): string[] {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:(<[^>]+>)|"([^"]+)")/gm)].map(
    match => match[1] ?? match[2] ?? '',
  );
}

function importsOf({ path, text }: Source): string[] {
  const names = ts.preProcessFile(text, true, true).importedFiles.map(file => file.fileName);
  return names.map(name =>
    name.startsWith('.') ? posix.join(dirname(path), name).replace(/\.js$/, '.ts') : name,
  );
}

function usesOf(source: Source): string[] {
  return source.path.endsWith('.ts') ? importsOf(source) : includesOf(source);
}

function allows({ from, to }: Arrow, path: string, use: string): boolean {
  const part = from.exec(path)?.[1] ?? '';
  return to.some(pattern => new RegExp(`^(?:${pattern.replace('$1', part)})$`).test(use));
}

function violations(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const arrow = arrows.find(({ from }) => from.test(source.path));
    const wrong = usesOf(source).filter(
      use =>
        (arrow !== undefined && !allows(arrow, source.path, use)) ||
        owned.some(({ what, owner }) => what.test(use) && !owner.test(source.path)),
    );
    return wrong.map(use => `${source.path} must not use ${use}`);
  });
}

/** The files on some cycle of imports, or none. */
function cycleIn(sources: readonly Source[]): string[] {
  const uses = new Map(sources.map(source => [source.path, usesOf(source)]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const use of uses.get(path) ?? []) {
      const cycle = visit(use, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const path of uses.keys()) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

const reversed = [
  { path: 'native/base/tensor.h', text: '#include "native/scheduler/queue.h"' },
  { path: 'native/scheduler/lane.cc', text: '#include "native/engine/onnx/onnx_engine.h"' },
  { path: 'native/scheduler/lane.cc', text: '  #  include <napi.h>' },
  { path: 'native/scheduler/run.cc', text: '#include "native/codec/json_answer.h"' },
  { path: 'native/codec/text.h', text: '#include "native/scheduler/queue.h"' },
  {
    path: 'native/engine/onnx/onnx_engine.cc',
    text: '#include "native/engine/torch/torch_engine.h"',
  },
  { path: 'native/engine/onnx/onnx_engine.cc', text: '#include <dlfcn.h>' },
  { path: 'native/engine/engine.h', text: '#include "native/scheduler/queue.h"' },
  { path: 'native/addon/addon.cc', text: '#include "native/engine/onnx/onnx_engine.h"' },
  { path: 'test/native/lane_test.cc', text: '#include <napi.h>' },
  { path: 'lib/model.ts', text: "import { serve } from '../server/app.js';" },
  { path: 'lib/model.ts', text: "const load = await import('node-gyp-build');" },
  { path: 'server/registry.ts', text: "import type { Model } from '../lib/model.js';" },
  { path: 'server/app.ts', text: "export * from 'uWebSockets.js';" },
  { path: 'server/app.ts', text: "import { v2 } from './protocol/v2/routes.js';" },
  { path: 'server/decode/image.ts', text: "import { log } from '../log.js';" },
  { path: 'server/protocol/v2/infer.ts', text: "import { x } from '../mms/routes.js';" },
  { path: 'server/protocol/v2/routes.ts', text: "import { x } from '../../../lib/errors.js';" },
] as const;

t.test('a reversed arrow is found', async t => {
  for (const source of reversed) {
    t.equal(violations([source]).length, 1, `${source.path}: ${source.text}`);
  }
});

t.test('a cycle of imports is found', async t => {
  const cycle = [
    { path: 'lib/a.ts', text: "import './b.js';" },
    { path: 'lib/b.ts', text: "import './c.js';" },
    { path: 'lib/c.ts', text: "import './b.js';" },
  ];
  t.same(cycleIn(cycle), ['lib/b.ts', 'lib/c.ts', 'lib/b.ts']);
});

t.test('native includes follow the arrows', async t => {
  const sources = sourcesIn(['native', 'test/native'], ['.h', '.cc']);
  t.ok(sources.flatMap(usesOf).length > 100, 'includes were examined');
  t.same(violations(sources), []);
});

t.test('TypeScript imports follow the arrows', async t => {
  const sources = sourcesIn(['lib', 'server', 'bench', 'test'], ['.ts']);
  t.ok(sources.flatMap(usesOf).length > 50, 'imports were examined');
  t.same(violations(sources), []);
});

t.test('no TypeScript import leads back to its own file', async t => {
  const sources = sourcesIn(['lib', 'server'], ['.ts']);
  t.ok(sources.length > 5, 'files were examined');
  t.same(cycleIn(sources), []);
});

t.test('every folder of the layers has a row of arrows', async t => {
  const sources = sourcesIn(['lib', 'server', 'native'], ['.h', '.cc', '.ts']);
  t.ok(sources.length > 20, 'files were examined');
  const without = sources.filter(({ path }) => !arrows.some(({ from }) => from.test(path)));
  t.same(
    without.map(({ path }) => path),
    [],
  );
});
