import { KeyQueue } from '../../../kernel/concurrency/key-queue.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportSource } from '../../exports/target.ts';
import type {
  BackendCapabilities,
  BackendContext,
  BackendHealth,
  CreateImage,
  Detachment,
  FencedContext,
  ImageAttachment,
  ImageFacts,
  SnapshotFacts,
  VolumeBackend,
} from '../backend.ts';
import { passed, refusePassed, refuseRootDevice, refuseUnknownParameters } from '../image-rules.ts';
import { attach, detach, resize } from './change.ts';
import { adopt, create } from './create.ts';
import { Directory } from './directory.ts';
import { toProblem } from './errno.ts';
import { Layout } from './layout.ts';
import { health, inspect, list } from './read.ts';
import { createSnapshot, deleteSnapshot, listSnapshots, revert } from './snapshots.ts';
import { purge, restore, trash } from './trash.ts';

/**
 * Volumes as sparse files in one directory, which is made when it is not there. Every change outlasts a crash at any
 * point: either it is done, or a repeat of the same verb finishes it. Copies share blocks where the file system can.
 */
export function createFileBackend(options: { readonly name?: string; readonly directory: string }): VolumeBackend {
  return new FileBackend(options.name ?? 'file', new Layout(options.directory));
}

class FileBackend implements VolumeBackend {
  readonly name: string;
  readonly capabilities: BackendCapabilities = {
    snapshots: true,
    clone: true,
    qos: false,
    trash: true,
    watchers: false,
    fence: false,
    durable: true,
    rootAttach: false,
    details: false,
  };
  readonly createParameters: readonly string[] = [];
  readonly #layout: Layout;
  readonly #directory: Directory;
  readonly #changes = new KeyQueue();

  constructor(name: string, layout: Layout) {
    this.name = name;
    this.#layout = layout;
    this.#directory = new Directory(layout);
  }

  health(signal: AbortSignal): Promise<BackendHealth> {
    return this.#read('health', { signal }, () => health(this.#layout));
  }

  async create(context: FencedContext, params: CreateImage): Promise<ImageFacts> {
    if (Object.keys(params.qos ?? {}).length > 0) throw noQos();
    refuseUnknownParameters(this, params.parameters);
    return await this.#change('create', context, params.image, (layout) => create(layout, context, params));
  }

  inspect(context: BackendContext, image: string): Promise<ImageFacts | null> {
    return this.#read('inspect', context, () => inspect(this.#layout, image));
  }

  list(context: BackendContext, page: { readonly after?: string; readonly limit: number }) {
    return this.#read('list', context, () => list(this.#layout, context, page));
  }

  resize(context: FencedContext, image: string, sizeBytes: bigint): Promise<ImageFacts> {
    return this.#change('resize', context, image, (layout) => resize(layout, context, image, sizeBytes));
  }

  createSnapshot(context: FencedContext, image: string, snapshot: string): Promise<SnapshotFacts> {
    return this.#change('createSnapshot', context, image, (layout) => createSnapshot(layout, context, image, snapshot));
  }

  listSnapshots(context: BackendContext, image: string): Promise<readonly SnapshotFacts[]> {
    return this.#read('listSnapshots', context, () => listSnapshots(this.#layout, context, image));
  }

  deleteSnapshot(context: FencedContext, image: string, snapshot: string): Promise<void> {
    return this.#change('deleteSnapshot', context, image, (layout) => deleteSnapshot(layout, context, image, snapshot));
  }

  revert(context: FencedContext, image: string, snapshot: string): Promise<ImageFacts> {
    return this.#change('revert', context, image, (layout) => revert(layout, context, image, snapshot));
  }

  async attach(context: FencedContext, image: string, attachment: ImageAttachment): Promise<ImageFacts> {
    refuseRootDevice(this.name, attachment);
    return await this.#change('attach', context, image, (layout) => attach(layout, context, image, attachment));
  }

  detach(context: FencedContext, image: string, attachment: Detachment): Promise<void> {
    return this.#change('detach', context, image, (layout) => detach(layout, context, image, attachment));
  }

  exportSource(context: BackendContext, image: string): Promise<ExportSource> {
    const path = this.#layout.imageFile('live', image);
    return this.#read('exportSource', context, () => Promise.resolve({ kind: 'file', path }));
  }

  setQos(): Promise<void> {
    return Promise.reject(noQos());
  }

  trash(context: FencedContext, image: string): Promise<void> {
    return this.#change('trash', context, image, (layout) => trash(layout, context, image));
  }

  restore(context: FencedContext, image: string): Promise<ImageFacts> {
    return this.#change('restore', context, image, (layout) => restore(layout, context, image));
  }

  purge(context: FencedContext, image: string): Promise<void> {
    return this.#change('purge', context, image, (layout) => purge(layout, context, image));
  }

  adopt(context: FencedContext, image: string, tag: { readonly volumeId: string; readonly name: string }) {
    return this.#change('adopt', context, image, (layout) => adopt(layout, context, image, tag));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #change<T>(verb: string, { signal }: FencedContext, image: string, change: (layout: Layout) => Promise<T>) {
    return this.#read(verb, { signal }, () => this.#changes.run(image, () => change(this.#layout), signal));
  }

  async #read<T>(verb: string, { signal }: BackendContext, read: () => Promise<T>): Promise<T> {
    try {
      refusePassed(signal, verb);
      await this.#directory.ready();
      return await read();
    } catch (error) {
      throw error === signal.reason ? passed(verb) : toProblem(error, verb, this.#layout.directory);
    }
  }
}

function noQos(): HoldfastError {
  const message = 'The file backend cannot limit I/O: nothing stands between a client and the file.';
  return new HoldfastError('unsupported', message, { capability: 'qos' });
}
