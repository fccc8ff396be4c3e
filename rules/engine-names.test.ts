import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Visitor } from 'oxc-parser';
import { type Source, lineOf, parseSource, readSources } from './sources.ts';

/** Files outside the store that may name an engine, with the reason. The list only shrinks. */
const allowed: Readonly<Record<string, string>> = {
  'src/kernel/config/settings.ts': 'the description of DATABASE_URL says which URLs there are',
};

/** Texts that name a database engine, as `path:line`. Comments, and the paths of imports, are not texts. */
function engineNames(source: Source): string[] {
  const found: string[] = [];
  const imported = new Set<number>();
  const check = (node: { readonly start: number }, value: unknown) => {
    if (typeof value !== 'string' || !/sqlite|postgres/i.test(value) || imported.has(node.start)) return;
    found.push(`${source.path}:${lineOf(source, node.start)}`);
  };
  const skip = (path: { readonly start: number } | null) => void (path !== null && imported.add(path.start));
  // A visitor enters an import before its path.
  new Visitor({
    ImportDeclaration: (node) => skip(node.source),
    ExportAllDeclaration: (node) => skip(node.source),
    ExportNamedDeclaration: (node) => skip(node.source),
    ImportExpression: (node) => skip(node.source),
    TSImportType: (node) => skip(node.source),
    Literal: (node) => check(node, node.value),
    TemplateElement: (node) => check(node, node.value.raw),
  }).visit(source.program);
  return found;
}

/** Tests run on both engines and may say on which. */
function isBound({ path }: Source): boolean {
  return !path.startsWith('src/kernel/store/') && !/\.test\.ts$|\bconformance\b/.test(path);
}

/** Names that are not allowed, and allowances that are not used. */
function complaints(sources: readonly Source[], list: Readonly<Record<string, string>>): string[] {
  const naming = sources.filter(isBound).map((source) => ({ path: source.path, places: engineNames(source) }));
  const used = new Set(naming.filter(({ places }) => places.length > 0).map(({ path }) => path));
  const unlisted = naming.filter(({ path }) => !(path in list)).flatMap(({ places }) => places);
  const needless = Object.keys(list).filter((path) => !used.has(path));
  return [...unlisted, ...needless.map((path) => `${path} names no engine: take it out of the list`)];
}

describe('the engines of the store', () => {
  test('are named in the store alone', () => {
    const sources = readSources('src');
    assert.ok(sources.some((source) => !isBound(source) && engineNames(source).length > 0));
    assert.deepEqual(complaints(sources, allowed), []);
  });

  test('are found in texts, and in texts only', () => {
    const text = [
      '// sqlite',
      "import './sqlite/a.ts';",
      "export * from './postgres/a.ts';",
      "const a = await import('./sqlite/a.ts');",
      "const b = 'SQLite';",
      'const c = `a postgres://${b}`;',
    ].join('\n');
    assert.deepEqual(complaints([parseSource('src/a.ts', text)], {}), ['src/a.ts:5', 'src/a.ts:6']);
    assert.deepEqual(complaints([parseSource('src/a.ts', text)], { 'src/a.ts': 'it is one' }), []);
    assert.deepEqual(
      complaints([parseSource('src/kernel/store/a.ts', text), parseSource('src/a.test.ts', text)], {}),
      [],
    );
    const needless = complaints([parseSource('src/a.ts', '')], { 'src/a.ts': 'it was one' });
    assert.deepEqual(needless, ['src/a.ts names no engine: take it out of the list']);
  });
});
