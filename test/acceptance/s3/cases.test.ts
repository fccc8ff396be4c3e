import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import type { Case } from './case.ts';
import { cases, sweeps } from './cases/all.ts';

const directory = new URL('cases/', import.meta.url);

test('the suite has all cases of all its files, each under a name of its own', async () => {
  const told = [...cases, ...sweeps];
  const files = (await readdir(directory)).filter((file) => file !== 'all.ts').toSorted();
  assert.ok(files.length > 20, files.join());
  for (const file of files) {
    const exported = (await import(new URL(file, directory).href)) as Record<string, unknown>;
    const own = Object.entries(exported).flatMap(([name, value]) =>
      name.endsWith('Cases') ? (value as readonly Case[]) : [],
    );
    assert.ok(own.length > 0, `${file} has no cases`);
    assert.deepEqual(
      own.filter((one) => !told.includes(one)).map(({ name }) => name),
      [],
      `${file} is not in all.ts`,
    );
  }
  const names = told.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) < index),
    [],
  );
});
