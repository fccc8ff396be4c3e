import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  barrels,
  forbiddenImports,
  importCycles,
  impureReach,
  missingPureFiles,
  moduleVariables,
} from './architecture.ts';
import { importsOf, parseSource, readSources } from './sources.ts';

describe('the architecture', () => {
  const sources = readSources('src');

  test('keeps every import where it belongs', () => {
    assert.ok(sources.length > 100, 'the rule no longer sees the sources');
    assert.deepEqual(forbiddenImports(sources), []);
  });

  test('keeps pure files pure, also through what they import', () => {
    assert.deepEqual(missingPureFiles(sources), []);
    assert.deepEqual(impureReach(sources), []);
  });

  test('has no import cycles', () => assert.deepEqual(importCycles(sources), []));
  test('has no barrels', () => assert.deepEqual(barrels(sources), []));
  test('has no variables at the top of a module', () => assert.deepEqual(moduleVariables(sources), []));
});

describe('the laws of the architecture', () => {
  test('see an import of any kind', () => {
    const code = [
      `import a from './a.ts';`,
      `import './b.ts';`,
      `import type { C } from './c.ts';`,
      `import { type D } from '../d.ts';`,
      `export * from './e.ts';`,
      `export { f } from './f.ts';`,
      `export type { G } from './g.ts';`,
      `const h = async () => import('./h.ts');`,
      'const i = async () => import(`./i.ts`);',
      `type J = import('./j.ts').J;`,
      `const k = require('pg');`,
    ].join('\n');
    const found = importsOf(parseSource('src/x/y.ts', code)).sort((one, other) => one.line - other.line);
    assert.deepEqual(
      found.map(({ target }) => target),
      ['a', 'b', 'c', '../d', 'e', 'f', 'g', 'h', 'i', 'j']
        .map((name) => (name === '../d' ? 'src/d.ts' : `src/x/${name}.ts`))
        .concat('pg'),
    );
    // `import { type D }` leaves `import {}` behind, so the module still runs.
    assert.deepEqual(
      found.filter(({ isTypeOnly }) => isTypeOnly).map(({ line }) => line),
      [3, 7, 10],
    );
  });

  const forbidden: readonly [string, string][] = [
    ['src/kernel/a.ts', `import '../volumes/fsm.ts';`],
    ['src/kernel/a.ts', `export type { X } from '../objects/x.ts';`],
    ['src/kernel/http/a.ts', `const x = () => import('../../server.ts');`],
    ['src/kernel/a.ts', `type X = import('../cli/output.ts').X;`],
    ['src/volumes/a.ts', `import { x } from '../objects/x.ts';`],
    ['src/objects/a.ts', `import type { X } from '../volumes/volume.ts';`],
    ['src/csi/controller/a.ts', `import { Client } from '../../client.ts';`],
    ['src/csi/a.ts', `import type { Volume } from '../volumes/volume.ts';`],
    ['src/volumes/a.ts', `import { x } from '../csi/names.ts';`],
    ['src/volumes/a.ts', `import { x } from '../server.ts';`],
    ['src/volumes/fsm.ts', `import type { Generated } from 'kysely';`],
    ['src/volumes/fsm.ts', `import { readFile } from 'node:fs/promises';`],
    ['src/kernel/config/size.ts', `import net from 'node:net';`],
    ['src/volumes/backends/file/a.ts', `import { x } from '../../../kernel/store/store.ts';`],
    ['src/volumes/backends/file/a.ts', `import type { FastifyReply } from 'fastify';`],
    ['src/volumes/backends/a.ts', `import { x } from '../../kernel/http/errors.ts';`],
    ['src/kernel/operations/a.ts', `import pg from 'pg';`],
    ['src/kernel/operations/a.ts', `const x = await import('node:sqlite');`],
    ['src/server.ts', `import { x } from './kernel/store/sqlite/database.ts';`],
    ['src/kernel/a.ts', `import { x } from '../../test/support/temp.ts';`],
    ['src/kernel/operations/engine.ts', `import { x } from './test-store.ts';`],
    ['src/volumes/backends/registry.ts', `import { x } from './backend.conformance.ts';`],
    ['src/volumes/backends/memory/a.ts', `import koffi from 'koffi';`],
    ['src/objects/backends/filesystem/filesystem.ts', `import koffi from 'koffi';`],
  ];
  for (const [path, code] of forbidden) {
    test(`forbid in ${path}: ${code}`, () => {
      assert.equal(forbiddenImports([parseSource(path, code)]).length, 1);
    });
  }

  test('allow what belongs together', () => {
    const allowed: readonly [string, string][] = [
      ['src/kernel/store/postgres/a.ts', `import pg from 'pg';`],
      ['src/volumes/backends/ceph/a.ts', `import koffi from 'koffi';`],
      ['src/objects/backends/filesystem/file-system-flush.ts', `import koffi from 'koffi';`],
      ['src/volumes/a.ts', `import { x } from '../kernel/store/store.ts';`],
      ['src/volumes/fsm.ts', `import { x } from './volume.ts';`],
      ['src/cli/a.ts', `import { x } from '../volumes/volume.ts';`],
      ['src/csi/node/a.ts', `import { HoldfastError } from '../../kernel/errors/errors.ts';`],
      ['src/server.ts', `import { x } from './volumes/service.ts';`],
      ['src/kernel/a.test.ts', `import { x } from '../../test/support/temp.ts';`],
    ];
    for (const [path, code] of allowed) assert.deepEqual(forbiddenImports([parseSource(path, code)]), [], code);
  });

  test('catch I/O behind a pure file', () => {
    const fsm = parseSource('src/volumes/fsm.ts', `import './between.ts';\nimport type { Z } from './z.ts';`);
    const between = parseSource('src/volumes/between.ts', `import 'node:fs';`);
    const typed = parseSource('src/volumes/z.ts', `import 'node:net';`);
    assert.deepEqual(impureReach([fsm, between, typed]), ['src/volumes/fsm.ts reaches node:fs']);
    assert.ok(missingPureFiles([fsm]).includes('src/volumes/volume.ts'));
  });

  test('catch each cycle once, but not one of types', () => {
    const a = parseSource('src/a.ts', `import './b.ts';`);
    const b = parseSource('src/b.ts', `export * from './c.ts';`);
    const c = parseSource('src/c.ts', `const x = () => import('./a.ts');`);
    assert.deepEqual(importCycles([b, c, a]), ['src/a.ts -> src/b.ts -> src/c.ts']);
    assert.deepEqual(importCycles([a, b, parseSource('src/c.ts', `import type { A } from './a.ts';`)]), []);
    assert.deepEqual(importCycles([parseSource('src/a.ts', `import './a.ts';`)]), ['src/a.ts']);
  });

  test('catch barrels and variables of a module', () => {
    const file = (code: string) => [parseSource('src/a.ts', code)];
    const one = ['src/a.ts'];
    assert.deepEqual(barrels(file(`export * from './b.ts';\nexport { c } from './c.ts';`)), one);
    assert.deepEqual(barrels(file(`import { b } from './b.ts';\nexport { b };`)), one);
    assert.deepEqual(barrels(file(`export * from './b.ts';\nexport const c = 1;`)), []);
    assert.deepEqual(barrels(file(`import './b.ts';`)), []);
    assert.deepEqual(moduleVariables(file(`export let a = 1;`)), ['src/a.ts:1']);
    assert.deepEqual(moduleVariables(file(`\nvar a = 1;`)), ['src/a.ts:2']);
    assert.deepEqual(moduleVariables(file(`const a = 1;\nfunction f() { let b = a; return b; }`)), []);
  });
});
