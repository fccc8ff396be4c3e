import { randomBytes } from 'node:crypto';
import { apacheMissing } from '../../support/apache.ts';
import { postgresMissing, startPostgres } from '../../support/postgres.ts';
import { radosgwAvailable } from '../../support/radosgw.ts';
import { testServer } from '../../support/server.ts';
import { type Place, type SharedRadosgw, directoryPlace, webdavPlace } from './places.ts';
import { type Gateway, type Rig, type RunningRig, baseDomain } from './rig.ts';
import { Stops } from './stops.ts';

/** A directory, on the embedded store. */
export const filesystemRig: Rig = {
  missing: () => null,
  start: () => startRig(1, [directoryPlace]),
};

/** Another S3 server, on the embedded store. */
export function radosgwRig(radosgw: SharedRadosgw): Rig {
  return {
    missing: radosgwAvailable,
    start: () => startRig(1, [() => radosgw.place()]),
  };
}

/** A directory, another S3 server and a WebDAV share at the same time: each object on two of them. */
export function mixedRig(radosgw: SharedRadosgw): Rig {
  return {
    missing: () => radosgwAvailable() ?? apacheMissing(),
    start: () => startRig(2, [directoryPlace, () => radosgw.place(), webdavPlace]),
  };
}

/** Two gateways on one PostgreSQL and one directory. */
export const twoGatewaysRig: Rig = {
  missing: postgresMissing,
  start: () =>
    startRig(1, [directoryPlace], async (stops) => {
      const postgres = await startPostgres();
      stops.add(() => postgres.stop());
      const flags = {
        'database-url': await postgres.createDatabase(),
        'secret-key': randomBytes(32).toString('base64'),
        ...keyFlags,
      };
      return [await startGateway(stops, flags), await startGateway(stops, flags)];
    }),
};

async function startRig(
  copies: number,
  makePlaces: readonly ((stops: Stops) => Promise<Place>)[],
  startGateways = async (stops: Stops) => [await startGateway(stops, keyFlags)],
): Promise<RunningRig> {
  const stops = new Stops();
  try {
    const places: Place[] = [];
    for (const make of makePlaces) places.push(await make(stops));
    const gateways = await startGateways(stops);
    for (const [index, place] of places.entries()) await place.addTo(gateways[0]!.api, index);
    return {
      gateways,
      copies,
      // The wrapped keys stand there as long as the backend does.
      remains: async () =>
        (await Promise.all(places.map((place) => place.remains())))
          .flat()
          .filter((blob) => !blob.includes('.holdfast')),
      stop: () => stops.run(),
    };
  } catch (error) {
    await stops.run();
    throw error;
  }
}

/** So that what is deleted once more later can be waited for. */
export const quickFlags = { 'object-second-look': '1s', 'object-retry-wait': '200ms' };

/** So that buckets can be encrypted. */
const keyFlags = { 'encryption-keys': `root=${randomBytes(32).toString('base64')}` };

/** A server of this process. */
export async function startGateway(stops: Stops, flags: Readonly<Record<string, string>>): Promise<Gateway> {
  const server = await testServer({ 's3-domains': baseDomain, ...quickFlags, ...flags });
  stops.add(() => server[Symbol.asyncDispose]());
  return { api: server.client, s3Url: server.server.s3Url };
}
