import { HoldfastError } from '../kernel/errors/errors.ts';
import type { IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { BackendRegistry } from './backends/registry.ts';
import { type ExportSecret, type ExportWish, checkAllowedHosts, exportSecret } from './export.ts';
import { dhchapSecret, newTlsSecret, requireNoKeys } from './export-keys.ts';
import { standingExports } from './export-queries.ts';
import type { ExportKind, ExportSource } from './exports/target.ts';
import type { Hosts } from './hosts.ts';
import type { Volume } from './volume.ts';

/** What a request says of an export. */
export interface WantedTransport {
  readonly transport: ExportKind;
  /** The name of the host that serves it; `null`: this server's own. */
  readonly host: string | null;
  /** Whether clients need a key (NBD). */
  readonly isTls: boolean;
  /** Whether hosts prove themselves by DH-HMAC-CHAP (NVMe). */
  readonly isChap: boolean;
  readonly allowedHosts: readonly string[];
}

export interface ExportWishesOptions {
  readonly store: Store;
  readonly hosts: Hosts;
  readonly backends: BackendRegistry;
  readonly sealer: Sealer;
  readonly newId: IdSource;
  /** The name of the host that this server is on. */
  readonly localHost: string;
  readonly lookTimeoutMs: number;
}

/** What a host's agent says of each transport when it registers. */
interface TransportCapabilities {
  readonly tls: boolean;
  /** Whether exports are for hosts that are named, and may have keys. */
  readonly hosts: boolean;
  readonly sources: readonly ExportSource['kind'][];
}

/** Makes complete wishes of what requests say of exports; what cannot be is refused before anything is accepted. */
export class ExportWishes {
  readonly #options: ExportWishesOptions;

  constructor(options: ExportWishesOptions) {
    this.#options = options;
  }

  /**
   * Throws `not_found` for an unknown host, `unsupported` for what that host or the backend cannot do, `conflict` for keys
   * that the same machines cannot have beside those that they have, `invalid` else.
   */
  async wishFor(volume: Volume, wanted: WantedTransport): Promise<ExportWish> {
    const { newId, sealer } = this.#options;
    const { transport, allowedHosts } = wanted;
    checkAllowedHosts(transport, allowedHosts);
    const host = await this.#hostFor(volume, wanted);
    const id = newId('exp');
    const secret = await this.#secretFor(id, volume, host, wanted);
    const sealedSecret = secret === null ? null : sealer.seal(JSON.stringify(secret), exportSecret(id));
    return { id, host, transport, allowedHosts, sealedSecret };
  }

  async #secretFor(
    id: string,
    volume: Volume,
    host: string,
    { transport, isTls, isChap, allowedHosts }: WantedTransport,
  ): Promise<ExportSecret | null> {
    if (isTls) return newTlsSecret(id);
    if (transport !== 'nvmeof') return null;
    const { store, sealer } = this.#options;
    const standing = await store.read((reader) => standingExports(reader, host, transport));
    // An earlier export of the volume itself goes before this one is made.
    const others = standing.filter(({ volumeId }) => volumeId !== volume.id);
    if (isChap) return dhchapSecret(others, sealer, allowedHosts);
    requireNoKeys(others, allowedHosts);
    return null;
  }

  /** The name of the host that serves it, whichever way it was named, and only if it can. */
  async #hostFor(volume: Volume, { transport, isTls, isChap, ...wanted }: WantedTransport): Promise<string> {
    const { hosts, backends, localHost, lookTimeoutMs } = this.#options;
    const reference = wanted.host ?? localHost;
    const found = await hosts.find(reference);
    if (found === null) {
      const details = { field: 'export_host', provided_value: reference };
      throw new HoldfastError('not_found', `There is no host ${reference}.`, details);
    }
    const host = found.name;
    if (found.state === 'dead') {
      const message = `Host ${host} is dead: its agent has not been heard for too long.`;
      throw new HoldfastError('unavailable', message, { host, host_state: found.state });
    }
    const can = (found.capabilities['transports'] as Partial<Record<ExportKind, TransportCapabilities>> | undefined)?.[
      transport
    ];
    if (can === undefined) throw cannot(`Host ${host} cannot export volumes over ${transport}.`, 'transport');
    if (isTls && !can.tls) throw cannot(`Exports over ${transport} at host ${host} take no TLS key.`, 'tls');
    if (isChap && !can.hosts) {
      throw cannot(`Exports over ${transport} at host ${host} know no DH-HMAC-CHAP; that is for NVMe.`, 'chap');
    }
    const signal = AbortSignal.timeout(lookTimeoutMs);
    const source = await backends.get(volume.backend).exportSource({ signal }, volume.image);
    if (source === null) {
      throw cannot(`Volumes of the ${volume.backend} backend cannot be exported; that system gives them to machines.`);
    }
    if (!can.sources.includes(source.kind)) {
      throw cannot(
        `Host ${host} cannot export volumes of the ${volume.backend} backend over ${transport}.`,
        'transport',
      );
    }
    if (source.kind === 'file' && host !== localHost) {
      throw cannot(
        `The files of the ${volume.backend} backend are at host ${localHost}, not at ${host}.`,
        'export_host',
      );
    }
    return host;
  }
}

function cannot(message: string, field = 'transport'): HoldfastError {
  return new HoldfastError('unsupported', message, { field });
}
