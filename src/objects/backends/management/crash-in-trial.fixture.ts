import { openFilesystem } from '../filesystem/testkit.ts';
import type { ObjectBackend } from '../backend.ts';
import { requireOwnPlace, requireWorking } from './trial.ts';

// Tries a backend out and is killed in the middle: when what was written is read back, or looked for on another backend.

const [directory = '', place = ''] = process.argv.slice(2);

function killing(backend: ObjectBackend): ObjectBackend {
  return new Proxy(backend, {
    get: (target, property) => {
      if (property === 'get' || property === 'head') return () => process.kill(process.pid, 'SIGKILL');
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const backend = openFilesystem(directory);
const nowMs = Date.now();
if (place === 'own') await requireWorking(killing(backend), 'disk', '', nowMs);
else await requireOwnPlace(backend, 'disk', [{ name: 'other', backend: killing(backend) }], nowMs);
