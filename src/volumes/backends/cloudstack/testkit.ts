import { randomUUID } from 'node:crypto';
import { CloudStackSimulator, type SimulatorOptions } from '../../../../test/support/cloudstack/simulator.ts';
import { GIB } from '../../../../test/support/cloudstack/world.ts';
import type { CreateImage, ImageFacts, SnapshotFacts, VolumeBackend } from '../backend.ts';
import { type CloudStackOptions, createCloudStackBackend } from './backend.ts';

/** A simulated CloudStack with a backend on it; `await using` ends both. */
export interface CloudStackBench extends AsyncDisposable {
  readonly simulator: CloudStackSimulator;
  readonly backend: VolumeBackend;
  /** Another instance over the same CloudStack, as after a restart. */
  reopen(options?: Partial<CloudStackOptions>): VolumeBackend;
  /** An id of a new VM. */
  newVm(): string;
}

export async function startBench(options: SimulatorOptions = {}): Promise<CloudStackBench> {
  const simulator = await CloudStackSimulator.start(options);
  const reopen = (own: Partial<CloudStackOptions> = {}) => backendOf(simulator, own);
  return {
    simulator,
    backend: reopen(),
    reopen,
    newVm: () => simulator.world.addVm().id,
    [Symbol.asyncDispose]: () => simulator.stop(),
  };
}

export function backendOf(simulator: CloudStackSimulator, options: Partial<CloudStackOptions> = {}): VolumeBackend {
  const { url, apiKey, secretKey, world } = simulator;
  return createCloudStackBackend({
    name: 'cloudstack',
    url,
    apiKey,
    secretKey,
    zoneId: world.zoneId,
    diskOfferingId: world.customOffering.id,
    polling: { firstMs: 2, lastMs: 10 },
    ...options,
  });
}

export function newGibVolume(overrides: Partial<CreateImage> = {}): CreateImage {
  const volumeId = `vol-${randomUUID()}`;
  return { image: volumeId, volumeId, name: 'data', sizeBytes: 2n * GIB, ...overrides };
}

/**
 * The backend as the conformance suite needs it: what the suite calls a byte is a GiB here, since CloudStack has no
 * smaller unit, and each new volume is attached once behind our back, since CloudStack makes the disk only then. Details
 * are left out: they change with everything that is done in CloudStack, and have tests of their own.
 */
export function asSuiteWantsIt(backend: VolumeBackend, simulator: CloudStackSimulator): VolumeBackend {
  const facts = (each: ImageFacts): ImageFacts => {
    const { details: _, ...rest } = each;
    return { ...rest, sizeBytes: toUnits(each.sizeBytes) };
  };
  const snapshotFacts = (each: SnapshotFacts) => ({ ...each, sizeBytes: toUnits(each.sizeBytes) });
  const { name, capabilities, createParameters } = backend;
  return {
    name,
    capabilities,
    createParameters,
    health: (signal) => backend.health(signal),
    create: async (context, params) => {
      const made = await backend.create(context, { ...params, sizeBytes: params.sizeBytes * GIB });
      const volume = simulator.world.volumeNamed(params.image);
      if (volume.state === 'Allocated') volume.state = 'Ready';
      return facts(made);
    },
    inspect: async (context, image) => {
      const found = await backend.inspect(context, image);
      return found === null ? null : facts(found);
    },
    list: async (context, page) => (await backend.list(context, page)).map(facts),
    resize: async (context, image, units) => facts(await backend.resize(context, image, units * GIB)),
    createSnapshot: async (context, image, snapshot) =>
      snapshotFacts(await backend.createSnapshot(context, image, snapshot)),
    listSnapshots: async (context, image) => (await backend.listSnapshots(context, image)).map(snapshotFacts),
    deleteSnapshot: (context, image, snapshot) => backend.deleteSnapshot(context, image, snapshot),
    exportSource: (context, image) => backend.exportSource(context, image),
    revert: async (context, image, snapshot) => facts(await backend.revert(context, image, snapshot)),
    attach: async (context, image, attachment) => facts(await backend.attach(context, image, attachment)),
    checkRootAttach: (context, nodeId) => backend.checkRootAttach!(context, nodeId),
    detach: (context, image, attachment) => backend.detach(context, image, attachment),
    setQos: (context, image, qos) => backend.setQos(context, image, qos),
    trash: (context, image) => backend.trash(context, image),
    restore: async (context, image) => facts(await backend.restore(context, image)),
    purge: (context, image) => backend.purge(context, image),
    adopt: async (context, image, tag) => facts(await backend.adopt(context, image, tag)),
    close: () => backend.close(),
  };
}

function toUnits(sizeBytes: bigint): bigint {
  if (sizeBytes % GIB !== 0n) throw new Error(`${sizeBytes} bytes are not whole GiB`);
  return sizeBytes / GIB;
}
