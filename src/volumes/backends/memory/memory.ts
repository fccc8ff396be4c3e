import type {
  BackendCapabilities,
  BackendContext,
  BackendHealth,
  CreateImage,
  Detachment,
  FencedContext,
  ImageAttachment,
  ImageFacts,
  QosLimits,
  SnapshotFacts,
  VolumeBackend,
} from '../backend.ts';
import {
  byteOrder,
  noImage,
  refusePassed,
  refuseStaleFence,
  refuseUnknownParameters,
  refuseWrongLimit,
} from '../image-rules.ts';
import * as changes from './changes.ts';
import { MemoryDisk, type MemoryImage } from './disk.ts';
import { type FaultVerb, takeFault, withFault } from './faults.ts';

/**
 * Volumes without bytes, for demonstrations and tests: all laws of the port, and faults on demand.
 *
 * @param options.disk the real system; hand the same one to another instance for a restart of the server.
 */
export function createMemoryBackend(
  options: { readonly name?: string; readonly disk?: MemoryDisk } = {},
): VolumeBackend {
  return new MemoryBackend(options.name ?? 'memory', options.disk ?? new MemoryDisk());
}

class MemoryBackend implements VolumeBackend {
  readonly name: string;
  readonly capabilities: BackendCapabilities = {
    snapshots: true,
    clone: true,
    qos: true,
    trash: true,
    watchers: true,
    fence: true,
    durable: false,
    rootAttach: true,
    details: false,
  };
  readonly createParameters: readonly string[] = [];
  readonly #disk: MemoryDisk;

  constructor(name: string, disk: MemoryDisk) {
    this.name = name;
    this.#disk = disk;
  }

  health(signal: AbortSignal): Promise<BackendHealth> {
    const detail = 'Images are kept in memory and end with the server.';
    return this.#read('health', { signal }, null, () => ({ detail }));
  }

  async create(context: FencedContext, params: CreateImage): Promise<ImageFacts> {
    refuseUnknownParameters(this, params.parameters);
    return await this.#change('create', context, params.image, (disk) => changes.create(disk, context.fence, params));
  }

  inspect(context: BackendContext, image: string): Promise<ImageFacts | null> {
    return this.#read('inspect', context, image, (disk) => {
      const found = disk.live.get(image) ?? disk.trash.get(image);
      return found === undefined ? null : disk.facts(found);
    });
  }

  list(context: BackendContext, { after, limit }: { readonly after?: string; readonly limit: number }) {
    return this.#read('list', context, null, (disk): readonly ImageFacts[] => {
      refuseWrongLimit(limit);
      const names = [...disk.live.keys()].filter((name) => after === undefined || byteOrder(name, after) > 0);
      const page = names.sort(byteOrder).slice(0, limit);
      return page.map((name) => disk.facts(disk.live.get(name)!));
    });
  }

  resize(context: FencedContext, image: string, sizeBytes: bigint): Promise<ImageFacts> {
    return this.#change('resize', context, image, (disk) => changes.resize(disk, image, sizeBytes));
  }

  createSnapshot(context: FencedContext, image: string, snapshot: string): Promise<SnapshotFacts> {
    return this.#change('createSnapshot', context, image, (disk) => changes.createSnapshot(disk, image, snapshot));
  }

  listSnapshots(context: BackendContext, image: string): Promise<readonly SnapshotFacts[]> {
    return this.#read('listSnapshots', context, image, (disk) => {
      const found = disk.live.get(image) ?? disk.trash.get(image);
      if (found === undefined) throw noImage(image);
      return [...found.snapshots].map(([snapshot, sizeBytes]) => ({ snapshot, sizeBytes }));
    });
  }

  deleteSnapshot(context: FencedContext, image: string, snapshot: string): Promise<void> {
    return this.#change('deleteSnapshot', context, image, (disk) => changes.deleteSnapshot(disk, image, snapshot));
  }

  revert(context: FencedContext, image: string, snapshot: string): Promise<ImageFacts> {
    return this.#change('revert', context, image, (disk) => changes.revert(disk, image, snapshot));
  }

  attach(context: FencedContext, image: string, attachment: ImageAttachment): Promise<ImageFacts> {
    return this.#change('attach', context, image, (disk) => changes.attach(disk, image, attachment));
  }

  /** Machines are names here, and any can start from any disk. */
  checkRootAttach(context: BackendContext, nodeId: string): Promise<void> {
    return this.#read('checkRootAttach', context, nodeId, () => undefined);
  }

  detach(context: FencedContext, image: string, attachment: Detachment): Promise<void> {
    return this.#change('detach', context, image, (disk) => changes.detach(disk, image, attachment));
  }

  /** Nobody but the server reaches an image in memory, so there is no client to cut off. */
  fence(context: FencedContext, image: string): Promise<void> {
    return this.#change('fence', context, image, () => undefined);
  }

  exportSource(): Promise<null> {
    return Promise.resolve(null);
  }

  setQos(context: FencedContext, image: string, qos: QosLimits): Promise<void> {
    return this.#change('setQos', context, image, (disk) => changes.setQos(disk, image, qos));
  }

  trash(context: FencedContext, image: string): Promise<void> {
    return this.#change('trash', context, image, (disk) => changes.trash(disk, image));
  }

  restore(context: FencedContext, image: string): Promise<ImageFacts> {
    return this.#change('restore', context, image, (disk) => changes.restore(disk, image));
  }

  purge(context: FencedContext, image: string): Promise<void> {
    return this.#change('purge', context, image, (disk) => changes.purge(disk, image));
  }

  adopt(context: FencedContext, image: string, tag: { readonly volumeId: string; readonly name: string }) {
    return this.#change('adopt', context, image, (disk) => changes.adopt(disk, image, tag));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Checks the fence, does the change and, when it is done, keeps the fence with the image. */
  #change<T>(verb: FaultVerb, context: FencedContext, image: string, change: (disk: MemoryDisk) => T): Promise<T> {
    const find = (disk: MemoryDisk): MemoryImage | undefined => disk.live.get(image) ?? disk.trash.get(image);
    return this.#read(verb, context, image, (disk) => {
      const before = find(disk);
      if (before !== undefined) refuseStaleFence(before, context.fence);
      const result = change(disk);
      const after = find(disk);
      if (after !== undefined) disk.change(after, { fence: context.fence });
      return result;
    });
  }

  async #read<T>(
    verb: FaultVerb,
    { signal }: BackendContext,
    image: string | null,
    read: (disk: MemoryDisk) => T,
  ): Promise<T> {
    refusePassed(signal, verb);
    const fault = takeFault(this.#disk.faults, verb, image);
    if (fault !== null) return await withFault(fault, signal, () => read(this.#disk));
    return read(this.#disk);
  }
}
