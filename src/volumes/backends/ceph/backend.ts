import { resolve } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportSource } from '../../exports/target.ts';
import type { BackendCapabilities, VolumeBackend } from '../backend.ts';
import { refuseRootDevice, refuseUnknownParameters } from '../image-rules.ts';
import type { CephLog } from './child-handle.ts';
import type { CephConnection } from './session.ts';
import { Supervisor } from './supervisor.ts';

export interface CephBackendOptions extends CephConnection {
  /** The name under which volumes refer to this backend. */
  readonly name: string;
  readonly log?: CephLog;
}

/** The Ceph backend, and what its tests need to know of it. */
export interface CephBackend extends VolumeBackend {
  /** Process id of the child that holds the connection; `undefined` when none runs. */
  readonly childPid: number | undefined;
}

const CAPABILITIES: BackendCapabilities = {
  snapshots: true,
  clone: true,
  qos: true,
  trash: true,
  watchers: true,
  fence: true,
  durable: true,
  rootAttach: false,
  details: false,
};

/**
 * Volumes as RBD images of one Ceph pool. All work is done in a child process, started at the first call; this process
 * loads no native code. The laws of the port hold; see `tags.ts` for what is kept with an image.
 */
export function createCephBackend({ name, log, ...connection }: CephBackendOptions): CephBackend {
  const child = new Supervisor(connection, log ?? (() => undefined));
  return {
    name,
    capabilities: CAPABILITIES,
    createParameters: [],
    get childPid() {
      return child.pid;
    },
    health: (signal) => child.call('health', {}, signal),
    async create({ fence, signal }, { parameters, ...params }) {
      refuseUnknownParameters({ name, createParameters: [] }, parameters);
      return await child.call('create', { fence, params }, signal);
    },
    inspect: ({ signal }, image) => child.call('inspect', { image }, signal),
    survey: ({ signal }, images) => child.call('survey', { images }, signal),
    list: ({ signal }, page) => child.call('list', page, signal),
    resize: ({ fence, signal }, image, sizeBytes) => child.call('resize', { fence, image, sizeBytes }, signal),
    createSnapshot: ({ fence, signal }, image, snapshot) =>
      child.call('createSnapshot', { fence, image, snapshot }, signal),
    listSnapshots: ({ signal }, image) => child.call('listSnapshots', { image }, signal),
    async deleteSnapshot({ fence, signal }, image, snapshot) {
      await child.call('deleteSnapshot', { fence, image, snapshot }, signal);
    },
    revert: ({ fence, signal }, image, snapshot) => child.call('revert', { fence, image, snapshot }, signal),
    async attach({ fence, signal }, image, attachment) {
      refuseRootDevice(name, attachment);
      return await child.call('attach', { fence, image, attachment }, signal);
    },
    async detach({ fence, signal }, image, attachment) {
      await child.call('detach', { fence, image, attachment }, signal);
    },
    async fence({ fence, signal }, image, clients) {
      await child.call('fence', { fence, image, clients }, signal);
    },
    exportSource: (_context, image) => {
      const { conf, pool, user } = connection;
      // The storage daemon of QEMU finds a cluster by its file alone.
      if (conf === undefined) throw noConf();
      const source: ExportSource = { kind: 'rbd', conf: resolve(conf), pool, image };
      return Promise.resolve(user === undefined ? source : { ...source, user: user.replace(/^client\./, '') });
    },
    async setQos({ fence, signal }, image, qos) {
      await child.call('setQos', { fence, image, qos }, signal);
    },
    async trash({ fence, signal }, image) {
      await child.call('trash', { fence, image }, signal);
    },
    restore: ({ fence, signal }, image) => child.call('restore', { fence, image }, signal),
    async purge({ fence, signal }, image) {
      await child.call('purge', { fence, image }, signal);
    },
    adopt: ({ fence, signal }, image, tag) => child.call('adopt', { fence, image, tag }, signal),
    close: () => child.close(),
  };
}

function noConf(): HoldfastError {
  const message = 'Exports of Ceph volumes need a ceph.conf: set CEPH_CONF and start the server again.';
  return new HoldfastError('unsupported', message);
}
