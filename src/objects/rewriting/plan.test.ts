import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StoredForm } from '../content/form.ts';
import { type StandingContent, planRewrite } from './plan.ts';

const zstd = { frameBytes: 1, frames: [1] };
const sealedBy = (kekId: string) => ({ chunkBytes: 1, key: { kekId, wrapped: '' } });
const formOf = (more: Partial<StoredForm>): StoredForm => ({
  bodyBytes: 1,
  crc32: 0,
  zstd: null,
  sealed: null,
  sums: null,
  ...more,
});
const plain: StandingContent = { encryption: null, forms: [null], isIncompressible: false, settings: {} };
const current = new Set(['new']);

describe('what a pass makes of a content', () => {
  test('encrypting is for what is not, as its bucket demands', () => {
    assert.deepEqual(planRewrite('encrypt', plain, current), { encryption: { kind: 'aes256' }, isCompressed: false });
    const kms = { kind: 'kms', keyId: 'a' } as const;
    const demanded = { ...plain, forms: [formOf({ zstd })], settings: { encryption: kms } };
    assert.deepEqual(planRewrite('encrypt', demanded, current), { encryption: kms, isCompressed: true });
    assert.equal(planRewrite('encrypt', { ...plain, encryption: { kind: 'aes256' } }, current), null);
  });

  test('re-keying is for what is not under a current key, in any of its parts', () => {
    const encryption = { kind: 'aes256' } as const;
    const forms = [formOf({ sealed: sealedBy('new') }), formOf({ sealed: sealedBy('old') })];
    assert.deepEqual(planRewrite('re-key', { ...plain, encryption, forms }, current), {
      encryption,
      isCompressed: false,
    });
    assert.equal(planRewrite('re-key', { ...plain, encryption, forms: forms.slice(0, 1) }, current), null);
    assert.equal(planRewrite('re-key', plain, current), null);
  });

  test('compressing is for what is not, and was not found to be in vain', () => {
    assert.deepEqual(planRewrite('compress', plain, current), { encryption: null, isCompressed: true });
    assert.equal(planRewrite('compress', { ...plain, isIncompressible: true }, current), null);
    const compressed = { ...plain, forms: [formOf({ zstd })] };
    assert.equal(planRewrite('compress', compressed, current), null);
    assert.deepEqual(planRewrite('decompress', compressed, current), { encryption: null, isCompressed: false });
    assert.equal(planRewrite('decompress', plain, current), null);
  });

  test('what is under a key of a customer stays as it is', () => {
    const theirs = { ...plain, encryption: { kind: 'customer', salt: '', check: '' } as const };
    for (const action of ['encrypt', 'decrypt', 're-key', 'compress', 'decompress'] as const) {
      assert.equal(planRewrite(action, theirs, current), null);
    }
    assert.deepEqual(planRewrite('decrypt', { ...plain, encryption: { kind: 'aes256' } }, current), {
      encryption: null,
      isCompressed: false,
    });
  });
});
