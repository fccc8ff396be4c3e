import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { BackendRegistry } from './backends/registry.ts';
import { type ExportSecret, type ExportWish, checkAllowedHosts, exportSecret } from './export.ts';
import type { ExportKind, ExportSource } from './exports/target.ts';
import type { Hosts } from './hosts.ts';
import type { Volume } from './volume.ts';

/** What a request says of an export. */
export interface WantedTransport {
  readonly transport: ExportKind;
  /** The name of the host that serves it; `null`: this server's own. */
  readonly host: string | null;
  /** Whether clients need a key. */
  readonly isTls: boolean;
  readonly allowedHosts: readonly string[];
}

export interface ExportWishesOptions {
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
  readonly sources: readonly ExportSource['kind'][];
}

/** Makes complete wishes of what requests say of exports; what cannot be is refused before anything is accepted. */
export class ExportWishes {
  readonly #options: ExportWishesOptions;

  constructor(options: ExportWishesOptions) {
    this.#options = options;
  }

  /** Throws `not_found` for an unknown host, `unsupported` for what that host or the backend cannot do, `invalid` else. */
  async wishFor(volume: Volume, wanted: WantedTransport): Promise<ExportWish> {
    const { newId, sealer, localHost } = this.#options;
    const { transport, isTls, allowedHosts } = wanted;
    checkAllowedHosts(transport, allowedHosts);
    const host = wanted.host ?? localHost;
    await this.#check(volume, host, wanted);
    const id = newId('exp');
    const secret: ExportSecret = { tls: { identity: id, keyHex: randomBytes(32).toString('hex') } };
    const sealedSecret = isTls ? sealer.seal(JSON.stringify(secret), exportSecret(id)) : null;
    return { id, host, transport, allowedHosts, sealedSecret };
  }

  async #check(volume: Volume, host: string, { transport, isTls }: WantedTransport): Promise<void> {
    const { hosts, backends, localHost, lookTimeoutMs } = this.#options;
    const found = await hosts.find(host);
    if (found === null) {
      throw new HoldfastError('not_found', `There is no host ${host}.`, { field: 'export_host', provided_value: host });
    }
    if (found.state === 'dead') {
      const message = `Host ${host} is dead: its agent has not been heard for too long.`;
      throw new HoldfastError('unavailable', message, { host, host_state: found.state });
    }
    const can = (found.capabilities['transports'] as Partial<Record<ExportKind, TransportCapabilities>> | undefined)?.[
      transport
    ];
    if (can === undefined) throw cannot(`Host ${host} cannot export volumes over ${transport}.`, 'transport');
    if (isTls && !can.tls) throw cannot(`Exports over ${transport} at host ${host} take no TLS key.`, 'tls');
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
  }
}

function cannot(message: string, field = 'transport'): HoldfastError {
  return new HoldfastError('unsupported', message, { field });
}
