/**
 * The commands of QEMU's machine protocol that we use, with what they take and give.
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-storage-daemon-qmp-ref.html
 */
export interface QmpCommands {
  readonly qmp_capabilities: { args: undefined; result: unknown };
  readonly 'query-version': { args: undefined; result: QmpVersion };
  readonly 'query-block-exports': { args: undefined; result: readonly QmpExport[] };
  readonly 'query-named-block-nodes': { args: { flat: boolean }; result: readonly QmpNode[] };
  readonly 'nbd-server-start': { args: NbdServerStart; result: unknown };
  readonly 'block-export-add': { args: BlockExportAdd; result: unknown };
  readonly 'block-export-del': { args: { id: string; mode: 'safe' | 'hard' }; result: unknown };
  readonly 'blockdev-add': { args: BlockdevAdd; result: unknown };
  readonly 'blockdev-del': { args: { 'node-name': string }; result: unknown };
  readonly block_resize: { args: { 'node-name': string; size: number }; result: unknown };
  readonly 'object-add': { args: ObjectAdd; result: unknown };
  readonly 'object-del': { args: { id: string }; result: unknown };
  readonly 'qom-get': { args: { path: string; property: string }; result: unknown };
  readonly 'qom-set': { args: { path: string; property: string; value: unknown }; result: unknown };
  readonly quit: { args: undefined; result: unknown };
}

export type QmpCommand = keyof QmpCommands;

export interface QmpVersion {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
}

export interface QmpExport {
  readonly id: string;
  readonly type: string;
  readonly 'node-name': string;
  readonly 'shutting-down': boolean;
}

export interface QmpNode {
  readonly 'node-name'?: string;
  readonly drv: string;
  readonly ro: boolean;
  readonly image: { readonly filename: string; readonly 'virtual-size': number };
}

export interface NbdServerStart {
  readonly addr: { readonly type: 'inet'; readonly data: { readonly host: string; readonly port: string } };
  readonly 'max-connections': number;
  readonly 'tls-creds'?: string;
}

export interface BlockExportAdd {
  readonly type: 'nbd';
  readonly id: string;
  readonly 'node-name': string;
  readonly name: string;
  readonly writable: boolean;
}

/** `driver` and `node-name`, and what the driver takes. */
export type BlockdevAdd = Readonly<Record<string, unknown>> & { readonly driver: string; readonly 'node-name': string };

/** Limits a second in the names of QEMU; 0 is no limit, and an absent one is left as it was. */
export interface ThrottleLimits {
  readonly 'iops-total': number;
  readonly 'iops-read': number;
  readonly 'iops-write': number;
  readonly 'bps-total': number;
  readonly 'bps-read': number;
  readonly 'bps-write': number;
}

export type ObjectAdd =
  | { readonly 'qom-type': 'throttle-group'; readonly id: string; readonly limits: ThrottleLimits }
  | { readonly 'qom-type': 'tls-creds-psk'; readonly id: string; readonly dir: string; readonly endpoint: 'server' };
