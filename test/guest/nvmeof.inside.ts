/** Runs inside a guest, see `nvmeof.test.ts`: the target of its kernel, and the host of the same kernel as its client. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportHarness } from '../../src/volumes/exports/conformance/harness.ts';
import { createNvmeofTarget } from '../../src/volumes/exports/nvmeof/nvmeof.ts';
import { exportConformance } from '../../src/volumes/exports/target.conformance.ts';
import type { ExportSource, LiveExport } from '../../src/volumes/exports/target.ts';
import { NvmeDisk, hostNqn } from './nvme-host.ts';
import { nvmeofStories } from './nvmeof-stories.ts';

const directory = await mkdtemp('/scratch/nvmeof, with a space-');
nvmeofStories(newFile);

exportConformance('nvmeof on files', async (): Promise<ExportHarness> => {
  const target = createNvmeofTarget({ ports: { first: 4_420, last: 4_499 } });
  return {
    target,
    allowedHosts: [hostNqn],
    newImage: newFile,
    sizeSeen: (live) => onDisk(live, (disk) => disk.sizeBytes()),
    write: (live, byte, offset) => onDisk(live, (disk) => disk.write(byte, offset)),
    reads: (live, byte, offset) => onDisk(live, (disk) => disk.reads(byte, offset)),
    connect: async (live) => {
      const disk = await NvmeDisk.connect(live);
      return {
        canWrite: (byte, offset) =>
          disk.write(byte, offset).then(
            () => true,
            () => false,
          ),
        disconnect: () => disk.disconnect(),
      };
    },
    teardown: () => target.close(),
  };
});

async function newFile(sizeBytes: bigint): Promise<ExportSource & { kind: 'file' }> {
  const path = join(directory, `vol-${randomUUID()}.img`);
  await using file = await open(path, 'wx');
  await file.truncate(Number(sizeBytes));
  return { kind: 'file', path };
}

async function onDisk<T>(live: LiveExport, work: (disk: NvmeDisk) => Promise<T>): Promise<T> {
  const disk = await NvmeDisk.connect(live);
  try {
    return await work(disk);
  } finally {
    await disk.disconnect();
  }
}
