import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Attempt } from '../../kernel/operations/operation.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { VolumeBackend } from '../backends/backend.ts';
import { type VolumeExport, exportSecret } from '../export.ts';
import { findExport } from '../export-queries.ts';
import type { Hosts } from '../hosts.ts';
import { findVolume } from '../queries.ts';
import { type Volume, volumeResource } from '../volume.ts';
import type { ExportConnection, ExportKind, ExportQos } from './target.ts';
import type { AddExportWork, QosExportWork, RemoveExportWork, ReportedExport, ResizeExportWork } from './work.ts';

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

/** Makes, changes and removes exports at the hosts that serve them; each verb is for one step of an operation. */
export class ExportRunner {
  readonly #options: ExportRunnerOptions;

  constructor(options: ExportRunnerOptions) {
    this.#options = options;
  }

  /** Makes the export that is on record under this id. Throws `unsupported` for a backend that machines reach only by itself. */
  async add(attempt: Attempt, exportId: string): Promise<MadeExport> {
    const { hosts, sealer } = this.#options;
    const { wanted, volume, backend } = await this.#require(exportId);
    const source = await backend.exportSource(attempt, volume.image);
    if (source === null) throw noSource(backend.name);
    const input: AddExportWork = {
      transport: wanted.transport,
      exportId,
      volumeId: volume.id,
      generation: wanted.generation,
      source,
      readOnly: wanted.mode === 'ro',
      qos: volume.qos satisfies ExportQos,
      allowedHosts: wanted.allowedHosts,
    };
    const { sealedSecret } = wanted;
    const secret = sealedSecret === null ? null : sealer.open(sealedSecret, exportSecret(exportId));
    const command = { ...commandTo(wanted), kind: 'export.add', input, secret };
    const { connection } = (await hosts.run(attempt, command)) as ReportedExport;
    const facts = backend.capabilities.watchers ? await backend.inspect(attempt, volume.image) : null;
    return { transport: wanted.transport, connection, clients: facts?.watchers ?? [] };
  }

  /** Absent is success. A connected client is a `conflict` (`{reason: 'in_use'}`) unless `force`, which cuts it. */
  async remove(attempt: Attempt, exportId: string, force: boolean): Promise<void> {
    const { wanted } = await this.#require(exportId);
    const input: RemoveExportWork = { transport: wanted.transport, exportId, force };
    await this.#options.hosts.run(attempt, { ...commandTo(wanted), kind: 'export.remove', input });
  }

  /** Makes image and export this size; see the port. */
  async resize(attempt: Attempt, exportId: string, sizeBytes: string): Promise<void> {
    const { wanted } = await this.#require(exportId);
    const input: ResizeExportWork = { transport: wanted.transport, exportId, sizeBytes };
    await this.#options.hosts.run(attempt, { ...commandTo(wanted), kind: 'export.resize', input });
  }

  async setQos(attempt: Attempt, exportId: string, qos: ExportQos): Promise<void> {
    const { wanted } = await this.#require(exportId);
    const input: QosExportWork = { transport: wanted.transport, exportId, qos };
    await this.#options.hosts.run(attempt, { ...commandTo(wanted), kind: 'export.qos', input });
  }

  async #require(exportId: string): Promise<{ wanted: VolumeExport; volume: Volume; backend: VolumeBackend }> {
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
