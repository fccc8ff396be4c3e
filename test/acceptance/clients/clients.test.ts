import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../../src/contract.ts';
import { apacheMissing } from '../../support/apache.ts';
import { radosgwAvailable } from '../../support/radosgw.ts';
import { requireReal } from '../../support/stores.ts';
import { temporaryDirectory } from '../../support/temp.ts';
import { until } from '../../support/wait.ts';
import { assertNothingLeft } from '../s3/clearing.ts';
import { awsClient } from './aws.ts';
import { boto3Client } from './boto3.ts';
import type { Client, Step } from './client.ts';
import { ClientHome } from './client-home.ts';
import { type ClientsGateway, startClientsGateway } from './gateway.ts';
import { rcloneClient } from './rclone.ts';
import { resticClient } from './restic.ts';
import { s3cmdClient } from './s3cmd.ts';
import { toolsMissing } from '../../support/s3-clients.ts';

const clients: readonly Client[] = [awsClient, boto3Client, rcloneClient, s3cmdClient, resticClient];
/** So many clients work beside each other: they spend most of their time on themselves. */
const concurrency = 3;

void describe('S3 clients of Debian on a directory, another S3 server and a WebDAV share', () => {
  const missingPlaces = radosgwAvailable() ?? apacheMissing();
  if (missingPlaces !== null && !requireReal) {
    describe.skip(`left out: ${missingPlaces}`);
    return;
  }
  let gateway: ClientsGateway;
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  const homes = new Map<Client, ClientHome>();
  before(async () => {
    if (missingPlaces !== null) assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missingPlaces}`);
    directory = await temporaryDirectory();
    gateway = await startClientsGateway();
    for (const client of clients) {
      const home = join(directory.path, client.tool.name);
      await mkdir(home);
      homes.set(client, new ClientHome(client.tool, home, gateway));
    }
  });
  after(async () => {
    // Either may be missing when its start has failed, and that failure is the one to tell.
    await (gateway as ClientsGateway | undefined)?.stop();
    await (directory as typeof directory | undefined)?.[Symbol.asyncDispose]();
  });

  function eachClient(name: string, stepsOf: (client: Client) => readonly Step[]): void {
    describe(name, { concurrency }, () => {
      for (const client of clients.filter((one) => stepsOf(one).length > 0)) {
        const missing = toolsMissing(...client.needs);
        if (missing !== null && !requireReal) {
          describe.skip(`${client.tool.name}: left out: ${missing}`);
          continue;
        }
        describe(client.tool.name, { concurrency: 1 }, () => {
          for (const { name: deed, run } of stepsOf(client)) {
            it(deed, () => {
              if (missing !== null) assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
              return run(homes.get(client)!);
            });
          }
        });
      }
    });
  }

  eachClient('whole journeys', ({ steps }) => steps);

  it('all bytes stand where the books say, on all three places', async () => {
    const { api } = gateway.world.rig.gateways[0]!;
    const check = () => api.call(contract.checkGateway, { body: { deep: true } });
    // What restic wrote before its bucket asked for a second copy gets it now.
    await api.call(contract.runKeeper, { params: { name: 'object-replicator' } });
    await until('no copies are owed', async () => (await check()).owed_copies === 0);
    const { findings, dead_letters: deadLetters, objects } = await check();
    assert.deepEqual([findings, deadLetters], [[], 0]);
    assert.ok(objects > 0);
    for (const used of await gateway.usedBytes()) assert.ok(used > 0, 'a place was never used');
  });

  eachClient('the way out', ({ lastSteps }) => lastSteps);

  it('leaves nothing behind', () => assertNothingLeft(gateway.world));
});
