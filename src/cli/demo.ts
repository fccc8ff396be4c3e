import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { ApiError } from '../client.ts';
import { contract } from '../contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { loadConfig } from '../kernel/config/config.ts';
import { formatSize } from '../kernel/config/size.ts';
import { type ConnectionOptions, type Session, connect } from './connection.ts';
import { type Output, coloured } from './output.ts';
import { waitForOperation } from './wait.ts';

const sizeText = '64MiB';

/** Walks a volume through its life and shows it: on the server that is named or running here, else on a temporary one. */
export async function demo(options: ConnectionOptions, output: Output): Promise<void> {
  const session = { ...connect(options), output, isJson: false };
  if (options.url !== undefined || (await isRunning(session))) {
    output.line(`On the server at ${session.client.url}.`);
    await walk(session);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const { startServer } = await import('../server.ts');
  const flags = {
    port: '0',
    's3-port': '0',
    'data-dir': directory,
    'log-level': 'warn',
    'volume-retry-initial-wait': '100ms',
  };
  const server = await startServer(loadConfig({ flags, env: {} }));
  output.line(`No server runs here, so this is a temporary one at ${server.url} (${server.description.store}).`);
  try {
    await walk({ ...connect({ url: server.url }, {}), output, isJson: false });
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function isRunning({ client }: Session): Promise<boolean> {
  try {
    await client.call(contract.ready);
    return true;
  } catch {
    return false;
  }
}

async function walk(session: Session): Promise<void> {
  const { client } = session;
  const volume = `demo-${Date.now().toString(36)}`;
  const params = { volume };
  const told = await tell(session, volume, `create ${volume}, ${sizeText}`, () =>
    client.call(contract.createVolume, { body: { name: volume, size: sizeText } }),
  );
  await where(session, told);
  await tell(session, volume, 'attach at node-1', () =>
    client.call(contract.attachVolume, { params, body: { node_id: 'node-1' } }),
  );
  await refuse(session, 'attach at node-2 as well', () =>
    client.call(contract.attachVolume, { params, body: { node_id: 'node-2' } }),
  );
  await tell(session, volume, 'resize to 128MiB, while attached', () =>
    client.call(contract.resizeVolume, { params, body: { size: '128MiB' } }),
  );
  await tell(session, volume, 'snapshot "before"', () =>
    client.call(contract.createSnapshot, { params, body: { name: 'before' } }),
  );
  await tell(session, volume, 'detach', () => client.call(contract.detachVolume, { params, body: {} }));
  await tell(session, volume, 'revert to "before"', () =>
    client.call(contract.revertVolume, { params, body: { snapshot_id: 'before' } }),
  );
  const { id } = await client.call(contract.getVolume, { params });
  await tell(session, id, 'delete (to the trash)', () => client.call(contract.deleteVolume, { params }));
  await tell(session, id, 'restore from the trash', () =>
    client.call(contract.restoreVolume, { params: { volume: id }, body: {} }),
  );
  const last = await tell(session, id, 'delete for good', () =>
    client.call(contract.deleteVolume, { params, query: { purge: true } }),
  );
  await trail(session, last.id);
}

type VolumeReply = ReplyOf<typeof contract.getVolume>;

/** Does one thing, waits for it, and shows how the volume's state went. */
async function tell(
  session: Session,
  volume: string,
  title: string,
  act: () => Promise<ReplyOf<typeof contract.createVolume>>,
): Promise<VolumeReply> {
  const { client, output } = session;
  output.line(`\n${styleText('bold', title)}`);
  const beganAt = performance.now();
  const accepted = await act();
  const acceptedMs = performance.now() - beganAt;
  await waitForOperation(session, accepted.operation_id);
  const doneMs = performance.now() - beganAt;
  const events = await client.call(contract.listEvents, { query: { operation_id: accepted.operation_id } });
  for (const event of events.items.toReversed()) {
    const { from, state } = event.data as { from: string | null; state: string };
    const change = from === state ? coloured(state) : `${from ?? 'nothing'} → ${coloured(state)}`;
    output.line(`  ${event.timestamp.slice(11, 23)}  ${event.type.padEnd(24)} ${change}`);
  }
  output.line(`  accepted in ${acceptedMs.toFixed(1)} ms, done in ${doneMs.toFixed(1)} ms (${accepted.operation_id})`);
  return client.call(contract.getVolume, { params: { volume } });
}

async function refuse(session: Session, title: string, act: () => Promise<unknown>): Promise<void> {
  const { output } = session;
  output.line(`\n${styleText('bold', title)}`);
  try {
    await act();
    output.line('  it was accepted, which is wrong');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    output.line(`  refused at once with ${error.status} ${error.body.code}: ${error.message}`);
  }
}

async function where({ output }: Session, volume: VolumeReply): Promise<void> {
  const size = BigInt(volume.size_bytes);
  output.line(`  ${formatSize(size)} (${size} bytes) on the ${volume.backend} backend at ${volume.location}`);
}

async function trail({ client, output }: Session, volumeId: string): Promise<void> {
  const { items } = await client.call(contract.listEvents, { query: { volume_id: volumeId, limit: 1000 } });
  output.line(`\n${styleText('bold', 'The audit trail')}`);
  output.line(
    `  ${items.length} events without a gap, kept with the store: GET ${client.url}/api/v1/events?volume_id=${volumeId}`,
  );
}
