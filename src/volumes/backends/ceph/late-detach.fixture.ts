/**
 * For tests: a second server's child that is slow in a forced detach of `att-1`, between reading the tags and changing
 * them. Arguments: the path of ceph.conf, the pool, the image. Sends `fencing` when it has read and judged the tags; at the
 * message `go` it goes on, and answers with the error of the detach, or `null`.
 */
import { toErrorData } from '../../../kernel/errors/errors.ts';
import { detach } from './command-attach.ts';
import { connect } from './connect.ts';
import { loadLibrbd } from './librbd.ts';
import { NativeCalls } from './native-calls.ts';
import type { CephSession } from './session.ts';

const [conf, pool, image] = process.argv.slice(2);
if (conf === undefined || pool === undefined || image === undefined) throw new Error('usage: conf pool image');

const session = await connect(loadLibrbd(new NativeCalls()), { conf, pool });
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const mayGoOn = new Promise((resolve) => process.once('message', resolve));
const { lib } = session;
const slow: CephSession = {
  ...session,
  lib: {
    ...lib,
    rados: {
      ...lib.rados,
      rados_blocklist_add: async (...args) => {
        process.send?.('fencing');
        await mayGoOn;
        return await lib.rados.rados_blocklist_add(...args);
      },
    },
  },
};
const attachment = { attachmentId: 'att-1', generation: 1, force: true, clients: ['127.0.0.1:0/4242'] };
const outcome = detach(slow, { fence: 1, image, attachment }, new AbortController().signal);
process.send?.({ error: await outcome.then(() => null, toErrorData) });
