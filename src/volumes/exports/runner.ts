import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Attempt } from '../../kernel/operations/operation.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { VolumeBackend } from '../backends/backend.ts';
import { type VolumeExport, exportSecret } from '../export.ts';
import { findExport, recordedClients } from '../export-queries.ts';
import type { Hosts } from '../hosts.ts';
import { findVolume } from '../queries.ts';
import { type Volume, volumeResource } from '../volume.ts';
import type { ExportConnection, ExportKind, ExportQos } from './target.ts';
import type { AddExportWork, ExportsReport, RemoveExportWork, ReportedExport, ResizeExportWork } from './work.ts';

export interface ExportRunnerOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly hosts: Hosts;
  backend(name: string): VolumeBackend;
}

/** What is known of an export that was just made. */
export interface MadeExport {
  readonly transport: ExportKind;
  readonly connection: ExportConnection;
  /** Addresses of clients that have the image open, where the backend tells. */
  readonly clients: readonly string[];
}

/** An export on record, and what it is of. */
interface KnownExport {
  readonly wanted: VolumeExport;
  readonly volume: Volume;
  readonly backend: VolumeBackend;
}

/** Makes, changes and removes exports at the hosts that serve them; each verb is for one step of an operation. */
export class ExportRunner {
  readonly #options: ExportRunnerOptions;

  constructor(options: ExportRunnerOptions) {
    this.#options = options;
  }

  /** Makes the export that is on record under this id. Throws `unsupported` for a backend that machines reach only by itself. */
  async add(attempt: Attempt, exportId: string): Promise<MadeExport> {
    const known = await this.#require(exportId);
    const { connection } = await this.#run(attempt, known, 'export.add', await this.#work(attempt, known));
    const { backend, volume, wanted } = known;
    const facts = backend.capabilities.watchers ? await backend.inspect(attempt, volume.image) : null;
    return { transport: wanted.transport, connection, clients: facts?.watchers ?? [] };
  }

  /**
   * Makes an export again that its host has lost. Where a client of the image can be cut off, those of the export before are cut
   * off first: the real system believes for a while that the dead are alive, and would keep the image from the living.
   */
  async repair(attempt: Attempt, exportId: string): Promise<MadeExport> {
    const known = await this.#require(exportId);
    const { backend, volume, wanted } = known;
    const clients = await this.#options.store.read((reader) => recordedClients(reader, wanted.attachmentId));
    if (backend.fence !== undefined && clients.length > 0 && !(await this.#isLive(attempt, wanted))) {
      await backend.fence(attempt, volume.image, clients);
    }
    return this.add(attempt, exportId);
  }

  /** Asked of the host now: what was lost when the repair was asked for may have been made since, and is in use then. */
  async #isLive(attempt: Attempt, wanted: VolumeExport): Promise<boolean> {
    const question = { ...attempt, token: `${attempt.token}/list/${attempt.attempt}` };
    const command = { ...commandTo(wanted), kind: 'export.list', input: {} };
    const report = (await this.#options.hosts.run(question, command)) as ExportsReport;
    const lives = report[wanted.transport];
    if (lives != null) return lives.some(({ exportId }) => exportId === wanted.id);
    throw new HoldfastError('unavailable', `Host ${wanted.host} cannot tell what it exports over ${wanted.transport}.`);
  }

  /** Absent is success. A connected client is a `conflict` (`{reason: 'in_use'}`) unless `force`, which cuts it. */
  async remove(attempt: Attempt, exportId: string, force: boolean): Promise<void> {
    const { wanted } = await this.#require(exportId);
    const input: RemoveExportWork = { transport: wanted.transport, exportId, force };
    await this.#options.hosts.run(attempt, { ...commandTo(wanted), kind: 'export.remove', input });
  }

  /**
   * Makes image and export this size, and gives it; see the port. An export that its host has lost is made again first. `null`
   * when it was removed meanwhile, so that only the image is left to resize.
   */
  async resize(attempt: Attempt, exportId: string, sizeBytes: string): Promise<string | null> {
    const known = await this.#require(exportId);
    if (known.wanted.state === 'removed') return null;
    const input: ResizeExportWork = { ...(await this.#work(attempt, known)), sizeBytes };
    return (await this.#run(attempt, known, 'export.resize', input)).sizeBytes;
  }

  /** Sets the limits of an export; one that its host has lost is made again with them, one that was removed needs none. */
  async setQos(attempt: Attempt, exportId: string, qos: ExportQos): Promise<void> {
    const known = await this.#require(exportId);
    if (known.wanted.state === 'removed') return;
    await this.#run(attempt, known, 'export.add', { ...(await this.#work(attempt, known)), qos });
  }

  /** What its host must know to make it. */
  async #work(attempt: Attempt, { wanted, volume, backend }: KnownExport): Promise<AddExportWork> {
    const source = await backend.exportSource(attempt, volume.image);
    if (source === null) throw noSource(backend.name);
    return {
      transport: wanted.transport,
      exportId: wanted.id,
      volumeId: volume.id,
      generation: wanted.generation,
      source,
      readOnly: wanted.mode === 'ro',
      qos: volume.qos satisfies ExportQos,
      allowedHosts: wanted.allowedHosts,
      ...(wanted.connection === null ? {} : { preferredPort: wanted.connection.port }),
    };
  }

  async #run(attempt: Attempt, { wanted }: KnownExport, kind: string, input: AddExportWork): Promise<ReportedExport> {
    const { hosts, sealer } = this.#options;
    const { id, sealedSecret } = wanted;
    const secret = sealedSecret === null ? null : sealer.open(sealedSecret, exportSecret(id));
    return (await hosts.run(attempt, { ...commandTo(wanted), kind, input, secret })) as ReportedExport;
  }

  async #require(exportId: string): Promise<KnownExport> {
    const { store, backend } = this.#options;
    const wanted = await store.read((reader) => findExport(reader, exportId));
    if (wanted === null) throw new HoldfastError('not_found', `There is no export ${exportId}.`);
    const volume = (await store.read((reader) => findVolume(reader, wanted.volumeId)))!;
    return { wanted, volume, backend: backend(volume.backend) };
  }
}

function commandTo({ host, volumeId }: VolumeExport): { readonly host: string; readonly resource: string } {
  return { host, resource: volumeResource(volumeId) };
}

function noSource(backend: string): HoldfastError {
  const message = `Volumes of the ${backend} backend cannot be exported: only that system itself gives them to machines.`;
  return new HoldfastError('unsupported', message, { backend });
}
