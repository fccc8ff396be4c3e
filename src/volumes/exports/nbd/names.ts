import { createHash, randomBytes } from 'node:crypto';

/** What the id of an export in the daemon says. */
export interface NamedExport {
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
  readonly readOnly: boolean;
}

const QMP_ID =
  /^hf\.(?<exportId>[A-Za-z0-9_-]+)\.(?<volumeId>[A-Za-z0-9_-]+)\.(?<generation>\d{1,16})\.(?<mode>r[ow])\.[0-9a-f]{12}$/;

/**
 * An id for one life of an export. Its end is random, so that an event about an earlier life, of the same name in every
 * other respect, is never taken for one about this.
 */
export function newQmpId({ exportId, volumeId, generation, readOnly }: NamedExport): string {
  const mode = readOnly ? 'ro' : 'rw';
  return `hf.${exportId}.${volumeId}.${generation}.${mode}.${randomBytes(6).toString('hex')}`;
}

/** `null` for an export that is not ours. */
export function parseQmpId(id: string): NamedExport | null {
  const groups = QMP_ID.exec(id)?.groups;
  if (groups === undefined) return null;
  const { exportId = '', volumeId = '', generation = '', mode } = groups;
  return { exportId, volumeId, generation: Number(generation), readOnly: mode === 'ro' };
}

/** The names of what stands beneath an export. QEMU takes 31 characters, so the id is in them as 104 bits of its hash. */
export interface NodeNames {
  /** Serves the export; keeps its limits. */
  readonly top: string;
  /** Has the image open. */
  readonly image: string;
  /** The object with the limits. */
  readonly group: string;
}

export function nodeNames(exportId: string): NodeNames {
  const hash = createHash('sha256').update(exportId).digest('hex').slice(0, 26);
  return { top: `ht-${hash}`, image: `hi-${hash}`, group: `hg-${hash}` };
}

/** The name that NBD clients ask for. With the generation, so that an address of an earlier attachment finds nothing. */
export function nbdName({ volumeId, generation }: Pick<NamedExport, 'volumeId' | 'generation'>): string {
  return `${volumeId}.g${generation}`;
}
