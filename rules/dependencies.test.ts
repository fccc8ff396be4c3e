import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { root } from './sources.ts';

const kinds = ['dependencies', 'devDependencies'] as const;
const exactVersion = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

type Manifest = Readonly<Partial<Record<string, Readonly<Record<string, string>>>>>;

/** The reasons of a list by `kind/name`: lines such as ``- `pg`: why.`` below headings such as `## dependencies`. */
function reasonsIn(list: string): { reasons: Map<string, string>; wrong: string[] } {
  const reasons = new Map<string, string>();
  const wrong: string[] = [];
  let kind = '';
  for (const line of list.split('\n')) {
    if (line.startsWith('## ')) kind = line.slice(3).trim();
    if (!line.startsWith('- ')) continue;
    const [, name, reason] = /^- `([^`]+)`: (.*\S.*\.)$/.exec(line) ?? [];
    if (name === undefined || reason === undefined) wrong.push(`not a name with a sentence: ${line}`);
    else if (reasons.has(`${kind}/${name}`)) wrong.push(`${name} has two reasons`);
    else reasons.set(`${kind}/${name}`, reason);
  }
  return { reasons, wrong };
}

function complaints(manifest: Manifest, list: string): string[] {
  const { reasons, wrong } = reasonsIn(list);
  const present = new Set<string>();
  for (const kind of kinds) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      present.add(`${kind}/${name}`);
      if (!reasons.has(`${kind}/${name}`)) wrong.push(`${name} has no reason among the ${kind}`);
      if (!exactVersion.test(version)) wrong.push(`${name} has no exact version: ${version}`);
    }
  }
  const gone = [...reasons.keys()].filter((key) => !present.has(key));
  const others = ['optionalDependencies', 'peerDependencies', 'bundleDependencies'].filter((kind) => kind in manifest);
  return [
    ...wrong,
    ...gone.map((key) => `${key} is not in package.json`),
    ...others.map((kind) => `${kind} are not used`),
  ];
}

describe('dependencies', () => {
  test('each have a reason and an exact version', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
    const list = readFileSync(join(import.meta.dirname, 'dependencies.md'), 'utf8');
    assert.ok(Object.keys(manifest['dependencies'] ?? {}).length > 0);
    assert.deepEqual(complaints(manifest, list), []);
  });

  const list = '## dependencies\n- `a`: it is needed.\n## devDependencies\n- `@x/b`: it tests.\n';

  test('that are in order are left alone', () => {
    const manifest = { dependencies: { a: '1.2.3' }, devDependencies: { '@x/b': '1.0.0-rc.1' } };
    assert.deepEqual(complaints(manifest, list), []);
  });

  test('that are not are caught', () => {
    const good = { dependencies: { a: '1.2.3' }, devDependencies: { '@x/b': '1.0.0' } };
    assert.match(complaints({ ...good, dependencies: { a: '1.2.3', c: '1.0.0' } }, list).join(), /c has no reason/);
    assert.match(complaints({ dependencies: { a: '1.2.3' } }, list).join(), /@x\/b is not in package\.json/);
    for (const version of ['^1.2.3', '~1.2.3', '1', '*', 'latest', 'git+ssh://host/a', 'file:../a']) {
      assert.match(complaints({ ...good, dependencies: { a: version } }, list).join(), /no exact version/, version);
    }
    const moved = { devDependencies: { a: '1.2.3', '@x/b': '1.0.0' } };
    assert.equal(complaints(moved, list).length, 2);
    assert.match(complaints(good, `${list}- \`c\` because\n`).join(), /not a name with a sentence/);
    assert.match(complaints(good, `${list}- \`@x/b\`: again.\n`).join(), /two reasons/);
    assert.match(complaints({ ...good, optionalDependencies: {} }, list).join(), /are not used/);
  });
});
