import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKind } from '../conformance/suite.ts';
import { filesystemKind } from './kind.ts';

const validate = (config: Readonly<Record<string, string>>) => filesystemKind.validate({ config, secrets: {} });

describe('the settings of a filesystem backend', () => {
  it('have defaults', () => {
    const expected = { config: { path: '/srv/blobs', sync_small_reads: 'true' }, secrets: {} };
    assert.deepEqual(validate({ path: '/srv//x/../blobs/' }), expected);
    const all = { path: '/srv', sync_small_reads: 'false', expect_marker: '0192f3c4-5678' };
    assert.deepEqual(validate(all).config, all);
  });

  it('that can never work are refused by name', () => {
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['path', {}],
      ['path', { path: 'relative/to/nothing' }],
      ['path', { path: '/x\0y' }],
      ['path', { path: `/${'x'.repeat(600)}` }],
      ['sync_small_reads', { path: '/srv', sync_small_reads: 'yes' }],
      ['expect_marker', { path: '/srv', expect_marker: '../x' }],
      ['pth', { path: '/srv', pth: '/srv' }],
    ];
    for (const [field, config] of cases) assert.throws(() => validate(config), isKind('invalid', { field }));
    const withSecret = { config: { path: '/srv' }, secrets: { password: 'x' } };
    assert.throws(() => filesystemKind.validate(withSecret), isKind('invalid', { field: 'password' }));
  });
});
