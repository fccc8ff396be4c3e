/**
 * The port to something that exports volumes to machines. One folder an adapter; every adapter passes
 * `target.conformance.ts`.
 *
 * The laws that adapters keep:
 * - Truth is read from what exports (QMP, configfs) at each call, never from memory of earlier calls. An export carries its
 *   export id, volume id, generation and image in names that are read back.
 * - A volume, and an image, has at most one export on a target. `add` of a volume that is still exported under another
 *   export id is a `conflict` (`{reason: 'stale_export', export_id, generation}`): what is stale goes first.
 * - `add` is idempotent for the same export: same id, volume, generation, source, mode, hosts and key. Limits may differ; the
 *   last ones hold. The same id with anything else is a `conflict` (`{reason: 'other_export', differs}`), and changes nothing.
 * - `remove` is exact and ordered: export, then the node that it serves, then what is beneath, and it verifies that all is
 *   gone. Absent is success. While a client is connected it is a `conflict` (`{reason: 'in_use'}`) that changes nothing;
 *   with `force` clients are cut, and their later writes fail.
 * - No verb but a forced `remove` ever cuts a client.
 * - Verbs that are cut off anywhere can be repeated: `add` and `remove` first take away what an earlier one left behind.
 * - Unreachable is `unavailable`. So is a passed deadline (`context.signal`), and an end of what exports in the middle: the
 *   outcome is unknown then. What it refuses for other reasons is `backend`, in its words.
 * - What exports may end by itself, and all its exports with it. The owner is told (see {@link ExportLoss}) and adds again
 *   what it wants; until then `list` shows what is really there.
 */
export interface ExportTarget {
  readonly kind: ExportKind;
  readonly capabilities: ExportCapabilities;

  /** Asks whether volumes can be exported here. Throws `unavailable` with one clear sentence when not. */
  health(signal: AbortSignal): Promise<ExportHealth>;

  /**
   * Makes the export, usable when this resolves. An absent image is `not_found`. A size that is no whole number of sectors of
   * 512 bytes is `unsupported`, since clients would see bytes that the volume does not have.
   */
  add(context: ExportContext, spec: ExportSpec): Promise<LiveExport>;

  remove(context: ExportContext, exportId: string, options: { readonly force: boolean }): Promise<void>;

  /** Every export that is live now, in byte order of the export ids. */
  list(context: ExportContext): Promise<readonly LiveExport[]>;

  /**
   * Makes image and export exactly this size; growing only (`invalid` else). Already that size is success. An absent export is
   * `not_found`. A target without `capabilities.resizeInUse` refuses with a `conflict` (`{reason: 'in_use'}`) while a
   * client is connected. When it is cut off the export may be gone, with every byte kept: `add` brings it back.
   */
  resize(context: ExportContext, exportId: string, sizeBytes: bigint): Promise<LiveExport>;

  /** Limits of this export, from now on, for connected clients as well. `{}` takes them away. Absent is `not_found`. */
  setQos(context: ExportContext, exportId: string, qos: ExportQos): Promise<LiveExport>;

  /** Ends child processes and connections; no call follows. Exports that live in this process's children end too. */
  close(): Promise<void>;
}

export type ExportKind = 'nbd' | 'nvmeof';

export interface ExportContext {
  /** Aborts when the deadline has passed or the operation is cancelled. */
  readonly signal: AbortSignal;
}

export interface ExportCapabilities {
  readonly qos: boolean;
  /** Whether an export can take a key without which nobody connects. */
  readonly tls: boolean;
  /** Whether an export is for named hosts: `allowedHosts` names at least one then, and none where this is `false`. */
  readonly hosts: boolean;
  /** Whether an export can be made that nobody writes to. */
  readonly readOnly: boolean;
  /** Whether connected clients see a new size. */
  readonly resizeInUse: boolean;
  /** Whether exports are still there after this process has ended. */
  readonly survivesRestart: boolean;
  readonly sources: readonly ExportSource['kind'][];
}

