import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKind } from '../conformance/suite.ts';
import { connectionTo } from './connection-info.ts';
import { imageNode, sourceOf } from './image-node.ts';
import { qosOf, throttleLimits } from './limits.ts';
import { nbdName, newQmpId, nodeNames, parseQmpId } from './names.ts';
import { LineSplitter } from './qmp/lines.ts';

const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/);
const named = fc.record(
  { exportId: id, volumeId: id, generation: fc.maxSafeNat(), readOnly: fc.boolean() },
  { noNullPrototype: true },
);

test('every name is read back as what it was made of', () => {
  fc.assert(
    fc.property(named, (each) => {
      assert.deepEqual(parseQmpId(newQmpId(each)), each);
      // What QEMU takes for an id (id_wellformed) and for a name of a node.
      assert.match(newQmpId(each), /^[A-Za-z][A-Za-z0-9._-]*$/);
      for (const name of Object.values(nodeNames(each.exportId))) assert.match(name, /^[A-Za-z][A-Za-z0-9._-]{0,30}$/);
    }),
  );
});

test('two exports never share a name', () => {
  fc.assert(
    fc.property(named, named, (a, b) => {
      fc.pre(a.exportId !== b.exportId);
      assert.equal(new Set([...Object.values(nodeNames(a.exportId)), ...Object.values(nodeNames(b.exportId))]).size, 6);
      const isSame = a.volumeId === b.volumeId && a.generation === b.generation;
      assert.equal(nbdName(a) === nbdName(b), isSame);
    }),
  );
});

test('what is not ours is not read', () => {
  for (const other of ['', 'export0', 'hf.a.b.1.rw', 'hf.a.b.x.rw.0123456789ab', 'hf.a.b.c.1.rw.0123456789ab']) {
    assert.equal(parseQmpId(other), null, other);
  }
});

test('an image is read back from the words of QEMU', () => {
  const rbd = { kind: 'rbd', conf: '/c.conf', pool: 'p', image: 'i', user: 'u' } as const;
  const node = (drv: string, filename: string) => ({ drv, ro: false, image: { filename, 'virtual-size': 0 } });
  const { driver, conf, pool, image, user } = imageNode(rbd, 'n', false);
  const options = `json:${JSON.stringify({ driver, conf, pool, image, user })}`;
  assert.deepEqual(sourceOf(node('rbd', options)), rbd);
  assert.deepEqual(sourceOf(node('file', '/a b.img')), { kind: 'file', path: '/a b.img' });
  assert.deepEqual(sourceOf(node('file', 'json:{"driver":"file","filename":"/x"}')), { kind: 'file', path: '/x' });
  for (const other of [node('rbd', 'rbd:p/i'), node('rbd', 'json:{'), node('nbd', '/x'), node('file', 'json:1')]) {
    assert.equal(sourceOf(other), null);
  }
});

test('limits are read back, and what QEMU cannot do is refused before it is asked', () => {
  const limit = fc.option(fc.integer({ min: 1, max: 1e15 }), { nil: undefined });
  const qos = fc.record({ iops: limit, read_bytes_per_second: limit, write_bytes_per_second: limit });
  fc.assert(
    fc.property(qos, (each) => {
      const set = Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined));
      assert.deepEqual(qosOf(throttleLimits(set)), set);
      assert.equal(Object.keys(throttleLimits(set)).length, 6, 'what is not wanted is taken away');
    }),
  );
  assert.throws(() => throttleLimits({ iops: 5, read_iops: 5 }), isKind('unsupported'));
  assert.throws(() => throttleLimits({ bytes_per_second: 5, write_bytes_per_second: 5 }), isKind('unsupported'));
});

test('says how to connect', () => {
  const plain = connectionTo({ host: '192.0.2.7', port: 10_809, identity: null }, 'vol-1.g3', true);
  assert.equal(plain.uri, 'nbd://192.0.2.7:10809/vol-1.g3');
  const attach = plain.commands.find(({ purpose }) => purpose === 'attach')?.command;
  assert.equal(attach, 'nbd-client 192.0.2.7 10809 /dev/nbd0 -name vol-1.g3 -readonly -nonetlink');
  const keyed = connectionTo({ host: '2001:db8::1', port: 10_810, identity: 'node-a' }, 'vol-1.g3', false);
  const lasting = plain.commands.find(({ purpose }) => purpose === 'attach over restarts')?.command;
  const how = 'qemu-nbd --persistent --fork --connect=/dev/nbd0 --read-only';
  const image = 'driver=nbd,host=192.0.2.7,port=10809,export=vol-1.g3,reconnect-delay=300';
  assert.equal(lasting, `${how} --image-opts ${image}`);
  assert.equal(keyed.uri, 'nbds://node-a@[2001:db8::1]:10810/vol-1.g3?tls-psk-file=keys.psk');
});

test('lines come out whole however they are cut, and none is longer than the bound', () => {
  const line = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.integer({ min: 1, max: 20 }), (lines, size) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      const splitter = new LineSplitter(1000);
      const got: string[] = [];
      for (let from = 0; from < bytes.length; from += size) {
        got.push(...(splitter.push(bytes.subarray(from, from + size)) ?? assert.fail('too long')));
      }
      assert.deepEqual(
        got,
        lines.map((each) => Buffer.from(each).toString('utf8')),
      );
    }),
  );
  const bounded = new LineSplitter(10);
  assert.deepEqual(bounded.push(Buffer.from('0123456789\n01234')), ['0123456789']);
  assert.equal(bounded.push(Buffer.from('567890')), null);
});
