import type { VolumeCapability } from './messages.ts';
import { CsiRefusal } from './status.ts';

/** A volume is at one node at a time, so these are the access modes that can be kept. */
const accessModes: readonly string[] = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
];
export const filesystems = ['ext4', 'ext3', 'ext2', 'xfs'] as const;
export type Filesystem = (typeof filesystems)[number];

/** The limit of CSI for all mount flags together. */
const mountFlagsBytesMax = 4_096;

/** How a volume is to be used, once it is clear that it can be. */
export type Access =
  | { readonly kind: 'block'; readonly isReadOnly: boolean; readonly isExclusive: boolean }
  | {
      readonly kind: 'mount';
      readonly isReadOnly: boolean;
      readonly isExclusive: boolean;
      readonly filesystem: Filesystem;
      readonly flags: readonly string[];
    };

/** Why a capability cannot be had, in a sentence; `null` when it can. */
export function whyUnsupported(capability: VolumeCapability): string | null {
  const mode = capability.access_mode?.mode ?? 'UNKNOWN';
  if (mode === 'UNKNOWN') return 'A volume capability has no access mode.';
  if (!accessModes.includes(mode))
    return `The access mode ${mode} is not supported: a volume is at one node at a time.`;
  if (!capability.block && !capability.mount) return 'A volume capability has no access type (block or mount).';
  if (!capability.mount) return null;
  const { fs_type: type, mount_flags: flags } = capability.mount;
  if (type !== '' && !(filesystems as readonly string[]).includes(type)) {
    return `The filesystem ${type.slice(0, 50)} is not supported; there are ${filesystems.join(', ')}.`;
  }
  // They become one argument of mount, separated by commas.
  const isPlain = flags.every((flag) => /^[A-Za-z0-9_][\w.:=/%@+-]*$/.test(flag));
  if (!isPlain || flags.join(',').length > mountFlagsBytesMax) return 'The mount flags cannot be used.';
  return null;
}

/** @throws CsiRefusal `INVALID_ARGUMENT` when there are none, or one cannot be had. */
export function requireCapabilities(capabilities: readonly VolumeCapability[]): void {
  if (capabilities.length === 0) throw new CsiRefusal('INVALID_ARGUMENT', 'The volume capabilities are missing.');
  for (const capability of capabilities) {
    const why = whyUnsupported(capability);
    if (why !== null) throw new CsiRefusal('INVALID_ARGUMENT', why);
  }
}

/** The one capability of a request as what to do. @throws CsiRefusal `INVALID_ARGUMENT` when it is missing or cannot be had. */
export function requireAccess(capability: VolumeCapability | null): Access {
  if (capability === null) throw new CsiRefusal('INVALID_ARGUMENT', 'The volume capability is missing.');
  requireCapabilities([capability]);
  const mode = capability.access_mode!.mode;
  const common = { isReadOnly: mode === 'SINGLE_NODE_READER_ONLY', isExclusive: mode === 'SINGLE_NODE_SINGLE_WRITER' };
  if (!capability.mount) return { kind: 'block', ...common };
  const { fs_type: type, mount_flags: flags } = capability.mount;
  return { kind: 'mount', ...common, filesystem: type === '' ? 'ext4' : (type as Filesystem), flags };
}