export interface ExportHealth {
  /** One sentence for people. */
  readonly detail: string;
}

/** Where the bytes are. */
export type ExportSource =
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'rbd';
      /** Path of a ceph.conf. */
      readonly conf: string;
      readonly pool: string;
      readonly image: string;
      /** Without `client.`; the default of Ceph is `admin`. */
      readonly user?: string;
    };

/** A pre-shared key for TLS (RFC 4279; NBD's `NBD_OPT_STARTTLS`). */
export interface ExportKey {
  /** The name under which the client offers the key. */
  readonly identity: string;
  /** 16 to 64 bytes in hexadecimal digits. Never logged, and never on a command line. */
  readonly keyHex: string;
}

/**
 * DH-HMAC-CHAP keys of a host (NVMe Base Specification 2.0, 8.13), as `DHHC-1:…` texts. They belong to the host, so all exports
 * for it on one target have the same. Never logged, and never on a command line.
 */
export interface ExportDhchap {
  /** By which the host proves itself. */
  readonly key: string;
  /** By which the target proves itself to the host. */
  readonly controllerKey?: string;
}

export interface ExportSpec {
  readonly exportId: string;
  readonly volumeId: string;
  /** Of the attachment; part of the name, so that an address of an earlier one reaches nothing. */
  readonly generation: number;
  readonly source: ExportSource;
  readonly readOnly: boolean;
  readonly qos: ExportQos;
  /** `null`: whoever reaches the address can read, and write unless `readOnly`. */
  readonly tls: ExportKey | null;
  /** Who may connect, by NQN, and nobody else. A target without `capabilities.hosts` takes only an empty list. */
  readonly allowedHosts: readonly string[];
  /** Asked of every allowed host. Absent for none; `unsupported` where the target or its kernel lacks it. */
  readonly dhchap?: ExportDhchap;
  /**
   * Where it listened before, and clients look for it again. A target that chooses ports takes this one when it can; the export
   * is made elsewhere when not.
   */
  readonly preferredPort?: number;
}

/** Limits a second; an absent field is no limit. */
export interface ExportQos {
  readonly iops?: number;
  readonly read_iops?: number;
  readonly write_iops?: number;
  readonly bytes_per_second?: number;
  readonly read_bytes_per_second?: number;
  readonly write_bytes_per_second?: number;
}

/** One export as it is now, read from what exports it. */
export interface LiveExport {
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
  readonly source: ExportSource;
  readonly readOnly: boolean;
  readonly sizeBytes: bigint;
  readonly qos: ExportQos;
  readonly isTls: boolean;
  readonly allowedHosts: readonly string[];
  /** Clients are being cut and no new ones taken. */
  readonly isClosing: boolean;
  /**
   * Another file stands at the source's path now than the one that is served, or what is served was changed by others; it
   * must be removed. Its size is then that of whatever stands at the path, if anything does.
   */
  readonly isStale: boolean;
  readonly connection: ExportConnection;
}

/** How to connect. */
export interface ExportConnection {
  /** Such as `nbd://192.0.2.7:10809/vol-….g3`, or `nvme+tcp://192.0.2.7:4420/nqn.…`. */
  readonly uri: string;
  readonly host: string;
  readonly port: number;
  /** The name at that address: of an NBD export, or an NQN. */
  readonly name: string;
  /** Ready to be pasted by people. With TLS, `keys.psk` stands for a file with the line `identity:key`. */
  readonly commands: readonly ExportCommand[];
}

export interface ExportCommand {
  readonly purpose: string;
  readonly command: string;
}

/** What exported has ended by itself. Every export that {@link ExportTarget.list} no longer shows is to be added again. */
export interface ExportLoss {
  readonly kind: ExportKind;
  /** Why, in a sentence. */
  readonly reason: string;
  /** The id of the process that has ended. */
  readonly pid: number;
}
