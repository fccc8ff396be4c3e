import { HoldfastError } from '../kernel/errors/errors.ts';
import type { IdSource } from '../kernel/ids.ts';
import type { Engine, Wish } from '../kernel/operations/engine.ts';
import type { Accepted } from '../kernel/operations/start.ts';
import type { Store } from '../kernel/store/store.ts';
import { acceptAttach } from './accepting/attach.ts';
import { acceptCreate } from './accepting/create.ts';
import { acceptDelete, acceptPurge } from './accepting/delete.ts';
import { acceptDetach } from './accepting/detach.ts';
import { acceptExport, acceptExportRepair, acceptUnexport } from './accepting/exports.ts';
import { acceptImport } from './accepting/import.ts';
import { acceptReconcile } from './accepting/reconcile.ts';
import { acceptQos, acceptResize } from './accepting/resize.ts';
import { acceptRestore } from './accepting/restore.ts';
import { acceptRevert, acceptSnapshot, acceptSnapshotDelete } from './accepting/snapshots.ts';
import type { AttachMode, BackendCapabilities, ImageFacts, QosLimits, VolumeBackend } from './backends/backend.ts';
import { refuseUnknownParameters } from './backends/image-rules.ts';
import type { BackendRegistry } from './backends/registry.ts';
import { openExport } from './export-queries.ts';
import type { ExportWishes, WantedTransport } from './export-wishes.ts';
import { acceptForceSync } from './force-sync.ts';
import { findSnapshot, findVolume } from './queries.ts';
import { type SnapshotNameScope, type Volume, checkName, checkNodeId } from './volume.ts';

export interface VolumeServiceOptions {
  readonly store: Store;
  readonly engine: Engine;
  readonly newId: IdSource;
  readonly backends: BackendRegistry;
  readonly exports: ExportWishes;
  /** How long deleted volumes can be restored; 0: not at all. */
  readonly trashRetentionMs: number;
  /** Deadline of a look at a backend while a request waits. */
  readonly lookTimeoutMs: number;
}

/** Where a volume is attached: at a node, or for a virtual machine; one of the two is named. */
export interface AttachPlace {
  readonly nodeId: string | null;
  readonly vmId: string | null;
  readonly mode: AttachMode;
}

/** The use cases of volumes: each checks the wish, then accepts it as a durable operation. */
export class VolumeService {
  readonly #options: VolumeServiceOptions;

  constructor(options: VolumeServiceOptions) {
    this.#options = options;
  }

  /** Throws `unsupported` for a backend that this server lacks or that cannot do it, `conflict` for a taken name. */
  async create(
    wish: Wish,
    params: {
      readonly name: string;
      /** `null` only with a snapshot. */
      readonly sizeBytes: bigint | null;
      readonly backend: string | null;
      readonly metadata: Readonly<Record<string, string>>;
      readonly qos: QosLimits;
      readonly snapshotId: string | null;
      readonly parameters: Readonly<Record<string, string>>;
    },
  ): Promise<Accepted> {
    const { engine, newId, backends } = this.#options;
    const { name, sizeBytes, metadata, qos, snapshotId, parameters } = params;
    checkName(name);
    const parent = snapshotId === null ? null : await this.#parentOf(snapshotId);
    const backend = params.backend ?? parent?.backend ?? backends.defaultName;
    if (snapshotId !== null) this.#requireCapability(backend, 'clone', 'cannot make a volume from a snapshot');
    if (Object.keys(qos).length > 0) this.#requireCapability(backend, 'qos', 'cannot limit I/O');
    refuseUnknownParameters(backends.get(backend), parameters);
    const id = newId('vol');
    const wanted = { name, sizeBytes, backend, metadata, qos, sourceSnapshotId: snapshotId, parameters };
    const volume = { id, image: id, ...wanted };
    return engine.accept(acceptCreate, wish, { volume, defaultBackend: backends.defaultName });
  }

