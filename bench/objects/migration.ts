import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { until } from '../../test/support/wait.ts';
import { contract } from '../../src/contract.ts';
import { row } from '../support/report.ts';
import { type OurServer, startOurs } from './our-server.ts';
import { send } from './targets.ts';

interface Objects {
  readonly name: string;
  readonly small: number;
  readonly large: number;
}

/** What is moved; the second is what the target of the project is about and takes minutes to make. */
const scales = {
  quick: { small: 5_000, large: 4, largeBytes: 128 * 1024 ** 2 },
  full: { small: 100_000, large: 10, largeBytes: 1024 ** 3 },
};
const smallBytes = 4_096;
const parallel = 8;
const writersAtOnce = 64;
const timeoutMs = 1_800_000;
const execute = promisify(execFile);

/**
 * A migration between two directories against `rclone sync` of the same files with as many at once: of small objects alone,
 * of large ones, of both, and of four times as many small ones, which must not need more memory. Ours flushes what it wrote
 * before it says so and keeps the books; rclone flushes nothing, so it is also measured with a flush at its end.
 * Names, such as `small`, choose among them.
 */
export async function benchObjectMigration(names: readonly string[] = []): Promise<void> {
  const { small, large, largeBytes } = process.env['BENCH_FULL'] === '1' ? scales.full : scales.quick;
  const all: readonly Objects[] = [
    { name: 'small', small, large: 0 },
    { name: 'large', small: 0, large },
    { name: 'both', small, large },
    { name: 'more', small: 4 * small, large: 0 },
  ];
  // Removed at the end: for minutes ext4 avoids the inodes of files that were removed, and looks at each of them to do so.
  await using directory = await temporaryDirectory();
  for (const objects of all) {
    if (names.length > 0 && !names.includes(objects.name)) continue;
    await compare(objects, largeBytes, join(directory.path, objects.name));
  }
}

async function compare({ small, large }: Objects, largeBytes: number, directory: string): Promise<void> {
  const ours = await startOurs(directory);
  await send(ours.target, 'PUT', '');
  await inParallel(small, async (index) =>
    send(ours.target, 'PUT', `small/${index}`, Buffer.alloc(smallBytes, index % 251)),
  );
  const body = Buffer.alloc(large > 0 ? largeBytes : 0, 'x');
  for (let index = 0; index < large; index++) await send(ours.target, 'PUT', `large/${index}`, body);
  const bytes = small * smallBytes + large * largeBytes;

  const source = join(directory, 'blobs', 'blobs');
  const copied = join(directory, 'rclone');
  const args = ['sync', source, copied, `--transfers=${parallel}`, `--checkers=${parallel}`, '--config=/dev/null'];
  // What one leaves unwritten, another would have to write.
  const flush = () => execute('sync', ['-f', directory], { timeout: timeoutMs });
  await flush();
  const peerMs = await timed(async () => void (await execute('rclone', args, { timeout: timeoutMs })));
  const flushMs = await timed(async () => void (await flush()));
  const beforeBytes = await ours.process.memory();
  const { ms, peakBytes } = await migrate(ours, join(directory, 'target'));
  const parts = [
    ...(small > 0 ? [`${small} of 4 KiB`] : []),
    ...(large > 0 ? [`${large} of ${largeBytes / 1024 ** 2} MiB`] : []),
  ];
  const label = parts.join(' and ');
  const durableMs = peerMs + flushMs;
  row(`rclone sync of ${label}`, `${seconds(peerMs)} (${rate(bytes, peerMs)})`);
  row(`rclone sync, then sync -f, of ${label}`, `${seconds(durableMs)} (${rate(bytes, durableMs)})`);
  const ratios = `${(peerMs / ms).toFixed(2)}x rclone, ${(durableMs / ms).toFixed(2)}x rclone and sync`;
  row(`migration of ${label}`, `${seconds(ms)} (${rate(bytes, ms)}), ${ratios}`);
  row('resident memory before, and while it migrates, at most', `${mebibytes(beforeBytes)}, ${mebibytes(peakBytes)}`);
  await ours.process.stop();
}

/** Until it is switched: what follows is the deletion of the old bytes, which `rclone sync` does not do. */
async function migrate(
  { client, process: server }: OurServer,
  path: string,
): Promise<{ ms: number; peakBytes: number }> {
  await mkdir(path);
  let peakBytes = 0;
  const watch = setInterval(() => void server.memory().then((now) => (peakBytes = Math.max(peakBytes, now))), 100);
  const ms = await timed(async () => {
    await client.call(contract.migrate, { body: { driver: 'filesystem', config: { path }, parallel } });
    await until(
      'the switch',
      async () => {
        // Asked too often, the server would be busy with the answers.
        await delay(100);
        const { migration } = await client.call(contract.migrationStatus);
        return migration!.switched_at !== null;
      },
      timeoutMs,
    );
  });
  clearInterval(watch);
  return { ms, peakBytes };
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: writersAtOnce }, worker));
}

async function timed(work: () => Promise<void>): Promise<number> {
  const beganAt = performance.now();
  await work();
  return performance.now() - beganAt;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}

function rate(bytes: number, ms: number): string {
  return `${(bytes / 1024 ** 2 / (ms / 1000)).toFixed(0)} MiB/s`;
}

if (import.meta.main) await benchObjectMigration(process.argv.slice(2));
