import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { connectionTo } from '../../src/volumes/exports/nvmeof/connection-info.ts';
import { namespaceUuid, nqnOf } from '../../src/volumes/exports/nvmeof/subsystem.ts';
import type { ExportSpec, ExportTarget, LiveExport } from '../../src/volumes/exports/target.ts';

/** NVMe exports that are kept in memory, for what is decided before a kernel is asked. `specs` are those that stand. */
export interface MemoryNvmeof extends ExportTarget {
  readonly specs: ReadonlyMap<string, ExportSpec>;
  /** Whether its kernel knows keys of hosts. */
  hasAuth: boolean;
}

/** In place of the target of a real kernel, with its capabilities. */
export function memoryNvmeof({ kind, capabilities }: ExportTarget): MemoryNvmeof {
  const specs = new Map<string, ExportSpec>();
  const live = (exportId: string): LiveExport => {
    const spec = specs.get(exportId);
    if (spec === undefined) throw new HoldfastError('not_found', `There is no export ${exportId}.`);
    const keys = spec.dhchap === undefined ? 'none' : spec.dhchap.controllerKey === undefined ? 'host' : 'both';
    const connection = connectionTo('127.0.0.1', 4_420, nqnOf(spec), namespaceUuid(spec.volumeId), keys);
    return { ...spec, sizeBytes: 0n, isTls: false, isClosing: false, isStale: false, connection };
  };
  return {
    kind,
    capabilities,
    specs,
    hasAuth: true,
    health: async () => ({ detail: 'in memory' }),
    async add(_context, spec) {
      if (spec.dhchap !== undefined && !this.hasAuth) {
        throw new HoldfastError('unsupported', 'The kernel of this host has no NVMe authentication.');
      }
      specs.set(spec.exportId, spec);
      return live(spec.exportId);
    },
    remove: async (_context, exportId) => void specs.delete(exportId),
    list: async () => [...specs.keys()].toSorted().map(live),
    resize: async (_context, exportId) => live(exportId),
    setQos: async (_context, exportId) => live(exportId),
    close: async () => {},
  };
}