  /** Attaches a volume at a node or for a VM; with `wanted` also makes the export through which it is reached. */
  async attach(wish: Wish, volume: string, place: AttachPlace, wanted: WantedTransport | null): Promise<Accepted> {
    const { engine, newId, exports } = this.#options;
    const { nodeId, vmId, mode } = place;
    const node = checkNodeId(nodeId ?? vmId ?? '', nodeId === null ? 'vm_id' : 'node_id');
    const exportWish = wanted === null ? null : await exports.wishFor(await this.#require(volume), wanted);
    const params = { volume, attachmentId: newId('att'), nodeId: node, vmId, mode, wish: exportWish };
    return engine.accept(acceptAttach, wish, params);
  }

  /** Exports a volume that is attached. Throws `conflict` when it is not, or is exported already. */
  async export(wish: Wish, reference: string, wanted: WantedTransport): Promise<Accepted> {
    const { engine, exports } = this.#options;
    const exportWish = await exports.wishFor(await this.#require(reference), wanted);
    return engine.accept(acceptExport, wish, { volume: reference, wish: exportWish });
  }

  /** Removes an export; with `force` connected clients are cut. */
  unexport(wish: Wish, volume: string, exportId: string, force: boolean): Promise<Accepted> {
    return this.#options.engine.accept(acceptUnexport, wish, { volume, exportId, force });
  }

  /** Compares backends, kernels and exports with the store now. */
  forceSync(wish: Wish): Promise<Accepted> {
    return this.#options.engine.accept(acceptForceSync, wish, {});
  }

  /** Makes an export again that its host has lost. */
  repairExport(wish: Wish, exportId: string, reason: string): Promise<Accepted> {
    return this.#options.engine.accept(acceptExportRepair, wish, { exportId, reason });
  }

  /**
   * Attaches as the root disk of a machine. When nothing has been decided for the volume yet, the machine is looked at first:
   * one that cannot take the disk now (it runs) refuses the request, and nothing is accepted.
   */
  async attachRoot(wish: Wish, reference: string, vmId: string): Promise<Accepted> {
    const { engine, newId, lookTimeoutMs } = this.#options;
    const nodeId = checkNodeId(vmId, 'vm_id');
    const volume = await this.#require(reference);
    const backend = this.#requireCapability(volume.backend, 'rootAttach', 'attaches no volume as a root disk');
    if (volume.state === 'available') {
      await backend.checkRootAttach?.({ signal: AbortSignal.timeout(lookTimeoutMs) }, nodeId);
    }
    const use = { mode: 'rw', device: 'root', wish: null } as const;
    const params = { volume: reference, attachmentId: newId('att'), nodeId, vmId: nodeId, ...use };
    return engine.accept(acceptAttach, wish, params);
  }

  /** `force` promises that the old client cannot write any more; a backend that cannot fence refuses it (`unsupported`). */
  async detach(wish: Wish, reference: string, attachmentId: string | null, force: boolean): Promise<Accepted> {
    const volume = await this.#require(reference);
    // An export that its host cuts is the only way to bytes that nothing else gives to machines.
    if (force && !(await this.#isExported(volume))) {
      this.#requireCapability(
        volume.backend,
        'fence',
        'cannot fence clients, so it cannot force a detach; detach without force',
      );
    }
    return this.#options.engine.accept(acceptDetach, wish, { volume: reference, attachmentId, force });
  }

  delete(wish: Wish, volume: string, isPurge: boolean): Promise<Accepted> {
    const { engine, trashRetentionMs } = this.#options;
    return engine.accept(acceptDelete, wish, { volume, retentionMs: isPurge ? 0 : trashRetentionMs });
  }

  restore(wish: Wish, volume: string, name: string | null): Promise<Accepted> {
    if (name !== null) checkName(name);
    return this.#options.engine.accept(acceptRestore, wish, { volume, name });
  }

  purge(wish: Wish, volume: string): Promise<Accepted> {
    return this.#options.engine.accept(acceptPurge, wish, { volume });
  }

  /** Looks first: with the backend out of reach nothing is accepted and the state stays (`unavailable`). */
  async reconcile(wish: Wish, reference: string): Promise<Accepted> {
    const volume = await this.#require(reference);
    if (volume.state === 'error') await this.#look(volume.backend, volume.image);
    return this.#options.engine.accept(acceptReconcile, wish, { volume: reference });
  }

  resize(wish: Wish, volume: string, sizeBytes: bigint): Promise<Accepted> {
    return this.#options.engine.accept(acceptResize, wish, { volume, sizeBytes });
  }

  async setQos(wish: Wish, reference: string, qos: QosLimits): Promise<Accepted> {
    const volume = await this.#require(reference);
    if (!(await this.#isExported(volume))) this.#requireCapability(volume.backend, 'qos', 'cannot limit I/O');
    return this.#options.engine.accept(acceptQos, wish, { volume: reference, qos });
  }

  async snapshot(
    wish: Wish,
    reference: string,
    name: string,
    nameScope: SnapshotNameScope = 'volume',
  ): Promise<Accepted> {
    checkName(name);
    const volume = await this.#require(reference);
    this.#requireCapability(volume.backend, 'snapshots', 'cannot take snapshots');
    const { engine, newId } = this.#options;
    return engine.accept(acceptSnapshot, wish, { volume: reference, snapshotId: newId('snap'), name, nameScope });
  }

  deleteSnapshot(wish: Wish, volume: string, snapshot: string): Promise<Accepted> {
    return this.#options.engine.accept(acceptSnapshotDelete, wish, { volume, snapshot });
  }

  revert(wish: Wish, volume: string, snapshot: string): Promise<Accepted> {
    return this.#options.engine.accept(acceptRevert, wish, { volume, snapshot });
  }

  /** Takes an image in. Throws `not_found` when the backend has none of that name, `conflict` when it is somebody's. */
  async import(
    wish: Wish,
    params: {
      readonly image: string;
      readonly name: string | null;
      readonly backend: string | null;
      readonly metadata: Readonly<Record<string, string>>;
    },
  ): Promise<Accepted> {
    const { engine, newId, backends } = this.#options;
    const { image, metadata } = params;
    checkImageName(image);
    const backend = params.backend ?? backends.defaultName;
    const facts = await this.#look(backend, image);
    if (facts === null || facts.place !== 'live') {
      throw new HoldfastError('not_found', `Backend ${backend} has no image ${image}.`, { field: 'image' });
    }
    // An image of ours whose row was lost comes back under its own id and name.
    const id = facts.volumeId ?? newId('vol');
    const name = checkName(params.name ?? facts.name ?? image);
    const { sizeBytes } = facts;
    const origin = { sourceSnapshotId: null, parameters: {} };
    const volume = { id, name, image, sizeBytes, backend, metadata, qos: {}, ...origin };
    return engine.accept(acceptImport, wish, { volume });
  }

  async #require(reference: string): Promise<Volume> {
    const volume = await this.#options.store.read((reader) => findVolume(reader, reference));
    if (volume === null) throw new HoldfastError('not_found', `There is no volume ${reference.slice(0, 200)}.`);
    return volume;
  }

  async #isExported({ id }: Volume): Promise<boolean> {
    return (await this.#options.store.read((reader) => openExport(reader, id))) !== null;
  }

  async #parentOf(snapshotId: string): Promise<Volume | null> {
    return this.#options.store.read(async (reader) => {
      const snapshot = await findSnapshot(reader, snapshotId);
      return snapshot === null ? null : findVolume(reader, snapshot.volumeId);
    });
  }

  #look(backend: string, image: string): Promise<ImageFacts | null> {
    const signal = AbortSignal.timeout(this.#options.lookTimeoutMs);
    return this.#options.backends.get(backend).inspect({ signal }, image);
  }

  #requireCapability(name: string, capability: keyof BackendCapabilities, sentence: string): VolumeBackend {
    const backend = this.#options.backends.get(name);
    if (backend.capabilities[capability]) return backend;
    throw new HoldfastError('unsupported', `The ${name} backend ${sentence}.`, { backend: name, capability });
  }
}

/** Images of others may have more liberal names than volumes, but nothing that a backend reads as a path or a snapshot. */
function checkImageName(image: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(image) && !image.includes('..')) return;
  const message = 'An image name consists of letters, digits, "-", "_" and single ".".';
  throw new HoldfastError('invalid', message, { field: 'image', provided_value: image });
}
