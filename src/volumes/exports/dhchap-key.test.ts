import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { newDhchapKey } from './dhchap-key.ts';

const form = /^DHHC-1:00:([A-Za-z0-9+/]{48}):$/;

it('a DH-HMAC-CHAP key has 256 bits and the CRC-32 of them, and is another each time', () => {
  const keys = Array.from({ length: 20 }, newDhchapKey);
  for (const key of keys) {
    const bytes = Buffer.from(form.exec(key)![1]!, 'base64');
    assert.equal(bytes.length, 36);
    assert.equal(bytes.readUInt32LE(32), crc32(bytes.subarray(0, 32)));
  }
  assert.equal(new Set(keys).size, keys.length);
});

it('nvme-cli takes such a key for valid', async (t) => {
  const check = (key: string) => promisify(execFile)('nvme', ['check-dhchap-key', '--key', key], { timeout: 10_000 });
  try {
    assert.match((await check(newDhchapKey())).stdout, /valid \(HMAC 0, length 32/);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || process.env['HOLDFAST_REQUIRE_REAL'] === '1') throw error;
    t.skip('nvme not found; on Debian: apt-get install nvme-cli');
    return;
  }
  await assert.rejects(check(`DHHC-1:00:${Buffer.alloc(36, 7).toString('base64')}:`), /CRC/);
});
