import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ObjectBackend } from './backend.ts';

/** Stands where a backend could not be opened: every call says why. */
export function brokenBackend(name: string, problem: string): ObjectBackend {
  const refuse = async (): Promise<never> => {
    throw new HoldfastError('unavailable', `Backend ${name} could not be opened: ${problem}`, {
      reason: 'not_opened',
      backend: name,
    });
  };
  return {
    capabilities: { serverSideCopy: false, blobBytesMax: null },
    health: refuse,
    put: refuse,
    get: refuse,
    head: refuse,
    delete: refuse,
    list: refuse,
    copy: refuse,
    close: async () => {},
  };
}
