/**
 * For tests: a second server's client that has read the tags of an image and writes them later, as one does that was
 * slow. Arguments: the path of ceph.conf, the pool, the image, the fence that it writes. Sends `read` when it has read
 * them; at the message `go` it writes and answers with the error of that, or `null`.
 */
import { toErrorData } from '../../../kernel/errors/errors.ts';
import { connect } from './connect.ts';
import { CephImage } from './image.ts';
import { loadLibrbd } from './librbd.ts';
import { NativeCalls } from './native-calls.ts';
import { readTags, writeTags } from './tags.ts';

const [conf, pool, name, fence] = process.argv.slice(2);
if (conf === undefined || pool === undefined || name === undefined) throw new Error('usage: conf pool image fence');

const session = await connect(loadLibrbd(new NativeCalls()), { conf, pool });
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
await CephImage.with(session, { name }, 'ro', async (image) => {
  const tags = await readTags(image);
  const mayWrite = new Promise((resolve) => process.once('message', resolve));
  process.send?.('read');
  await mayWrite;
  const error = await writeTags(image, tags, { name: 'late', fence: Number(fence) }).then(() => null, toErrorData);
  process.send?.({ error });
});
