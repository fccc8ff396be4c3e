import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDevice } from './device-path.ts';
import { device } from './test-devices.ts';

const devices = [
  device({ name: 'vdb' }),
  device({ name: 'cciss/c0d0' }),
  device({ name: 'dm-0', deviceMapper: { name: 'vol-1', uuid: '' } }),
];

test('an encoded path finds the device that the plain one finds', () => {
  for (const path of ['dev%2Fvdb', '%2Fdev%2Fvdb', 'vdb', '/dev/vdb', 'dev/vdb', '/vdb']) {
    assert.equal(findDevice(decodeURIComponent(path), devices)?.name, 'vdb', path);
  }
  assert.equal(findDevice('/dev/cciss/c0d0', devices)?.name, 'cciss/c0d0');
  assert.equal(findDevice(decodeURIComponent('dev%2Fmapper%2Fvol-1'), devices)?.name, 'dm-0');
});

test('an absent device is null, and what is no device path is invalid', () => {
  for (const path of ['vdc', '/dev/mapper/vol-2', '/dev/mapper', 'vdb/1'])
    assert.equal(findDevice(path, devices), null);
  for (const path of ['', '/', '/dev/', '/dev/../etc', 'a//b', '/dev/./vdb', 'v\0', 'a'.repeat(256)]) {
    assert.throws(() => findDevice(path, devices), { name: 'HoldfastError', kind: 'invalid' }, path);
  }
});
