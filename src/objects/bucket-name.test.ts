import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireBucketName } from './bucket-name.ts';
import { s3CodeOf } from './errors.ts';

function refusal(name: string): unknown {
  try {
    requireBucketName(name);
  } catch (error) {
    return s3CodeOf(error);
  }
  return null;
}

test('bucket names are host names, and none is that of probes', () => {
  for (const name of ['abc', 'a-b.c9', 'holdfast', 'holdfast-probes', 'x'.repeat(63), '1.2.3']) {
    assert.equal(refusal(name), null, name);
  }
  const wrong = [
    '',
    'ab',
    'A-b',
    'a_b',
    '-ab',
    'ab-',
    'a..b',
    '1.2.3.4',
    'x'.repeat(64),
    'xn--ab',
    'ab-s3alias',
    'a/b',
  ];
  for (const name of [...wrong, 'holdfast-probe']) assert.equal(refusal(name), 'InvalidBucketName', name);
});
