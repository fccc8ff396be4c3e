/**
 * A client of its own, for tests: opens an image for writing and keeps it open, as a virtual machine would.
 * Arguments: the path of ceph.conf, the pool, the image. Sends `opened` when it holds the image's exclusive lock; to
 * the message `write` it answers with the return code of a write, at `close` it closes the image and ends.
 */
import { check } from './errno.ts';
import { loadLibrbd } from './librbd.ts';
import { NativeCalls } from './native-calls.ts';
import { connect } from './connect.ts';
import { openHandle } from './session.ts';

const [conf, pool, name] = process.argv.slice(2);
if (conf === undefined || pool === undefined || name === undefined) throw new Error('usage: conf pool image');

const lib = loadLibrbd(new NativeCalls());
const session = await connect(lib, { conf, pool });
const image = await openHandle(session, session.io, { name }, 'rw');
if (image === null) throw new Error(`no image ${pool}/${name}`);
const data = Buffer.from('written by another client');
const write = async (): Promise<number> => Number(await lib.rbd.rbd_write(image, 0n, data.length, data));
check(await write(), 'writing');
process.on('message', (message) => {
  if (message === 'write') void write().then((code) => process.send?.({ code }));
  else void lib.rbd.rbd_close(image).then(() => process.kill(process.pid, 'SIGKILL'));
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.send?.({ opened: true });
