import { join } from 'node:path';
import type { Tracer } from '@opentelemetry/api';
import type { Values } from './kernel/config/settings.ts';
import type { Log } from './kernel/telemetry/log.ts';
import type { VolumeBackend } from './volumes/backends/backend.ts';
import { createCephBackend } from './volumes/backends/ceph/backend.ts';
import { cloudStackMaker } from './volumes/backends/cloudstack/configured.ts';
import { createFileBackend } from './volumes/backends/file/file.ts';
import { createMemoryBackend } from './volumes/backends/memory/memory.ts';
import { type BackendObserver, observed } from './volumes/backends/observed.ts';
import { type BackendRegistry, createBackendRegistry } from './volumes/backends/registry.ts';

/** The volume backends that the settings make possible. */
export function createBackends(
  values: Values,
  telemetry: { readonly log: Log; readonly tracer: Tracer; readonly observe: BackendObserver },
  wrap: (backend: VolumeBackend) => VolumeBackend = (backend) => backend,
): BackendRegistry {
  const { log, tracer, observe } = telemetry;
  const watched = (make: () => VolumeBackend) => () => observed(wrap(make()), tracer, observe);
  const { cephConf: conf, cephMonitors: monitors, cephPool: pool, cephKeyring: keyring, cephUser: user } = values;
  const hasCeph = conf !== undefined || monitors.length > 0;
  const ceph = () =>
    createCephBackend({
      name: 'ceph',
      pool,
      user,
      monitors: [...monitors],
      ...(conf === undefined ? {} : { conf }),
      ...(keyring === undefined ? {} : { keyring }),
      log: (message: string) => log.warn({ backend: 'ceph' }, message),
    });
  const cloudstack = cloudStackMaker(values);
  const directory = values.fileDirectory ?? join(values.dataDir, 'volumes');
  return createBackendRegistry(
    {
      file: watched(() => createFileBackend({ name: 'file', directory })),
      memory: watched(() => createMemoryBackend({ name: 'memory' })),
      ceph:
        hasCeph || values.storageBackend === 'ceph'
          ? watched(ceph)
          : {
              missing:
                'The ceph backend is not configured: set CEPH_CONF, or CEPH_MONITORS, and start the server again.',
            },
      cloudstack: typeof cloudstack === 'function' ? watched(cloudstack) : cloudstack,
    },
    values.storageBackend,
  );
}
