import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { ApiError, type Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import type { ReplyOf } from '../../src/kernel/http/contract.ts';
import type { ImageFacts, SnapshotFacts, VolumeBackend } from '../../src/volumes/backends/backend.ts';
import type { VolumeState } from '../../src/volumes/fsm.ts';
import { clientHelpers, type OperationReply, type VolumeReply } from '../support/server.ts';
import { until } from '../support/wait.ts';

export const MIB = 1_048_576;
const readMs = 30_000;
const contentMark = 'Holdfast keeps this.';

export type EventReply = ReplyOf<typeof contract.listEvents>['items'][number];
export type KeeperReply = ReplyOf<typeof contract.listKeepers>['items'][number];
export type SnapshotReply = ReplyOf<typeof contract.listSnapshots>['items'][number];

/** A server as its users see it, and the real system behind it as it is. */
export interface World {
  readonly client: Client;
  /** An instance of its own of the same backend, without faults. */
  readonly backend: VolumeBackend;
  /** Makes an image that no volume knows, as an administrator would. */
  putForeignImage(image: string, sizeBytes: number): Promise<void>;
}

/** What scenarios do with a world. */
export class Hand {
  readonly world: World;
  readonly #helpers: ReturnType<typeof clientHelpers>;

  constructor(world: World) {
    this.world = world;
    this.#helpers = clientHelpers(world.client);
  }

  get client(): Client {
    return this.world.client;
  }

  ended(operationId: string): Promise<OperationReply> {
    return this.#helpers.ended(operationId);
  }

  volume(reference: string): Promise<VolumeReply> {
    return this.#helpers.volume(reference);
  }

  /** Waits until an operation has completed; fails with its error when it ended otherwise. */
  async completed(operationId: string): Promise<OperationReply> {
    const operation = await this.ended(operationId);
    assert.equal(operation.status, 'completed', JSON.stringify(operation.error));
    return operation;
  }

  /** Makes a volume and waits for it; gives its id. */
  async create(name: string, body: { readonly size_bytes?: number; readonly snapshot_id?: string } = {}) {
    const size = body.snapshot_id === undefined ? { size_bytes: body.size_bytes ?? 4 * MIB } : {};
    const accepted = await this.client.call(contract.createVolume, { body: { name, ...size, ...body } });
    await this.completed(accepted.id);
    return accepted.volume_id!;
  }

  async attach(volume: string, nodeId: string): Promise<string> {
    const accepted = await this.client.call(contract.attachVolume, { params: { volume }, body: { node_id: nodeId } });
    await this.completed(accepted.id);
    return (await this.volume(volume)).attachments[0]!.id;
  }

  async snapshot(volume: string, name: string): Promise<string> {
    const accepted = await this.client.call(contract.createSnapshot, { params: { volume }, body: { name } });
    await this.completed(accepted.id);
    return (await this.snapshots(volume)).find((one) => one.name === name)!.id;
  }

  async delete(volume: string): Promise<void> {
    await this.completed((await this.client.call(contract.deleteVolume, { params: { volume } })).id);
  }

  /** Makes a volume that is in `error` although nothing is wrong with its image: its attach was refused for good. */
  async inError(name: string): Promise<string> {
    const volume = await this.create(name);
    await this.breakAttach(volume);
    return volume;
  }

  /** Brings an available volume into `error`, and leaves its image as it is. */
  async breakAttach(volume: string): Promise<void> {
    await this.#withoutImage(volume, async () => {
      const accepted = await this.client.call(contract.attachVolume, {
        params: { volume },
        body: { node_id: 'node-a' },
      });
      assert.equal((await this.ended(accepted.id)).status, 'failed');
    });
    assert.equal((await this.volume(volume)).state, 'error');
  }

  /** Waits until a volume is in this state. */
  inState(volume: string, state: VolumeState): Promise<VolumeReply> {
    return until(`volume ${volume} is ${state}`, async () => {
      const found = await this.volume(volume);
      return found.state === state ? found : null;
    });
  }

  /** Lets the reconciler compare volumes and images once more, from beginning to end, and waits for it. */
  async runReconciler(): Promise<KeeperReply> {
    const name = 'volume-reconciler';
    const status = async () => {
      const { items } = await this.client.call(contract.listKeepers);
      return items.find((keeper) => keeper.name === name)!;
    };
    const before = await status();
    return until('the reconciler has run', async () => {
      const now = await status();
      if (now.runs > before.runs && !now.running) return now;
      await this.client.call(contract.runKeeper, { params: { name }, body: {} });
      return null;
    });
  }

  async reconcile(volume: string): Promise<OperationReply> {
    const accepted = await this.client.call(contract.reconcileVolume, { params: { volume }, body: {} });
    return this.ended(accepted.id);
  }

  async snapshots(volume: string): Promise<readonly SnapshotReply[]> {
    return (await this.client.call(contract.listSnapshots, { params: { volume } })).items;
  }

  /** The events of an operation, in order. */
  async eventsOf(operationId: string): Promise<readonly EventReply[]> {
    const query = { operation_id: operationId, limit: 1000 };
    return (await this.client.call(contract.listEvents, { query })).items.toReversed();
  }

  /** The types of a volume's events, in order, without the prefix. */
  async history(volumeId: string): Promise<readonly string[]> {
    const query = { volume_id: volumeId, limit: 1000 };
    const { items } = await this.client.call(contract.listEvents, { query });
    return items.toReversed().map(({ type }) => type.replace(/^volume\./, ''));
  }

  /** What the real system says of an image. */
  facts(image: string): Promise<ImageFacts | null> {
    return this.world.backend.inspect({ signal: AbortSignal.timeout(readMs) }, image);
  }

  factsOfSnapshots(image: string): Promise<readonly SnapshotFacts[]> {
    return this.world.backend.listSnapshots({ signal: AbortSignal.timeout(readMs) }, image);
  }

  /** Images that carry a volume's tag; more than one would be a create that was done twice. */
  async imagesOf(volumeId: string): Promise<readonly string[]> {
    const context = { signal: AbortSignal.timeout(readMs) };
    const images = await this.world.backend.list(context, { limit: 1000 });
    return images.filter((facts) => facts.volumeId === volumeId).map(({ image }) => image);
  }

  /** The state by the API and by the real system, which must agree: the core of "every state is true". */
  async assertTrue(volumeId: string, state: VolumeState): Promise<VolumeReply> {
    const volume = await this.volume(volumeId);
    assert.equal(volume.state, state, volume.reason ?? '');
    const facts = await this.facts(volume.image);
    if (state === 'available' || state === 'attached') {
      assert.equal(facts?.place, 'live');
      assert.equal(facts.complete, true);
      assert.equal(facts.volumeId, volumeId);
      assert.equal(facts.sizeBytes, BigInt(volume.size_bytes));
      assert.equal(volume.location, facts.location);
      assert.equal(facts.attachment?.nodeId ?? null, volume.node_id);
      assert.equal(facts.attachment?.attachmentId, volume.attachments[0]?.id);
      assert.deepEqual(await this.imagesOf(volumeId), [volume.image]);
      assert.equal(volume.attempt, 0);
      assert.equal(volume.next_retry_at, null);
    }
    if (state === 'deleted') assert.equal(facts?.place ?? null, volume.trash_expires_at === null ? null : 'trash');
    return volume;
  }

  /** Writes a mark into the bytes of a volume, where they are a file; elsewhere does nothing. */
  async mark(volume: string, text = contentMark): Promise<void> {
    const file = await this.#file(volume, 'r+');
    if (file === null) return;
    await using handle = file;
    await handle.write(text.padEnd(contentMark.length), 0);
  }

  /** Fails unless the volume's bytes begin with the mark, where they are a file. */
  async assertMarked(volume: string, text = contentMark): Promise<void> {
    const file = await this.#file(volume, 'r');
    if (file === null) return;
    await using handle = file;
    const { buffer } = await handle.read(Buffer.alloc(contentMark.length), 0, contentMark.length, 0);
    assert.equal(buffer.toString('latin1').replaceAll('\0', ' ').trimEnd(), text);
  }

  /** Moves the image out of sight behind the server's back, and brings it back. */
  async #withoutImage(image: string, work: () => Promise<void>): Promise<void> {
    const { backend } = this.world;
    await backend.trash({ fence: 1, signal: AbortSignal.timeout(readMs) }, image);
    await work();
    await backend.restore({ fence: 2, signal: AbortSignal.timeout(readMs) }, image);
  }

  async #file(volume: string, flags: string) {
    const { location } = await this.volume(volume);
    return location?.startsWith('/') === true ? open(location, flags) : null;
  }
}

/** Fails unless a call is refused with this status; gives the error. */
export async function refused(status: number, call: Promise<unknown>): Promise<ApiError> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    assert.equal(error.status, status, error.message);
    return error;
  }
  return assert.fail(`the call was not refused with ${status}`);
}
