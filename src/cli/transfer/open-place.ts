import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { BackendSettings, ObjectBackend } from '../../objects/backends/backend.ts';
import { objectBackendKinds } from '../../objects/backends/kinds.ts';
import { type Place, bareFacts, limited, listBackend } from './place.ts';
import { s3Place } from './s3-place.ts';

/** Opens a place by the kind of a backend and its settings. Throws `invalid` naming what is wrong with them. */
export function openPlace(kindName: string, given: BackendSettings): Place {
  const kinds = objectBackendKinds();
  const kind = kinds.get(kindName);
  if (kind === undefined) {
    const message = `There is no kind "${kindName.slice(0, 50)}"; there are ${[...kinds.keys()].join(', ')}.`;
    throw new HoldfastError('invalid', message, { field: '--kind' });
  }
  const settings = kind.validate(given);
  const backend = kind.open(settings);
  return kindName === 's3' ? s3Place(settings, backend) : plainPlace(backend);
}

/** A place that holds bytes and nothing else. */
function plainPlace(backend: ObjectBackend): Place {
  return {
    list: (signal) => listBackend(backend, signal),
    facts: async ({ key }, signal) => {
      const found = await backend.head(key, limited(signal));
      return found && bareFacts(key, found.sizeBytes);
    },
    open: async ({ key }, signal) => {
      const blob = await backend.get(key, null, signal);
      return blob && { facts: bareFacts(key, blob.sizeBytes), content: blob.content, cancel: () => blob.cancel() };
    },
    put: (key, content, { sizeBytes }, signal) => backend.put(key, content, { sizeBytes, signal }),
    close: () => backend.close(),
  };
}
