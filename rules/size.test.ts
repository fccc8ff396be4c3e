import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Visitor } from 'oxc-parser';
import { type Source, lineOf, parseSource, readSources } from './sources.ts';

const fileLinesMax = 400;
const functionLinesMax = 70;
/** The formatter breaks code, and leaves comments alone. */
const commentColumnsMax = 130;

/** What may be larger, by `path` or `path#function`, and why. The list only shrinks. */
const exceptions: Readonly<Record<string, string>> = {
  'src/server.ts#startServer': 'the one place where parts are wired',
};

interface Size {
  readonly name: string;
  readonly lines: number;
}

function fileSize({ path, text }: Source): Size {
  return { name: path, lines: text.replace(/\n$/, '').split('\n').length };
}

/** Suites are functions only because the test runner wants callbacks: their length is their cases. */
function isSuite(path: string): boolean {
  return /\.(test|conformance)\.ts$/.test(path) || path.includes('/conformance/');
}

function functionSizes(source: Source): Size[] {
  const sizes: Size[] = [];
  const names = new Map<number, string>();
  const add = (node: { start: number; end: number }, own?: string) => {
    const line = lineOf(source, node.start);
    const name = own ?? names.get(node.start) ?? `line ${line}`;
    sizes.push({ name: `${source.path}#${name}`, lines: lineOf(source, node.end) - line + 1 });
  };
  // A visitor enters what holds a function before the function, so its name is known by then.
  new Visitor({
    VariableDeclarator: ({ id, init }) => {
      if (id.type === 'Identifier' && init !== null) names.set(init.start, id.name);
    },
    MethodDefinition: ({ key, value }) => {
      names.set(value.start, source.text.slice(key.start, key.end));
    },
    Property: ({ key, value }) => {
      names.set(value.start, source.text.slice(key.start, key.end));
    },
    FunctionDeclaration: (node) => add(node, node.id?.name),
    FunctionExpression: (node) => add(node),
    ArrowFunctionExpression: (node) => add(node),
  }).visit(source.program);
  return sizes;
}

/** Everything that is too large, whether it is excepted or not. */
function tooLarge(sources: readonly Source[]): Size[] {
  const files = sources.map(fileSize).filter(({ lines }) => lines > fileLinesMax);
  const functions = sources.filter(({ path }) => !isSuite(path)).flatMap(functionSizes);
  return [...files, ...functions.filter(({ lines }) => lines > functionLinesMax)];
}

/** What exceeds without being listed, and what is listed without need. */
function complaints(sources: readonly Source[], allowed: Readonly<Record<string, string>>): string[] {
  const large = tooLarge(sources);
  const unlisted = large.filter(({ name }) => !(name in allowed)).map(({ name, lines }) => `${name}: ${lines} lines`);
  const names = new Set(large.map(({ name }) => name));
  const needless = Object.keys(allowed).filter((name) => !names.has(name));
  return [...unlisted, ...needless.map((name) => `${name} no longer exceeds: take it out of the list`)];
}

/** Lines of comments that are too wide, but for addresses and for what is said to the linter. */
function wideComments({ path, text }: Source): string[] {
  const isWide = (line: string) =>
    line.length > commentColumnsMax && /^\s*(\/\*\*|\*|\/\/) /.test(line) && !/oxlint-|https?:\S{60}/.test(line);
  return text.split('\n').flatMap((line, at) => (isWide(line) ? [`${path}:${at + 1}: ${line.length} columns`] : []));
}

describe('sizes', () => {
  test(`of files are at most ${fileLinesMax} lines, and of functions ${functionLinesMax}`, () => {
    assert.deepEqual(complaints(readSources('src', 'test', 'bench', 'rules'), exceptions), []);
    for (const [name, reason] of Object.entries(exceptions)) assert.match(reason, /\w+ \w+/, name);
  });

  test(`of lines of comments are at most ${commentColumnsMax} columns`, () => {
    assert.deepEqual(readSources('src', 'test', 'bench', 'rules').flatMap(wideComments), []);
    const wide = `/** ${'word '.repeat(30)}*/`;
    assert.deepEqual(wideComments(parseSource('src/a.ts', `\n${wide}`)), [`src/a.ts:2: ${wide.length} columns`]);
    const address = `// https://${'docs.example/'.repeat(12)}`;
    assert.deepEqual(wideComments(parseSource('src/a.ts', address)), []);
  });

  const blank = (lines: number) => '\n'.repeat(lines);

  test('that are just right are left alone', () => {
    const file = parseSource('src/a.ts', blank(fileLinesMax));
    const code = parseSource('src/b.ts', `function f() {${blank(functionLinesMax - 1)}}`);
    const suite = parseSource('src/c.test.ts', `test('', () => {${blank(100)}});`);
    assert.deepEqual(complaints([file, code, suite], {}), []);
  });

  test('that exceed are caught, in every shape', () => {
    const body = `{${blank(functionLinesMax)}}`;
    const caught = (path: string, text: string) => complaints([parseSource(path, text)], {});
    assert.deepEqual(caught('src/a.test.ts', blank(fileLinesMax + 1)), ['src/a.test.ts: 401 lines']);
    assert.deepEqual(caught('src/a.ts', `function f() ${body}`), ['src/a.ts#f: 71 lines']);
    assert.deepEqual(caught('src/a.ts', `export const f = async () => ${body};`), ['src/a.ts#f: 71 lines']);
    assert.deepEqual(caught('src/a.ts', `class A { async f() ${body} }`), ['src/a.ts#f: 71 lines']);
    assert.deepEqual(caught('src/a.ts', `const a = { f: function () ${body} };`), ['src/a.ts#f: 71 lines']);
    assert.deepEqual(caught('src/a.ts', `call(() => ${body});`), ['src/a.ts#line 1: 71 lines']);
  });

  test('that are excepted without need are caught', () => {
    const source = parseSource('src/a.ts', `function f() {${blank(functionLinesMax)}}`);
    assert.deepEqual(complaints([source], { 'src/a.ts#f': 'it is one' }), []);
    const needless = complaints([source], { 'src/a.ts#f': 'it is one', 'src/a.ts#g': 'it is gone' });
    assert.deepEqual(needless, ['src/a.ts#g no longer exceeds: take it out of the list']);
  });
});
