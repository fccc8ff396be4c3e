import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import type { CreateImage, VolumeBackend } from '../backend.ts';
import { MIB, ODD_BYTES, at, newAttachment, reading } from '../conformance/suite.ts';

/** The two images of one round of the crash test. */
export interface CrashRound {
  readonly parent: string;
  readonly clone: string;
}

/** One thing that a process does when it is killed: doing it again must lead to what `check` asks for. */
export interface CrashStep {
  readonly name: string;
  run(backend: VolumeBackend, round: CrashRound): Promise<unknown>;
  check(backend: VolumeBackend, round: CrashRound): Promise<void>;
}

const ATTACHMENT = newAttachment({ attachmentId: 'att-crash' });
const OLD = 'the old content. ';
const NEW = 'something newer! ';

/** A life of two images, every mutating verb included. */
export const CRASH_STEPS: readonly CrashStep[] = [
  {
    name: 'create',
    run: (backend, { parent }) => backend.create(at(), volume(parent)),
    check: (backend, { parent }) => stands(backend, parent, null),
  },
  {
    name: 'write old content',
    run: (backend, { parent }) => fill(backend, parent, OLD),
    check: (backend, { parent }) => stands(backend, parent, OLD),
  },
  {
    name: 'createSnapshot',
    run: (backend, { parent }) => backend.createSnapshot(at(), parent, 's1'),
    check: async (backend, { parent }) => {
      await stands(backend, parent, OLD);
      const snapshots = await backend.listSnapshots(reading(), parent);
      assert.deepEqual(snapshots, [{ snapshot: 's1', sizeBytes: ODD_BYTES }]);
    },
  },
  {
    name: 'write new content',
    run: (backend, { parent }) => fill(backend, parent, NEW),
    check: (backend, { parent }) => stands(backend, parent, NEW),
  },
  {
    name: 'clone',
    run: (backend, { parent, clone }) =>
      backend.create(at(), { ...volume(clone), source: { image: parent, snapshot: 's1' } }),
    check: (backend, { clone }) => stands(backend, clone, OLD),
  },
  {
    name: 'trash',
    run: (backend, { parent }) => backend.trash(at(), parent),
    check: async (backend, { parent }) => {
      assert.equal((await backend.inspect(reading(), parent))?.place, 'trash');
      assert.equal((await backend.listSnapshots(reading(), parent)).length, 1);
    },
  },
  {
    name: 'restore',
    run: (backend, { parent }) => backend.restore(at(), parent),
    check: (backend, { parent }) => stands(backend, parent, NEW),
  },
  {
    name: 'revert',
    run: (backend, { parent }) => backend.revert(at(), parent, 's1'),
    check: (backend, { parent }) => stands(backend, parent, OLD),
  },
  {
    name: 'resize',
    run: (backend, { clone }) => backend.resize(at(), clone, ODD_BYTES + MIB),
    check: (backend, { clone }) => stands(backend, clone, OLD, ODD_BYTES + MIB),
  },
  {
    name: 'attach',
    run: (backend, { parent }) => backend.attach(at(2), parent, ATTACHMENT),
    check: async (backend, { parent }) => {
      assert.deepEqual((await backend.inspect(reading(), parent))?.attachment, ATTACHMENT);
    },
  },
  {
    name: 'detach',
    run: (backend, { parent }) => backend.detach(at(2), parent, { ...ATTACHMENT, force: false }),
    check: (backend, { parent }) => stands(backend, parent, OLD),
  },
  {
    name: 'deleteSnapshot',
    run: (backend, { parent }) => backend.deleteSnapshot(at(2), parent, 's1'),
    check: async (backend, { parent }) => assert.deepEqual(await backend.listSnapshots(reading(), parent), []),
  },
  {
    name: 'purge',
    run: (backend, { parent }) => backend.purge(at(2), parent),
    check: async (backend, { parent, clone }) => {
      assert.equal(await backend.inspect(reading(), parent), null);
      await stands(backend, clone, OLD, ODD_BYTES + MIB);
    },
  },
  {
    name: 'purge clone',
    run: (backend, { clone }) => backend.purge(at(), clone),
    check: async (backend, { clone }) => assert.equal(await backend.inspect(reading(), clone), null),
  },
];

function volume(image: string): CreateImage {
  return { image, volumeId: image, name: 'crash', sizeBytes: ODD_BYTES };
}

async function fill(backend: VolumeBackend, image: string, text: string): Promise<void> {
  const facts = await backend.inspect(reading(), image);
  assert.ok(facts !== null);
  await writeFile(facts.location, Buffer.alloc(Number(ODD_BYTES), text), { flag: 'r+' });
}

/** The image is live, whole, detached, of that size, and full of the text, with zeros behind it. */
async function stands(
  backend: VolumeBackend,
  image: string,
  text: string | null,
  sizeBytes: bigint = ODD_BYTES,
): Promise<void> {
  const facts = await backend.inspect(reading(), image);
  assert.ok(facts !== null, 'the image stands');
  const { volumeId, place, complete, attachment } = facts;
  const expected = { volumeId: image, place: 'live', complete: true, attachment: null, sizeBytes };
  assert.deepEqual({ volumeId, place, complete, attachment, sizeBytes: facts.sizeBytes }, expected);
  const content = Buffer.alloc(Number(sizeBytes));
  if (text !== null) content.fill(text, 0, Number(ODD_BYTES));
  assert.ok(content.equals(await readFile(facts.location)), 'the content is that of the step');
}
