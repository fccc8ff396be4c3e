import { join } from 'node:path';
import { contract } from '../../../src/contract.ts';
import type { SigningCredentials } from '../../../src/objects/s3/signature/sign.ts';
import { serveProcess } from '../../support/serve-process.ts';
import { testFlags } from '../../support/server.ts';
import { temporaryDirectory } from '../../support/temp.ts';
import { type Place, SharedRadosgw, directoryPlace, webdavPlace } from '../s3/places.ts';
import type { RunningRig } from '../s3/rig.ts';
import { quickFlags } from '../s3/rigs.ts';
import { Stops } from '../s3/stops.ts';
import { type World, openWorld } from '../s3/world.ts';

const copies = 2;
/** The same for each place, so that `spread` uses all of them. */
const quotaBytes = 2_147_483_648;

/** `holdfast serve` as a user runs it, over a directory, another S3 server and a WebDAV share. */
export interface ClientsGateway {
  readonly world: World;
  readonly endpoint: string;
  /** Of somebody who may do everything in every bucket. */
  readonly credentials: SigningCredentials;
  /** How many bytes each place holds, as the gateway counts them. */
  usedBytes(): Promise<readonly number[]>;
  /** From here on, what is written to the bucket stands on two of the three places before it is acknowledged. */
  makeSafe(bucket: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startClientsGateway(): Promise<ClientsGateway> {
  const stops = new Stops();
  try {
    const radosgw = new SharedRadosgw();
    stops.add(() => radosgw.stop());
    const places: Place[] = [await directoryPlace(stops), await radosgw.place(), await webdavPlace(stops)];
    const data = await temporaryDirectory();
    stops.add(() => data[Symbol.asyncDispose]());
    const flags = { ...testFlags(join(data.path, 'data')), ...quickFlags, 'log-level': 'warn' };
    const server = await serveProcess(flags);
    stops.add(() => server.stop());
    const { client: api, s3Url } = server;
    for (const [index, place] of places.entries()) await place.addTo(api, index);
    const { items } = await api.call(contract.listObjectBackends);
    for (const { name: backend } of items) {
      await api.call(contract.changeObjectBackend, { params: { backend }, body: { quota_bytes: quotaBytes } });
    }
    const rig: RunningRig = {
      gateways: [{ api, s3Url }],
      copies,
      remains: async () => (await Promise.all(places.map((place) => place.remains()))).flat(),
      stop: () => stops.run(),
    };
    const world = await openWorld(rig);
    stops.add(() => world.close());
    return {
      world,
      endpoint: s3Url,
      credentials: world.owner,
      usedBytes: async () =>
        (await api.call(contract.listObjectBackends)).items.map(({ used_bytes: used }) => Number(used)),
      async makeSafe(bucket) {
        const body = { copies, durability: 'all', placement: 'spread' } as const;
        await api.call(contract.changeBucket, { params: { bucket }, body });
      },
      stop: rig.stop,
    };
  } catch (error) {
    await stops.run();
    throw error;
  }
}
