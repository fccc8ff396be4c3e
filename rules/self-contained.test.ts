import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { repositoryFiles, root } from './sources.ts';

/** Folders that a text may well name without meaning where this checkout happens to be. */
const commonFolders = new Set([
  '/',
  '/home',
  '/mnt',
  '/opt',
  '/root',
  '/srv',
  '/tmp',
  '/usr/src',
  '/var/lib',
  '/var/tmp',
]);

/** What ties a checkout to the machine or the network it was made in. The parts are joined so that none is found here. */
function forbiddenTexts(checkout: string): [name: string, pattern: RegExp][] {
  const parent = dirname(checkout);
  const places = commonFolders.has(parent) ? [checkout] : [checkout, parent];
  const hosts = [
    ['registry', 'npmjs', 'org'],
    ['deb', 'debian', 'org'],
    ['pypi', 'org'],
  ].map((parts) => parts.join('.'));
  return [
    ...places.map((place): [string, RegExp] => [place, new RegExp(`(?<![\\w.)}-])${RegExp.escape(place)}(?![\\w.-])`)]),
    ...[['..', 'shared'].join('/'), ...hosts].map((text): [string, RegExp] => [
      text,
      new RegExp(`${RegExp.escape(text)}(?![\\w-])`),
    ]),
  ];
}

function complaints(path: string, text: string, checkout: string): string[] {
  return forbiddenTexts(checkout).flatMap(([name, pattern]) => {
    const found = pattern.exec(text);
    return found === null ? [] : [`${path}:${text.slice(0, found.index).split('\n').length} names ${name}`];
  });
}

describe('the checkout', () => {
  test('names nothing outside of itself', () => {
    const paths = repositoryFiles();
    assert.ok(paths.includes('package.json'));
    assert.deepEqual(
      paths.flatMap((path) => complaints(path, readFileSync(join(root, path), 'utf8'), root)),
      [],
    );
  });

  test('is left alone where it does not', () => {
    for (const text of ['/placebo/a', 'src/place/a', './place', '`${base}/place/a`', 'npm ci', '/places', 'shared/a']) {
      assert.deepEqual(complaints('a', text, '/place/main'), [], text);
    }
    assert.deepEqual(complaints('a', '/tmp/x', '/tmp/checkout'), [], 'a common folder as parent');
  });

  test('is caught where it does', () => {
    const host = ['registry', 'npmjs', 'org'].join('.');
    const outside = ['..', 'shared', 'x'].join('/');
    for (const text of ['/place/other', '"/place"', 'file:///place/main/a', `https://${host}/a`, outside]) {
      assert.ok(complaints('a', `\n${text}`, '/place/main').length > 0, text);
    }
    assert.deepEqual(complaints('a', '\nx /tmp/checkout/b', '/tmp/checkout'), ['a:2 names /tmp/checkout']);
  });
});
