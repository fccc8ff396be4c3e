import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CallExpression, type Program, Visitor } from 'oxc-parser';
import { type Source, lineOf, parseSource, readSources, textOf } from './sources.ts';

/** The local names under which a file knows `transaction`, also after `import { transaction as t }`. */
function localNames(program: Program): Set<string> {
  const names = new Set<string>();
  for (const statement of program.body) {
    if (statement.type !== 'ImportDeclaration' || !statement.source.value.endsWith('/transaction.ts')) continue;
    for (const one of statement.specifiers) {
      const isIt = one.type === 'ImportSpecifier' && one.imported.type === 'Identifier';
      if (isIt && one.imported.type === 'Identifier' && one.imported.name === 'transaction') names.add(one.local.name);
    }
  }
  return names;
}

/** The exported names of each call that is, as it stands, the value of a constant of the module. */
function exportedCalls(program: Program): Map<CallExpression, string[]> {
  const byLocal = new Map<string, string[]>();
  const values = new Map<CallExpression, string>();
  const exportAs = (local: string, name: string) => byLocal.set(local, [...(byLocal.get(local) ?? []), name]);
  for (const statement of program.body) {
    const isNamed = statement.type === 'ExportNamedDeclaration';
    const declaration = isNamed ? statement.declaration : statement;
    if (isNamed && statement.source === null) {
      for (const { local, exported } of statement.specifiers) exportAs(nameOf(local), nameOf(exported));
    }
    if (declaration?.type !== 'VariableDeclaration') continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type !== 'Identifier') continue;
      if (isNamed) exportAs(id.name, id.name);
      if (init?.type === 'CallExpression') values.set(init, id.name);
    }
  }
  return new Map([...values].map(([call, local]) => [call, byLocal.get(local) ?? []]));
}

function nameOf(node: { type: string; name?: string; value?: unknown }): string {
  return node.type === 'Literal' ? String(node.value) : (node.name ?? '');
}

function wrongTransactions(source: Source): string[] {
  const names = localNames(source.program);
  const exported = exportedCalls(source.program);
  const wrong: string[] = [];
  const check = (call: CallExpression) => {
    if (call.callee.type !== 'Identifier' || !names.has(call.callee.name)) return;
    const [module, name] = call.arguments;
    const where = `${source.path}:${lineOf(source, call.start)}`;
    const moduleText = module === undefined ? '' : source.text.slice(module.start, module.end);
    const text = name === undefined || name.type === 'SpreadElement' ? undefined : textOf(name);
    // The thread that owns the database imports the module, and would run the tests in it.
    if (source.path.endsWith('.test.ts')) wrong.push(`${where}: it is defined in a file of tests`);
    else if (moduleText !== 'import.meta.url') wrong.push(`${where}: the module is not import.meta.url`);
    else if (text === undefined) wrong.push(`${where}: the name is not a literal`);
    else if (exported.get(call)?.includes(text) !== true) wrong.push(`${where}: it is not exported as "${text}"`);
  };
  new Visitor({ CallExpression: check }).visit(source.program);
  return wrong;
}

describe('transactions', () => {
  test('are exported under the name by which another thread asks for them', () => {
    const sources = readSources('src');
    assert.deepEqual(sources.flatMap(wrongTransactions), []);
    const count = sources.filter((source) => localNames(source.program).size > 0).length;
    assert.ok(count >= 10, `only ${count} files define transactions, so the rule no longer sees them`);
  });

  const sample = (code: string) =>
    wrongTransactions(parseSource('src/a.ts', `import { transaction } from './store/transaction.ts';\n${code}`));

  test('of these shapes are right', () => {
    assert.deepEqual(sample(`export const a = transaction(import.meta.url, 'a', body);`), []);
    assert.deepEqual(sample(`const b = transaction(import.meta.url, 'a', body);\nexport { b as a };`), []);
    assert.deepEqual(sample(`db.transaction().execute(f);`), []);
  });

  test('of these shapes are caught', () => {
    for (const code of [
      `export const a = transaction(import.meta.url, 'b', body);`,
      `const a = transaction(import.meta.url, 'a', body);`,
      `export const a = transaction('x', 'a', body);`,
      `export const a = transaction(import.meta.url, name, body);`,
      `export const a = wrap(transaction(import.meta.url, 'a', body));`,
      `export function a() { return transaction(import.meta.url, 'a', body); }`,
      `export const a = transaction(import.meta.url);`,
    ]) {
      assert.equal(sample(code).length, 1, code);
    }
    const renamed = `import { transaction as t } from './transaction.ts';\nconst a = t(import.meta.url, 'a', b);`;
    assert.equal(wrongTransactions(parseSource('src/a.ts', renamed)).length, 1);
    const right = `import { transaction } from './transaction.ts';\nexport const a = transaction(import.meta.url, 'a', b);`;
    assert.equal(wrongTransactions(parseSource('src/a.test.ts', right)).length, 1);
  });
});
