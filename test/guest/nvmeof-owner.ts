/** Runs inside a guest: makes an export and stays, until it is killed; or, asked to `remove`, takes away what it finds. */
import { createNvmeofTarget } from '../../src/volumes/exports/nvmeof/nvmeof.ts';
import { namespaceUuid } from '../../src/volumes/exports/nvmeof/subsystem.ts';

const [path = '', host = '', order] = process.argv.slice(2);
const volumeId = 'vol-01987654-3210-7abc-8def-0123456789ab';
const target = createNvmeofTarget();
const context = { signal: AbortSignal.timeout(30_000) };

if (order === 'remove') {
  const found = await target.list(context);
  for (const { exportId } of found) await target.remove(context, exportId, { force: false });
  console.log(`found ${found.length}, left ${(await target.list(context)).length}`);
} else {
  const live = await target.add(context, {
    exportId: 'exp-owned',
    volumeId,
    generation: 1,
    source: { kind: 'file', path },
    readOnly: false,
    qos: {},
    tls: null,
    allowedHosts: [host],
  });
  const { port, name } = live.connection;
  console.log(`export ${JSON.stringify({ port, nqn: name, uuid: namespaceUuid(volumeId) })}`);
  setInterval(() => undefined, 60_000);
}
