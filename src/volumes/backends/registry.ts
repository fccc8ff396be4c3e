import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { VolumeBackend } from './backend.ts';

/** The backends of this server. Each is made when it is first needed. */
export interface BackendRegistry {
  readonly defaultName: string;
  readonly names: readonly string[];
  /** Throws `unsupported` with what to do, for one that this server does not have. */
  get(name: string): VolumeBackend;
  close(): Promise<void>;
}

/** A backend to make on first use, or the sentence that says what is missing. */
export type BackendMaker = (() => VolumeBackend) | { readonly missing: string };

export function createBackendRegistry(
  makers: Readonly<Record<string, BackendMaker>>,
  defaultName: string,
): BackendRegistry {
  const made = new Map<string, VolumeBackend>();
  return {
    defaultName,
    names: Object.keys(makers).filter((name) => typeof makers[name] === 'function'),
    get(name) {
      const known = made.get(name);
      if (known !== undefined) return known;
      const maker = Object.hasOwn(makers, name) ? makers[name] : undefined;
      if (typeof maker !== 'function') {
        const message = maker?.missing ?? `There is no backend named "${name.slice(0, 100)}".`;
        throw new HoldfastError('unsupported', message, {
          field: 'backend',
          provided_value: name,
          allowed_values: this.names,
        });
      }
      const backend = maker();
      made.set(name, backend);
      return backend;
    },
    async close() {
      await Promise.all([...made.values()].map((backend) => backend.close()));
    },
  };
}
