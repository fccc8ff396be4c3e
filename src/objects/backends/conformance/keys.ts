import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type KeyCase, type KeyClass, keyCases } from './key-cases.ts';
import { type Suite, assertSameBytes, byteOrder, isExcused, newRoot } from './suite.ts';

const KEY_BYTES_MAX = 1024;

/** Every key is a blob of its own, comes back as it was from the list, and can be deleted. */
export function keyTests(suite: Suite): void {
  for (const each of keyCases) {
    it(`keeps apart ${each.name}`, async (t) => {
      if (isExcused(t, suite.options.keyExceptions?.[each.name])) return;
      await keepsApart(suite, each.keys(newRoot()));
    });
  }

  it('keeps apart keys that look like names of its own', async () => {
    const root = newRoot();
    const names = suite.options.ownNames ?? [];
    await keepsApart(suite, [`${root}/x`, ...names.flatMap((name) => [`${root}/${name}`, `${root}${name}`])]);
  });

  it('keeps apart a key at the root that looks like a name of its own', async () => {
    for (const name of suite.options.ownNames ?? ['x']) {
      await suite.put(name, Buffer.from(name));
      await suite.mustHold(name, Buffer.from(name));
      assert.equal(await suite.delete(name), 'deleted');
      await suite.mustBeAbsent(name);
    }
  });

  it('keeps apart any set of keys, and lists them in byte order', async () => {
    const isPossible = possibleKeys(suite);
    const keys = fc.uniqueArray(anyKey, { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(keys, async (ends) => {
        const root = newRoot();
        const all = ends.map((end) => root + end).filter((key) => isPossible(key));
        await keepsApart(suite, all);
      }),
      { numRuns: suite.options.propertyRuns ?? 60 },
    );
  });
}

/** Puts every key with bytes of its own, looks at each by every way, and takes them away one by one. */
async function keepsApart(suite: Suite, keys: readonly string[]): Promise<void> {
  const unique = [...new Set(keys)];
  if (unique.length === 0) return;
  const bytesFor = (key: string) => Buffer.from(`${unique.indexOf(key)} ${key}`);
  for (const key of unique) await suite.put(key, bytesFor(key));
  for (const key of unique) {
    assertSameBytes(await suite.read(key), bytesFor(key));
    const facts = await suite.head(key);
    assert.deepEqual([facts?.key, facts?.sizeBytes], [key, bytesFor(key).length]);
  }
  const prefix = commonPrefix(unique);
  const listed = await suite.backend.list({ prefix, limit: 1000 }, suite.signal());
  assert.deepEqual(
    listed.blobs.map((blob) => blob.key),
    unique.toSorted(byteOrder),
  );
  for (const [index, key] of unique.entries()) {
    assert.equal(await suite.delete(key), 'deleted', JSON.stringify(key));
    assert.equal(await suite.head(key), null, JSON.stringify(key));
    const next = unique[index + 1];
    if (next !== undefined) assertSameBytes(await suite.read(next), bytesFor(next));
  }
  assert.deepEqual((await suite.backend.list({ prefix, limit: 1000 }, suite.signal())).blobs, []);
}

/** What all of the keys begin with; every set of keys has a root of its own in it, if only after slashes. */
function commonPrefix(keys: readonly string[]): string {
  const characters = Array.from(keys[0] ?? '');
  while (!keys.every((key) => key.startsWith(characters.join('')))) characters.pop();
  return characters.join('');
}

function possibleKeys(suite: Suite): (key: string) => boolean {
  const cases: readonly KeyCase[] = keyCases;
  const excepted = cases.filter(({ name }) => suite.options.keyExceptions?.[name as KeyClass] !== undefined);
  return (key) => Buffer.byteLength(key) <= KEY_BYTES_MAX && !excepted.some((each) => each.holds?.(key) ?? false);
}

const isUsable = (text: string) => !text.includes('\0') && text.isWellFormed();
const fragments = [
  '/',
  '//',
  '/.',
  '/..',
  '%',
  '%2F',
  '~',
  '.',
  '=',
  '!',
  '-',
  '_',
  '\\',
  ' ',
  'a',
  'A',
  '\u0001',
  '\uFFFF',
];
const anyCharacters = fc.string({ unit: 'binary', maxLength: 40 }).filter(isUsable);
const anyFragments = fc.array(fc.constantFrom(...fragments), { maxLength: 12 }).map((parts) => parts.join(''));
const longRun = fc.tuple(fc.constantFrom('x', 'é', '語', '😀', '/', '%'), fc.integer({ min: 1, max: 300 }));
const anyRun = longRun.map(([unit, count]) => unit.repeat(count)).filter((text) => Buffer.byteLength(text) < 900);
const anyKey = fc
  .array(fc.oneof({ weight: 3, arbitrary: anyCharacters }, { weight: 3, arbitrary: anyFragments }, anyRun), {
    maxLength: 3,
  })
  .map((parts) => parts.join(''));
