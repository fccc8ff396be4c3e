import { HoldfastError } from '../kernel/errors/errors.ts';
import type { AttachMode } from './backends/backend.ts';
import type { ExportConnection, ExportDhchap, ExportKey, ExportKind } from './exports/target.ts';

/**
 * `pending`: on record, and being made. `active`: made, and usable when it was last heard of. `lost`: what served it has
 * ended, and it is being made again. `removing`, `removed`: as they say. `failed`: it could not be made.
 */
export const exportStates = ['pending', 'active', 'lost', 'removing', 'removed', 'failed'] as const;
export type ExportState = (typeof exportStates)[number];

/** How the volume of one attachment is reached over a network; it ends with the attachment. */
export interface VolumeExport {
  readonly id: string;
  readonly volumeId: string;
  readonly attachmentId: string;
  /** Of the attachment. */
  readonly generation: number;
  /** The name of the host that serves it. */
  readonly host: string;
  readonly transport: ExportKind;
  readonly mode: AttachMode;
  /** Names of the machines that may connect (NVMe: NQNs); empty where the transport does not ask. */
  readonly allowedHosts: readonly string[];
  /** Sealed {@link ExportSecret}. */
  readonly sealedSecret: string | null;
  readonly state: ExportState;
  readonly reason: string | null;
  readonly connection: ExportConnection | null;
  readonly createdAtMs: number;
  readonly removedAtMs: number | null;
}

/** What a client must know to connect; sealed at rest. */
export interface ExportSecret {
  readonly tls: ExportKey | null;
  readonly dhchap?: ExportDhchap;
}

/** What somebody wishes of an export; the rest follows from the attachment. */
export interface ExportWish {
  readonly id: string;
  readonly host: string;
  readonly transport: ExportKind;
  readonly allowedHosts: readonly string[];
  readonly sealedSecret: string | null;
}

/** What a sealed secret of an export belongs to. */
export function exportSecret(exportId: string): string {
  return `export:${exportId}`;
}

/** NQNs are 1 to 223 bytes of UTF-8 (NVM Express Base 2.0, 4.5); these letters are all that any tool makes. */
export function checkAllowedHosts(transport: ExportKind, hosts: readonly string[]): void {
  const field = 'allowed_hosts';
  if (transport !== 'nvmeof' && hosts.length > 0) {
    throw new HoldfastError('invalid', 'Allowed hosts are NQNs, which only NVMe knows; use TLS for NBD.', { field });
  }
  for (const host of hosts) {
    if (/^nqn\.[A-Za-z0-9.:_-]{1,219}$/.test(host)) continue;
    const message = 'An allowed host is an NQN, such as nqn.2014-08.org.nvmexpress:uuid:….';
    throw new HoldfastError('invalid', message, { field, provided_value: host.slice(0, 300) });
  }
  if (transport === 'nvmeof' && hosts.length === 0) {
    const message = 'An NVMe export needs allowed_hosts: the NQNs of the machines that may connect.';
    throw new HoldfastError('invalid', message, { field });
  }
}
