/**
 * For tests: does the step of a flatten that takes the only clone off its parent's list, and nothing after it.
 * Arguments: the path of ceph.conf, the pool, the internal id of the parent. The key of the list's entry in the parent's
 * header holds the snapshot's number, its value the clones as Ceph encodes them: a count, then each of them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { check } from './errno.ts';
import { loadLibrbd } from './librbd.ts';
import { NativeCalls } from './native-calls.ts';
import { connect } from './connect.ts';

const KEY_PREFIX = 'snap_children_';
const COUNT_BYTES = 4;

const [conf, pool, parentId] = process.argv.slice(2);
if (conf === undefined || pool === undefined || parentId === undefined) throw new Error('usage: conf pool parent-id');
const header = `rbd_header.${parentId}`;
const rados = (...args: string[]): Buffer =>
  execFileSync('rados', ['-c', conf, '-p', pool, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
const key = rados('listomapkeys', header)
  .toString()
  .split('\n')
  .find((line) => line.startsWith(KEY_PREFIX));
if (key === undefined) throw new Error(`${header} lists no clone`);
const value = join(dirname(conf), `children-${parentId}`);
rados('getomapval', header, key, value);
const clone = readFileSync(value).subarray(COUNT_BYTES);
const input = Buffer.alloc(8 + clone.length);
input.writeBigUInt64LE(BigInt(`0x${key.slice(KEY_PREFIX.length)}`));
clone.copy(input, 8);

const session = await connect(loadLibrbd(new NativeCalls()), { conf, pool });
const exec = koffi
  .load('librados.so.2')
  .func('int rados_exec(void *io, str object, str class, str method, uint8_t *in, size_t n, void *out, size_t m)');
check(exec(session.io, header, 'rbd', 'child_detach', input, input.length, null, 0) as number, 'child_detach');
process.kill(process.pid, 'SIGKILL');
