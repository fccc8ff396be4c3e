/** Owns an export of a file until it is killed, and tells the id of the daemon's process. */
import { createNbdTarget } from './nbd.ts';

const [path = '', runDirectory = ''] = process.argv.slice(2);
const target = createNbdTarget({ ports: { first: 0, last: 0 }, runDirectory });
const signal = AbortSignal.timeout(20_000);
await target.add(
  { signal },
  {
    exportId: 'exp-owned',
    volumeId: 'vol-owned',
    generation: 1,
    source: { kind: 'file', path },
    readOnly: false,
    qos: {},
    tls: null,
    allowedHosts: [],
  },
);
const { detail } = await target.health(signal);
process.send?.({ pid: Number(/process (\d+)/.exec(detail)?.[1]) });
setInterval(() => undefined, 60_000);
